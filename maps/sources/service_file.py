"""The TOML file that describes a tile service: where its tiles are, how fast it may be asked,
what its imagery is. The key never stands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from maps.imagery_date import ACCEPTED, is_imagery_date
from onboard.errors import nearest_known
from onboard.pack.map_error import check_map_sigma
from onboard.settings import load_settings

MAX_PARALLEL = 8
MAX_REQUESTS_PER_S = 100.0
MAX_ZOOM = 24
PLACEHOLDERS = ("z", "x", "y", "-y", "q", "s", "key")
WMTS_PLACEHOLDERS = (
    *("tilematrix", "tilerow", "tilecol", "tilematrixset", "layer", "style", "key", "s"),
)
# Names that registries and common servers give to Web Mercator's tile matrix set.
_MERCATOR = re.compile(
    r"3857|900913|3785|102100|googlemapscompatible|web_?mercator|(\b|/)PM(_\d+_\d+)?(\b|/|$)", re.I
)
_KEY_NAMES = re.compile(r"(api|access|subscription)?[-_]?(key|token)|appid|secret|password", re.I)


class Scheme(Enum):
    """How rows are counted and tiles are asked for."""

    XYZ = "xyz"
    TMS = "tms"
    WMTS = "wmts"


@dataclass(frozen=True)
class ServiceFile:
    """url: a template with {z}, {x}, {y} ({-y} from the south), or {q} (quadkey); with
    {TileMatrix}, {TileRow}, {TileCol} for WMTS, or bare, to be asked by key and value; {s} one
    of subdomains; {key} the value of the environment variable key_env, which may also go into
    the header key_header. levels: zooms there are, as 15-19. sigma_m: how far the
    imagery is off, 1 sigma per axis. max_tiles: of one build.
    refresh_days: after so many a tile is asked for again, if it changed. cache: folder,
    relative to the file. blank_sha256: of tiles that only say that there is nothing.
    """

    url: str
    levels: str
    scheme: Scheme = Scheme.XYZ
    name: str | None = None
    date: str | None = None
    licence: str | None = None
    attribution: str | None = None
    sigma_m: float | None = None
    key_env: str | None = None
    key_header: str | None = None
    contact: str | None = None
    requests_per_s: float = 4.0
    parallel: int = 2
    max_tiles: int = 100_000
    refresh_days: float | None = None
    cache: Path | None = None
    tile_px: int = 256
    subdomains: tuple[str, ...] = ()
    layer: str | None = None
    style: str = "default"
    matrix_set: str | None = None
    matrix: str = "{z}"
    format: str = "image/jpeg"
    web_mercator: bool = False
    blank_sha256: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_url(self)
        _check_limits(self)
        found = self.placeholders
        if self.scheme is Scheme.WMTS:
            _check_wmts(self)
        elif not ("q" in found or ({"z", "x"} <= found and found & {"y", "-y"})):
            raise ValueError("url: needs {z}, {x} and {y}, or {q}")
        if self.scheme is Scheme.TMS and "-y" in found:
            raise ValueError("url: {-y} counts from the south already; leave scheme out")
        if ("s" in found) != bool(self.subdomains):
            raise ValueError("{s} in the url and subdomains go together; give both or neither")
        in_use = "key" in found or self.key_header is not None
        if in_use != (self.key_env is not None):
            raise ValueError(
                "key_env goes together with {key} in the url or with key_header; give both"
            )

    @property
    def placeholders(self) -> frozenset[str]:
        """Lower case, without braces."""
        return frozenset(p.lower() for p in re.findall(r"{([^{}]*)}", self.url))

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def zooms(self) -> tuple[int, ...]:
        low, _, high = self.levels.partition("-")
        return tuple(range(int(low), int(high or low) + 1))


def load_service(path: Path) -> ServiceFile:
    """Raises InputError: unreadable, unknown key, anything that cannot be."""
    service = load_settings(path, ServiceFile)
    folder = path.parent if service.cache is None else path.parent / service.cache
    return replace(service, cache=folder, name=service.name or path.stem)


def _check_url(service: ServiceFile) -> None:
    parts = urlsplit(service.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url: must begin with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise ValueError("url: holds a user and password; take them out")
    if re.sub(r"{s}", "", parts.netloc, flags=re.I).count("{"):
        raise ValueError("url: only {s} may stand in the host")
    known = WMTS_PLACEHOLDERS if service.scheme is Scheme.WMTS else PLACEHOLDERS
    for name in sorted(service.placeholders - set(known)):
        raise ValueError(f"url: unknown placeholder {{{name}}}; {nearest_known(name, known)}")
    for name, value in parse_qsl(parts.query):
        if _KEY_NAMES.fullmatch(name) and "{" not in value:
            raise ValueError(
                f"url: holds a key as '{name}'; put it into an environment variable, name that "
                f"with key_env, and write {name}={{key}}"
            )


def _check_limits(service: ServiceFile) -> None:
    found = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", service.levels)
    if not found or not int(found[1]) <= int(found[2] or found[1]) <= MAX_ZOOM:
        raise ValueError(f"levels: {service.levels!r} is not like 15-19, up to {MAX_ZOOM}")
    for name, value, most in (
        ("requests_per_s", service.requests_per_s, MAX_REQUESTS_PER_S),
        ("parallel", service.parallel, MAX_PARALLEL),
        ("max_tiles", service.max_tiles, 20_000_000),
        ("refresh_days", service.refresh_days, 36_500.0),
    ):
        if value is not None and not 0 < value <= most:
            raise ValueError(f"{name}: must lie between 0 and {most}")
    if service.sigma_m is not None:
        check_map_sigma("sigma_m", service.sigma_m)
    if service.tile_px not in (256, 512, 1024):
        raise ValueError("tile_px: must be 256, 512 or 1024")
    if service.date is not None and not is_imagery_date(service.date):
        raise ValueError(f"date: is no date; write it as {ACCEPTED}")
    for digest in service.blank_sha256:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError("blank_sha256: each is 64 digits 0-9, a-f")
    for name, text in (("contact", service.contact), ("key_header", service.key_header)):
        if text is not None and not re.fullmatch(r"[\x21-\x7e][\x20-\x7e]*", text):
            raise ValueError(f"{name}: only plain characters can be sent")


def _check_wmts(service: ServiceFile) -> None:
    needed = {"tilematrix", "tilerow", "tilecol"}
    if service.placeholders & needed:
        if missing := sorted(needed - service.placeholders):
            raise ValueError(f"url: a WMTS template needs {{{missing[0]}}} too")
    elif service.layer is None or service.matrix_set is None:
        raise ValueError("a WMTS url without {TileMatrix} needs layer and matrix_set")
    for placeholder, field in (("layer", "layer"), ("tilematrixset", "matrix_set")):
        if placeholder in service.placeholders and getattr(service, field) is None:
            raise ValueError(f"url: asks for {field}; give it")
    if "{z}" not in service.matrix:
        raise ValueError("matrix: names a level with {z}, as in EPSG:3857:{z}")
    if not service.web_mercator and not _MERCATOR.search(service.matrix_set or service.url):
        raise ValueError(
            f"matrix_set: {service.matrix_set!r} is not known as Web Mercator, the only one that "
            "can be used; if it is, say web_mercator = true"
        )
