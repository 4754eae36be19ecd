"""What can go wrong between us and the provider, sorted by its remedy.

Every text is a sentence for a person, says what to do where something can be done, and never holds
the key or the secret.
"""


class ProviderError(Exception):
    """The base of all of them."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Transient(ProviderError):
    """It may work later: time-outs, connections, 5xx, throttling. retry_after: seconds the provider asked for."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Denied(ProviderError):
    """The key or the secret is wrong, or may not do this. Asking again is of no use until it is mended."""

    # What the message ends with.
    ADVICE = "Check UMEET_API_KEY and UMEET_API_SECRET."

    @property
    def refusal(self) -> str:
        """The message without its advice, for whoever did not give the key by the environment."""
        return self.message.removesuffix(self.ADVICE).rstrip()


class Refused(ProviderError):
    """The provider says no for another reason, or the address is wrong. Asking again is of no use."""


class BadPayload(ProviderError):
    """A whole answer that cannot be read."""


class StuckPaging(BadPayload):
    """The pages of an answer do not come to an end."""
