"""What was done to the data, told to whoever writes it down.

The data knows nothing of accounts; the site listens (see dashboard/audit.py). It is told inside the transaction of
the change, so that both are there or neither.
"""

from typing import Any

from django.dispatch import Signal

happened = Signal()
# A display name is erased: key, its folded text. Whoever else keeps it removes it now, and returns from how many rows.
erasing = Signal()


def tell(action: str, what: str = "", **details: Any) -> None:
    """Something was done. action: a code of dashboard.models.AuditEntry.Action; what: to what; details: JSON values."""
    happened.send(sender=None, action=action, what=what, details=details)
