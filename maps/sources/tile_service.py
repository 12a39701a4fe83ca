"""Imagery of a tile service: first all tiles of the area are fetched into the cache, then
they are read from there as those of any file."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from maps.in_order import in_order
from maps.plan import tile_range
from maps.progress import progress_s
from maps.sources.area_tiles import tiles_touching
from maps.sources.pace import Stopped
from maps.sources.service_file import ServiceFile, load_service
from maps.sources.source import WORLD_M
from maps.sources.tile_cache import Known, TileCache
from maps.sources.tile_client import TileClient, max_tile_bytes
from maps.sources.tile_source import TileSource
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX, Picture

PROBE_TILES = 64  # spread over the area; when none of them exists, no more are asked for
SUSPECT_TILES = 16  # so many of the same bytes may be a picture that says "no imagery"
USUAL_TILE_BYTES = 40_000  # of 256 px, as common services send them
DAY_S = 86_400.0

Position = tuple[int, int]


class ServiceStore:
    """The cached tiles of one service, for one area."""

    def __init__(self, path: Path, service: ServiceFile, area: BaseGeometry) -> None:
        """Raises InputError as `TileCache` does."""
        self.path, self.levels, self.area = path, service.zooms, area
        self._service = service
        asked = (service.url, service.scheme.value, service.layer, service.style)
        more = (service.matrix_set, service.matrix, service.format, service.tile_px)
        mark = hashlib.sha256(repr((*asked, *more)).encode()).hexdigest()[:12]
        assert service.cache is not None
        self._cache = TileCache(service.cache / f"{path.stem}-{mark}.tiles")

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        found = self._cache.tile(level, x, y)
        return None if found is None or found[0] in self._service.blank_sha256 else found[1]

    def fetch(self, zoom: int, level: int) -> None:
        """Asks for the tiles of a zoom that make those of the level, where they are not known.

        Raises InputError as `TileClient` does, and when there is no tile at all.
        """
        wanted = self._wanted(zoom, level)
        if not self._missing(zoom, wanted):
            return
        with self._cache.alone():
            missing = self._missing(zoom, wanted)  # another process may have been at it
            if not missing:
                return
            client = TileClient(self._service, self._key())
            self._tell(zoom, len(missing), len(wanted))
            probe = missing[:: max(1, len(missing) // PROBE_TILES)][:PROBE_TILES]
            rest = sorted(set(missing) - set(probe), key=lambda p: (p[1], p[0]))
            known = self._cache.known(zoom)
            with tqdm(
                total=len(missing), desc="fetch", unit="tile", mininterval=progress_s()
            ) as bar:
                for part in (probe, rest):
                    self._ask(client, zoom, part, known, bar)
                    self._check_any(zoom, wanted)

    def warn_of_blanks(self, zoom: int, level: int) -> None:
        """Says how many tiles the service does not have, and which bytes came for many."""
        known = self._cache.known(zoom)
        wanted = self._wanted(zoom, level)
        holes = sum(p in known and known[p].sha256 is None for p in wanted)
        if holes:
            print(
                f"{self._service.name}: {self._service.host} has none of {holes} of {len(wanted)} "
                f"tiles of zoom {zoom}; to ask for them again remove {self._cache.path}, or set "
                f"refresh_days in {self.path}",
                file=sys.stderr,
            )
        digests = Counter(known[p].sha256 for p in wanted if p in known and known[p].sha256)
        for digest, count in digests.most_common(3):
            if count >= SUSPECT_TILES and digest not in self._service.blank_sha256:
                print(
                    f"{self._service.name}: {count} of {len(wanted)} tiles are the same picture; "
                    f"if it only says that there is nothing, add '{digest}' to blank_sha256 in "
                    f"{self.path}",
                    file=sys.stderr,
                )

    def mark(self, zoom: int, x0: int, y0: int, x1: int, y1: int) -> str:
        """Of the tiles' content."""
        known = self._cache.known(zoom, (x0, y0, x1, y1))
        rows = sorted((y, x, k.sha256) for (x, y), k in known.items())
        return hashlib.sha256(repr((rows, self._service.blank_sha256)).encode()).hexdigest()

    def _wanted(self, zoom: int, level: int) -> list[Position]:
        """A coarser level's tiles are whole at the area's edge: so are these."""
        base = min(zoom, level)
        count = 1 << (zoom - base)
        most = self._service.max_tiles
        touching = tiles_touching(self.area, base)
        found = list(itertools.islice(touching, most // count**2 + 1))
        if len(found) * count**2 > most:
            raise InputError(
                f"{self.path}: the area has more than {most:,} tiles of zoom {zoom}; give a "
                "smaller area or coarser levels, or raise max_tiles if the service's terms allow it"
            )
        tiles = [
            (x * count + i, y * count + j)
            for x, y in found
            for j, i in itertools.product(range(count), range(count))
        ]
        return sorted(tiles, key=lambda p: (p[1], p[0]))

    def _missing(self, zoom: int, wanted: Sequence[Position]) -> list[Position]:
        """Not known, or known for too long."""
        known = self._cache.known(zoom)
        days = self._service.refresh_days
        oldest_s = 0.0 if days is None else time.time() - days * DAY_S
        return [p for p in wanted if p not in known or known[p].asked_s < oldest_s]

    def _ask(
        self,
        client: TileClient,
        zoom: int,
        tiles: Sequence[Position],
        known: dict[Position, Known],
        bar: tqdm,
    ) -> None:
        errors: list[BaseException] = []

        def one(tile: Position) -> None:
            has = known.get(tile)
            tags = (has.etag, has.modified) if has and has.sha256 else (None, None)
            try:
                answer = client.ask(zoom, *tile, *tags)
                self._cache.put(zoom, *tile, answer)
            except Stopped:
                raise
            except BaseException as e:
                errors.append(e)
                client.pace.stop()
                raise

        count = self._service.parallel
        with ThreadPoolExecutor(count) as pool:
            try:
                for _ in in_order(pool, one, tiles, ahead=2 * count):
                    bar.update(1)
            except Stopped:
                raise errors[0] from None
            except BaseException:
                client.pace.stop()
                raise

    def _check_any(self, zoom: int, wanted: Sequence[Position]) -> None:
        known = self._cache.known(zoom)
        if any(p in known and known[p].sha256 for p in wanted):
            return
        count = sum(p in known for p in wanted)
        self._cache.forget_holes(zoom)
        raise InputError(
            f"{self.path}: {self._service.host} has none of {count} tiles of zoom {zoom} all over "
            "the area; check url, scheme, levels and the area"
        )

    def _tell(self, zoom: int, missing: int, wanted: int) -> None:
        tile_px = self._service.tile_px
        most_mb = missing * max_tile_bytes(tile_px) / 1e6
        usual_mb = missing * USUAL_TILE_BYTES * (tile_px / 256) ** 2 / 1e6
        print(
            f"{self._service.name}: asks {self._service.host} for {missing} tiles of zoom {zoom}, "
            f"about {usual_mb:.1f} MB and at most {most_mb:.0f}, for at least "
            f"{missing / self._service.requests_per_s:.0f} s; {wanted - missing} are in "
            f"{self._cache.path}",
            file=sys.stderr,
        )

    def _key(self) -> str | None:
        name = self._service.key_env
        if name is None:
            return None
        key = os.environ.get(name, "").strip()
        if not key:
            raise InputError(
                f"{self.path}: the environment variable {name} holds no key; set it to yours"
            )
        if not (key.isascii() and key.isprintable()):
            raise InputError(
                f"{self.path}: the key in {name} has characters that cannot be sent; set it again"
            )
        return key


class ServiceSource(TileSource):
    """A tile service. Fetches what a level needs before it is first read."""

    def __init__(self, path: Path, area: BaseGeometry) -> None:
        """Raises InputError as `load_service` and `ServiceStore` do."""
        service = load_service(path)
        self._fetched = ServiceStore(path, service, area)
        bounds_m = _bounds_m(area)
        super().__init__(self._fetched, (path,), service.date, service.tile_px, bounds_m)
        self.name = service.name or path.stem
        self.licence, self.attribution = service.licence, service.attribution
        self.sigma_m = service.sigma_m
        self._lock = threading.Lock()
        self._ready: set[int] = set()

    def prepare(self, level: int) -> None:
        with self._lock:
            self._fetch(level)
            self._fetched.warn_of_blanks(self.zoom_for(level), level)

    def mark(self, level: int, bounds_m: tuple[float, float, float, float]) -> str:
        zoom = self.zoom_for(level)
        return self._fetched.mark(zoom, *tile_range(bounds_m, zoom))

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        with self._lock:
            self._fetch(level)
        return super().read(level, x, y, width, height)

    def _fetch(self, level: int) -> None:
        if level not in self._ready:
            self._fetched.fetch(self.zoom_for(level), level)
            self._ready.add(level)


def open_tile_service(path: Path, area: BaseGeometry | None) -> ServiceSource:
    """Asks for nothing yet. Raises InputError as `ServiceSource` does, and without an area."""
    if area is None:
        raise InputError(
            f"{path}: a tile service has no end; give the area to map with --area or --mission"
        )
    return ServiceSource(path, area)


def _bounds_m(area: BaseGeometry) -> tuple[float, float, float, float]:
    west, south, east, north = area.bounds
    xs, ys = latlon_to_pixel(np.array([south, north]), np.array([west, east]), 0)
    x_m, y_m = (xs / TILE_PX - 0.5) * WORLD_M, (0.5 - ys / TILE_PX) * WORLD_M
    return float(x_m[0]), float(y_m[0]), float(x_m[1]), float(y_m[1])
