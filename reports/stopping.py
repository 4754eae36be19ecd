"""Whether the processes of a worker were asked to stop: one byte that they share with those that they fork."""

import mmap

_asked = mmap.mmap(-1, 1)


class Stopped(Exception):
    """A pull was left off because the worker is to stop."""


def ask() -> None:
    """Have this process and its children leave off: what is begun with the database is ended, nothing else is begun."""
    _asked[0] = 1


def take_back() -> None:
    """Go on."""
    _asked[0] = 0


def asked() -> bool:
    """Whether to leave off."""
    return bool(_asked[0])
