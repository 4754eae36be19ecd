"""Whose word counts on where a request comes from and who sent it: the trusted proxies', and nobody else's."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

FORWARDED_FOR, FORWARDED_PROTO = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"


def meta_name(header: str) -> str:
    """Where WSGI puts a header."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def _address(text: str) -> str:
    """An address without its port; "" for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def is_trusted(address: str) -> bool:
    """Whether an address is one of TRUSTED_PROXIES."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in settings.TRUSTED_PROXIES)


def client_of(peer: str, forwarded: str) -> str:
    """The address of who asks: of the chain that the proxies wrote, from behind, the first that is no proxy of ours.

    What stands before it was written by others and may be anything.
    """
    found = peer
    for entry in reversed(_entries(forwarded)):
        address = _address(entry)
        if not address:
            break
        found = address
        if not is_trusted(address):
            break
    return found


def _entries(forwarded: str) -> list[str]:
    return forwarded.split(",") if forwarded else []


class TrustedProxyMiddleware:
    """REMOTE_ADDR becomes the client's own; what only a trusted proxy may say is taken from all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        peer = _address(meta.get("REMOTE_ADDR", ""))
        if is_trusted(peer):
            meta["REMOTE_ADDR"] = client_of(peer, meta.get(FORWARDED_FOR, ""))
        else:
            if settings.SSO_HEADER:
                meta.pop(meta_name(settings.SSO_HEADER), None)
            if settings.TRUSTED_PROXIES:
                meta.pop(FORWARDED_PROTO, None)
        return self.get_response(request)


def network_of(request: HttpRequest) -> str:
    """What stands for a client where attempts are counted: its address, or of IPv6 the network it has as a whole."""
    address = _address(request.META.get("REMOTE_ADDR", ""))
    if ":" not in address:
        return address or "0.0.0.0"  # noqa: S104 — no address at all: a socket of this machine
    return str(ip_network((address, 64), strict=False).network_address)
