"""Asks a tile service for one tile, politely: evenly paced, with patience for what passes and
a full stop at a refusal. What it is told is not believed: a page instead of a picture, half a
picture and a picture of another size are found out.

No sentence, and no exception that leaves here, holds an address that was asked: the key
stands in it.
"""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import logging
import ssl
import threading
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from maps.sources.pace import Pace
from maps.sources.service_file import ServiceFile
from maps.sources.tile_address import tile_address
from onboard.errors import InputError
from onboard.pack.imagery import decode_tile
from onboard.pack.picture_header import picture_size

TRIES = 5  # of one tile, with 1, 2, 4, 8 s between them
BACKOFF_S = 1.0
MAX_WAIT_S = 120.0  # that a server may ask for; for more, the person comes back later
CONNECT_S, SILENCE_S, WHOLE_S = 10.0, 20.0, 60.0  # until it answers, says more, is done
MAX_REDIRECTS = 3
CHUNK_BYTES = 16 << 10
_NO_TILE = frozenset((204, 404, 410))
_PASSING = frozenset((408, 425, 429, *range(500, 600)))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PICTURE_STARTS = (b"\xff\xd8", b"\x89PNG", b"RIFF")


@dataclass(frozen=True)
class Answer:
    """data: None where there is no tile. unchanged: the one that was known is still right."""

    data: bytes | None
    etag: str | None = None
    modified: str | None = None
    unchanged: bool = False

    @property
    def sha256(self) -> str | None:
        return None if self.data is None else hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class _Fault:
    """What may pass; reason is a clause. wait_s: what the server asked for."""

    reason: str
    wait_s: float = 0.0


