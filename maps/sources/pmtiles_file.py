"""PMTiles version 3: map tiles in one file. The `pmtiles` library believes its input, so only
its header and its numbering are used; whatever is decompressed has a limit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

from pmtiles.tile import (
    Compression,
    MagicNumberNotFound,
    SpecVersionUnsupported,
    TileType,
    deserialize_header,
    zxy_to_tileid,
)

from maps.sources.decompress import BadCompression, decompressed
from maps.sources.pmtiles_directory import BrokenDirectory, read_directories
from maps.sources.tile_bounds import refuse_elsewhere
from maps.sources.tile_extent import TileExtent, extent_of
from maps.sources.tile_source import StoredTiles, plain_text
from onboard.errors import InputError
from onboard.pack.picture_header import MAX_TILE_BYTES

HEADER_BYTES = 127  # PMTiles specification, 3
MAX_DIRECTORY_BYTES = 16 << 20  # of one, decompressed: millions of entries
MAX_METADATA_BYTES = 16 << 20
_VECTOR = {TileType.MVT: "vector tiles (MVT)", TileType.MLT: "vector tiles (MLT)"}
_SECTIONS = ("root", "metadata", "leaf_directory", "tile_data")


class PMTilesFile:
    """Encoded tiles by zoom and XYZ position. Usable from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises InputError: unreadable, not PMTiles 3, vector tiles, damaged."""
        self.path = path
        try:
            self._file = path.open("rb")
            self._size = os.fstat(self._file.fileno()).st_size
            self._header = deserialize_header(self._bytes(0, HEADER_BYTES, HEADER_BYTES))
        except OSError as e:
            raise InputError(f"{path}: cannot be read ({e.strerror}); get the file again") from e
        except (MagicNumberNotFound, UnicodeDecodeError, IndexError) as e:
            raise InputError(f"{path}: not a PMTiles file; give another") from e
        except SpecVersionUnsupported as e:
            raise InputError(
                f"{path}: not PMTiles version 3; convert it with 'pmtiles convert'"
            ) from e
        except ValueError as e:
            raise self._broken(f"its header is wrong: {e}") from e
        self._check_header()
        root = self._section("root")
        leaves, leaves_bytes = self._span("leaf_directory")
        try:
            self._directory = read_directories(
                lambda offset, length: self._directory_bytes(leaves + offset, length),
                self._directory_bytes(*root),
                leaves_bytes,
                self._span("tile_data")[1],
            )
        except BrokenDirectory as e:
            raise self._broken(str(e)) from e
        self.levels = self._directory.levels()

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        if level not in self.levels or not (0 <= x < 1 << level and 0 <= y < 1 << level):
            return None
        found = self._directory.find(zxy_to_tileid(level, x, y))
        if found is None:
            return None
        begin, _ = self._span("tile_data")
        data = self._bytes(begin + found[0], found[1], MAX_TILE_BYTES)
        return self._decompressed(data, self._header["tile_compression"], MAX_TILE_BYTES)

    def deepest(self) -> TileExtent:
        """Of its finest tiles."""
        return extent_of(self.levels[-1], self._directory.blocks(self.levels[-1]))

    def attribution(self) -> str | None:
        """What the metadata says, without HTML."""
        offset, length = self._section("metadata")
        if length == 0:
            return None
        data = self._bytes(offset, length, MAX_METADATA_BYTES)
        how = self._header["internal_compression"]
        try:
            metadata = json.loads(self._decompressed(data, how, MAX_METADATA_BYTES))
        except (ValueError, RecursionError):
            return None
        return plain_text(metadata.get("attribution")) if isinstance(metadata, dict) else None

    def said_box(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees, as the header has them; all 0 where unsaid."""
        header = cast(dict[str, int], self._header)
        west, south, east, north = (
            header[f"{key}_e7"] / 1e7 for key in ("min_lon", "min_lat", "max_lon", "max_lat")
        )
        return west, south, east, north

    def _check_header(self) -> None:
        kind = self._header["tile_type"]
        if kind in _VECTOR:
            raise InputError(
                f"{self.path}: holds {_VECTOR[kind]}, not pictures; give a raster PMTiles file"
            )
        if kind is TileType.AVIF:
            raise InputError(f"{self.path}: holds AVIF pictures; convert them to JPEG, PNG or WebP")
        for name in _SECTIONS:
            self._section(name)

    def _section(self, name: str) -> tuple[int, int]:
        offset, length = self._span(name)
        if offset + length > self._size:
            raise self._broken(
                f"its {name.replace('_', ' ')} would end at byte {offset + length:,} of "
                f"{self._size:,}"
            )
        return offset, length

    def _span(self, name: str) -> tuple[int, int]:
        header = cast(dict[str, int], self._header)
        return header[f"{name}_offset"], header[f"{name}_length"]

    def _directory_bytes(self, offset: int, length: int) -> bytes:
        data = self._bytes(offset, length, MAX_DIRECTORY_BYTES)
        return self._decompressed(data, self._header["internal_compression"], MAX_DIRECTORY_BYTES)

    def _bytes(self, offset: int, length: int, limit: int) -> bytes:
        if length > limit:
            raise self._broken(f"a part would be of {length >> 20:,} MiB")
        # pread, not seek and read: threads share the file.
        return os.pread(self._file.fileno(), length, offset)

    def _decompressed(self, data: bytes, how: Compression, limit: int) -> bytes:
        try:
            return decompressed(data, how, limit)
        except BadCompression as e:
            raise self._broken(str(e)) from e

    def _broken(self, clause: str) -> InputError:
        return InputError(f"{self.path}: a damaged PMTiles file, {clause}; get it again")


def open_pmtiles(path: Path) -> StoredTiles:
    """Raises InputError as `PMTilesFile`, `StoredTiles` and `refuse_elsewhere` do."""
    store = PMTilesFile(path)
    source = StoredTiles(store, (path,), None, store.deepest())
    mend = "correct its header's bounds with 'pmtiles edit'"
    refuse_elsewhere(path, [store.said_box()], source.bounds_m, store.levels[-1], mend)
    source.attribution = store.attribution()
    return source
