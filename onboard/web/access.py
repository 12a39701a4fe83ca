"""Who may look at the status page.

On a loopback address whoever is on the machine; on any other whoever has the token, which is
made anew at every start. A browser is lured to a page's own address by DNS rebinding, so a
request must name the host by an address or by a name of this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

from onboard.errors import InputError

TOKEN_BYTES = 24
COOKIE = "pilotage_token"
LOCAL_NAME = "localhost"
FORM = "HOST:PORT such as 127.0.0.1:8080 or 0.0.0.0:8080"
_HOST = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^:\[\]@/ ]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Address:
    """Where the page is served. host is an IP address or a name."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        if self.host == LOCAL_NAME:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def url(self, token: str | None) -> str:
        """For a browser: of 'every address of this machine', the one that leads outside."""
        host = self.host
        if host in ("0.0.0.0", "::"):
            host = _own_address() or socket.gethostname()
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/" + (f"?token={token}" if token else "")


def parse_address(text: str) -> Address:
    """HOST:PORT, [IPv6]:PORT. Raises InputError: neither, or a port that is none."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InputError(f"web address '{text}': write an IPv6 address as [::1]:8080")
    if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise InputError(f"web address '{text}': give {FORM}")
    return Address(host, int(port))


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def host_is_ours(header: str | None, address: Address) -> bool:
    """Whether a Host header names this machine: by an IP address, or by a name that no
    foreign DNS answers for."""
    found = _HOST.fullmatch(header or "")
    if found is None:
        return False
    host = found.group(1).lower().strip("[]")
    name = socket.gethostname().lower()
    if host in (LOCAL_NAME, address.host.lower(), name, f"{name}.local"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def token_matches(given: str | None, token: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), token.encode())


def token_in_cookies(header: str | None) -> str | None:
    """The token of a Cookie header."""
    for part in (header or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None


def _own_address() -> str | None:
    """Of the interface with the default route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        except OSError:
            return None
        return str(probe.getsockname()[0])