class TileClient:
    """Of one service, for several threads."""

    def __init__(self, service: ServiceFile, key: str | None) -> None:
        self.pace = Pace(service.requests_per_s)
        self._service, self._key = service, key
        self._local = threading.local()
        if key is not None:
            # At DEBUG it writes the address of every request.
            logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

    def ask(
        self, zoom: int, x: int, y: int, etag: str | None = None, modified: str | None = None
    ) -> Answer:
        """etag, modified: of the tile that is known. Raises InputError: refused, unreachable,
        not pictures; Stopped as `Pace` does."""
        name = f"{self._service.name}: tile {zoom}/{x}/{y} of {self._service.host}"
        headers = {"If-None-Match": etag, "If-Modified-Since": modified}
        known = {k: v for k, v in headers.items() if v}
        url = tile_address(self._service, zoom, x, y, self._key)
        reason = ""
        for attempt in range(TRIES):
            said = self._once(url, known, name)
            if isinstance(said, Answer):
                return said
            reason, wait_s = said.reason, max(said.wait_s, BACKOFF_S * 2**attempt)
            if wait_s > MAX_WAIT_S:
                raise InputError(
                    f"{name}: {reason}, and the server asks to wait {wait_s:.0f} s; give the "
                    "same command again then, it goes on where it stopped"
                )
            self.pace.hold(wait_s)
        raise InputError(
            f"{name}: {reason}, {TRIES} times in a row; give the same command again later, it "
            "goes on where it stopped"
        )

    def _once(self, url: str, known: dict[str, str], name: str) -> Answer | _Fault:
        """One request, and those it is redirected to."""
        certificate = ""
        for _ in range(MAX_REDIRECTS + 1):
            self.pace.wait()
            try:
                with self._session().get(
                    url,
                    headers=known,
                    timeout=(CONNECT_S, SILENCE_S),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._judged(response, bool(known), name)
                    url = self._redirected(url, response.headers.get("Location", ""), name)
            except requests.exceptions.SSLError as e:
                certificate = _certificate_fault(e)
                if not certificate:
                    return _Fault("the secure connection failed")
            except requests.exceptions.Timeout:
                return _Fault("no answer came in time")
            except urllib3.exceptions.ReadTimeoutError:
                return _Fault("no answer came in time")
            except (urllib3.exceptions.HTTPError, http.client.HTTPException):
                return _Fault("the answer was cut off or garbled")
            except (requests.exceptions.RequestException, OSError) as e:
                return _Fault(f"the server cannot be reached ({_system_reason(e)})")
            if certificate:
                raise InputError(
                    f"{name}: the server's certificate is not valid ({certificate}); check the "
                    "url and this machine's clock, and nothing is asked until then"
                )
        raise InputError(f"{name}: is redirected again and again; check the url")

    def _judged(self, response: requests.Response, conditional: bool, name: str) -> Answer | _Fault:
        code = response.status_code
        if code in _NO_TILE:
            return Answer(None)
        if code == 304 and conditional:
            return Answer(None, unchanged=True)
        if code in _PASSING:
            return _Fault(f"the answer was {_status(code)}", _retry_after_s(response))
        if code != 200:
            by_key = f"the key in {self._service.key_env} and " if self._service.key_env else ""
            raise InputError(
                f"{name}: refused with {_status(code)}; check {by_key}the service's terms and url. "
                "Nothing more was asked; what came is kept"
            )
        data = self._body(response, name)
        if isinstance(data, _Fault):
            return data
        if not data:
            return Answer(None)
        fault = self._lie(data, response.headers.get("Content-Type", "no type"), name)
        return fault or Answer(
            data, response.headers.get("ETag"), response.headers.get("Last-Modified")
        )

    def _body(self, response: requests.Response, name: str) -> bytes | _Fault:
        """All of it, within limits of bytes and time."""
        packed = response.headers.get("Content-Encoding", "identity").lower()
        if packed not in ("identity", "gzip"):  # gzip grows a thousandfold, others without limit
            raise InputError(
                f"{name}: came compressed though it was asked for as it is; check the url"
            )
        # No tile of 8 bits and four bands is larger, not even uncompressed.
        limit = max_tile_bytes(self._service.tile_px)
        data = bytearray()
        end_s = time.monotonic() + WHOLE_S
        # read1: whatever came, so that a server that sends byte by byte meets the deadline.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            data += chunk
            if len(data) > limit:
                raise InputError(
                    f"{name}: more than {limit >> 10} KiB came, too much for a tile of "
                    f"{self._service.tile_px} px; check the url and tile_px"
                )
            if time.monotonic() > end_s:
                return _Fault(f"the answer was not whole after {WHOLE_S:.0f} s")
        said = response.headers.get("Content-Length", "")
        if said.isdigit() and int(said) > response.raw.tell():
            return _Fault("the answer was cut off")
        return bytes(data)

    def _lie(self, data: bytes, content_type: str, name: str) -> _Fault | None:
        """What is wrong with a body; half a picture may come whole the next time."""
        tile_px = self._service.tile_px
        size = picture_size(data)
        if size is None and data.startswith(_PICTURE_STARTS):
            return _Fault("half a picture came")
        if size is None:
            kind = "".join(c for c in content_type[:40] if c.isprintable())
            raise InputError(
                f"{name}: something else than a JPEG, PNG or WebP picture came ({kind}); check "
                "the url, and whether the service or this network wants a login"
            )
        if size != (tile_px, tile_px):
            raise InputError(
                f"{name}: is {size[0]}x{size[1]} px where tile_px is {tile_px}; correct that in "
                "the service's file"
            )
        decode_tile(data, name)
        return None

    def _redirected(self, url: str, location: str, name: str) -> str:
        try:
            there = urljoin(url, location)
            here, target = urlsplit(url), urlsplit(there)
            secured = here.scheme == "http" and target.scheme == "https"
            same = target.hostname == here.hostname and (
                secured or (target.scheme, target.port) == (here.scheme, here.port)
            )
        except ValueError:
            raise InputError(f"{name}: is redirected to no address at all; check the url") from None
        if target.scheme not in ("http", "https") or (self._key is not None and not same):
            raise InputError(
                f"{name}: is redirected to another server ({target.scheme}://{target.hostname}), "
                "which the key must not reach; give its address as the url if you trust it"
            )
        return there

    def _session(self) -> requests.Session:
        """One for each thread: they share none of requests' state."""
        if not hasattr(self._local, "session"):
            session = _Session()
            contact = f"; {self._service.contact}" if self._service.contact else ""
            session.headers["User-Agent"] = f"Pilotage/{_version()} (map builder{contact})"
            session.headers["Accept-Encoding"] = "identity"
            session.headers["Accept"] = "image/webp,image/png,image/jpeg"
            if self._service.key_header and self._key:
                session.headers[self._service.key_header] = self._key
            self._local.session = session
        session = self._local.session
        assert isinstance(session, requests.Session)
        return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always: `_redirected` judges where to. Requests would read the whole body of a
        redirect and stumble over its address even when told not to follow it."""


def max_tile_bytes(tile_px: int) -> int:
    return 4 * tile_px**2 + (64 << 10)  # four bands, and what is written about the picture


def _status(code: int) -> str:
    # The server's own words could be anything, the key among it.
    known = {s.value: s.phrase for s in http.HTTPStatus}
    return f"{code} {known.get(code, '')}".rstrip()


def _retry_after_s(response: requests.Response) -> float:
    """RFC 9110, 10.2.3: seconds, or a date."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _certificate_fault(error: BaseException) -> str:
    """What the certificate fails at, '' when it is something else."""
    seen: list[BaseException] = [error]
    while seen:
        cause = seen.pop()
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        inner = (*cause.args, getattr(cause, "reason", None))
        seen += [e for e in inner if isinstance(e, BaseException)]
    return ""


def _system_reason(error: BaseException) -> str:
    """Of the innermost system error; never an address."""
    seen: list[BaseException] = [error]
    while seen:
        cause = seen.pop()
        if isinstance(cause, http.client.RemoteDisconnected):
            return "it closed the connection"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        inner = (*cause.args, getattr(cause, "reason", None), cause.__context__)
        seen += [e for e in inner if isinstance(e, BaseException)]
    return type(error).__name__


def _version() -> str:
    try:
        return version("pilotage")
    except PackageNotFoundError:
        return "0"
