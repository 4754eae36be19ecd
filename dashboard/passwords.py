"""What a new password has to be, where Django's own words will not do."""

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.utils.translation import ngettext


class LongEnough(MinimumLengthValidator):
    """Django's, whose message its Chinese catalogue does not have in its present wording."""

    def get_error_message(self) -> str:
        return ngettext(
            "This password is too short. Use %(count)d character or more.",
            "This password is too short. Use %(count)d characters or more.",
            self.min_length,
        ) % {"count": self.min_length}
