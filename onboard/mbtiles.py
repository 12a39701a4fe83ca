"""MBTiles 1.3: map tiles in one SQLite file, as QGIS and GDAL open it.

The file counts tile rows from the south (TMS); the functions here count from the north
(XYZ), as everything else in Pilotage does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from onboard.errors import InputError

# "MPBX", the application id that the MBTiles 1.3 specification registers with SQLite.
APPLICATION_ID = 0x4D504258
PAGE_BYTES = 8192  # holds most index pages' worth of a tile without waste; GDAL's is 4096
_SCHEMA = """
CREATE TABLE IF NOT EXISTS metadata (name TEXT, value TEXT);
CREATE TABLE IF NOT EXISTS tiles (
    zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS tile_index ON tiles (zoom_level, tile_column, tile_row);
"""


def _tms_row(level: int, y: int) -> int:
    return (1 << level) - 1 - y


class MBTiles:
    """Reads one file. Usable from any thread, but from one at a time."""

    def __init__(self, path: Path) -> None:
        """Raises InputError: no such file, not SQLite, no tiles inside."""
        self.path = path
        if not path.is_file():
            raise InputError(f"{path}: no such file; give an existing MBTiles file")
        # immutable: no lock and no journal beside the file, so read-only media work.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self.levels: tuple[int, ...] = tuple(
                int(row[0])
                for row in self._db.execute("SELECT DISTINCT zoom_level FROM tiles ORDER BY 1")
            )
        except (sqlite3.Error, TypeError, ValueError) as e:
            raise InputError(f"{path}: not an MBTiles file ({e}); get it again") from e

    def metadata(self) -> dict[str, str]:
        """The metadata table; empty where the file has none."""
        try:
            return {str(k): str(v) for k, v in self._db.execute("SELECT name, value FROM metadata")}
        except sqlite3.Error:
            return {}

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        """The encoded picture of XYZ tile (x, y), None where there is none.

        Raises InputError when the file is damaged.
        """
        try:
            row = self._db.execute(
                "SELECT tile_data FROM tiles WHERE zoom_level=? AND tile_column=? AND tile_row=?",
                (level, x, _tms_row(level, y)),
            ).fetchone()
        except sqlite3.Error as e:
            raise InputError(f"{self.path}: tile {level}/{x}/{y} cannot be read ({e})") from e
        return None if row is None else bytes(row[0])

    def positions(self, level: int) -> list[tuple[int, int]]:
        """(x, y) of every tile at a level, sorted by y, then x."""
        try:
            found = self._db.execute(
                "SELECT tile_column, tile_row FROM tiles WHERE zoom_level=?", (level,)
            ).fetchall()
        except sqlite3.Error as e:
            raise InputError(f"{self.path}: the tiles cannot be listed ({e})") from e
        return sorted(
            ((int(x), _tms_row(level, int(row))) for x, row in found), key=lambda p: (p[1], p[0])
        )

    def close(self) -> None:
        self._db.close()


class MBTilesWriter:
    """Writes one file; nothing counts until `commit`. Goes on with an existing file.

    sqlite3 errors (a full disk above all) pass through to the caller.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        # The page size only counts while the file is empty; the rest may have been begun.
        self._db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        self._db.executescript(_SCHEMA)

    def put(self, level: int, x: int, y: int, data: bytes) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?)", (level, x, _tms_row(level, y), data)
        )

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        row = self._db.execute(
            "SELECT tile_data FROM tiles WHERE zoom_level=? AND tile_column=? AND tile_row=?",
            (level, x, _tms_row(level, y)),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def metadata(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM metadata"))

    def set_metadata(self, rows: Mapping[str, str]) -> None:
        self._db.execute("DELETE FROM metadata")
        self._db.executemany("INSERT INTO metadata VALUES (?, ?)", rows.items())

    def __iter__(self) -> Iterator[tuple[int, int, int, bytes]]:
        """(level, x, y, data) of all tiles in a fixed order, whatever order they were put in."""
        for level, x, row, data in self._db.execute(
            "SELECT * FROM tiles ORDER BY zoom_level, tile_row DESC, tile_column"
        ):
            yield level, x, _tms_row(level, row), data

    def commit(self) -> None:
        self._db.commit()

    def close(self) -> None:
        self._db.close()
