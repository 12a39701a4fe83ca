"""The address of one tile of a service."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from maps.sources.service_file import Scheme, ServiceFile


def tile_address(service: ServiceFile, zoom: int, x: int, y: int, key: str | None) -> str:
    """Of XYZ tile (x, y), y counted from the north."""
    from_south = (1 << zoom) - 1 - y
    matrix = service.matrix.replace("{z}", str(zoom))
    values = {
        "z": str(zoom),
        "x": str(x),
        "y": str(from_south if service.scheme is Scheme.TMS else y),
        "-y": str(from_south),
        "q": quadkey(zoom, x, y),
        "s": service.subdomains[(x + y) % len(service.subdomains)] if service.subdomains else "",
        "key": quote(key or "", safe=""),
        "tilematrix": quote(matrix, safe=":"),
        "tilerow": str(y),
        "tilecol": str(x),
        "tilematrixset": quote(service.matrix_set or "", safe=":"),
        "layer": quote(service.layer or "", safe=":"),
        "style": quote(service.style, safe=":"),
    }
    url = re.sub(r"{([^{}]*)}", lambda found: values[found[1].lower()], service.url)
    if service.scheme is Scheme.WMTS and "tilematrix" not in service.placeholders:
        return _with_query(url, service, matrix, x, y)
    return url


def quadkey(zoom: int, x: int, y: int) -> str:
    """Microsoft's: one digit 0-3 a zoom, the bit of y before that of x."""
    return "".join(str((y >> bit & 1) << 1 | (x >> bit & 1)) for bit in reversed(range(zoom)))


def _with_query(url: str, service: ServiceFile, matrix: str, x: int, y: int) -> str:
    """OGC 07-057r7, 8.2: GetTile by key and value."""
    query = urlencode(
        {
            "SERVICE": "WMTS",
            "REQUEST": "GetTile",
            "VERSION": "1.0.0",
            "LAYER": service.layer,
            "STYLE": service.style,
            "FORMAT": service.format,
            "TILEMATRIXSET": service.matrix_set,
            "TILEMATRIX": matrix,
            "TILEROW": y,
            "TILECOL": x,
        },
        safe=":/",
    )
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))
