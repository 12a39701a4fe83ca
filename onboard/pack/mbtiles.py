"""MBTiles 1.3: map tiles in one SQLite file, as QGIS and GDAL open it.

The file counts tile rows from the south (TMS); the functions here count from the north
(XYZ), as everything else in Pilotage does.

A file may come from anyone: a query may not take longer than its length allows (pages that name
one another can make a small file endless), no code in its schema is trusted, and values are of
the kind that they have to be.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.pack.pack_rules import FINEST_LEVEL
from onboard.pack.plain_text import made_plain

# "MPBX", the application id that the MBTiles 1.3 specification registers with SQLite.
APPLICATION_ID = 0x4D504258
PAGE_BYTES = 8192  # holds most index pages' worth of a tile without waste; GDAL's is 4096
ROW_BYTES = 8  # the least that a tile's place takes in the file
STEPS_PER_BYTE, STEPS_AT_LEAST = 10, 10_000_000  # SQLite's machine takes some 10 steps a row
STEPS_AT_ONCE = 100_000
MOST_TILE_BYTES = 64 << 20
MOST_SAID_CHARS = 200
_SCHEMA = """
CREATE TABLE IF NOT EXISTS metadata (name TEXT, value TEXT);
CREATE TABLE IF NOT EXISTS tiles (
    zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS tile_index ON tiles (zoom_level, tile_column, tile_row);
"""


# A longer one, or what is no blob, is told from a tile that is not there.
_TILE = """
SELECT CASE WHEN typeof(tile_data) = 'blob' AND length(tile_data) <= ?4 THEN tile_data END
FROM tiles WHERE zoom_level=?1 AND tile_column=?2 AND tile_row=?3
"""


def _tms_row(level: int, y: int) -> int:
    return (1 << level) - 1 - y


class MBTiles:
    """Reads one file. For any number of threads; one reads at a time."""

    def __init__(
        self, path: Path, of_pack: bool = False, check: Callable[[], None] = lambda: None
    ) -> None:
        """of_pack: the file has what `MBTilesWriter` makes and nothing else; views above all can
        stand for tables elsewhere. check: asked after a tile was read. Raises InputError: no such
        file, not SQLite, no tiles inside, not of a pack."""
        self.path = path
        self._check = check
        self._lock = threading.Lock()  # a query and its rows belong together
        if not path.is_file():
            raise InputError(f"{path}: no such file; give an existing MBTiles file")
        # immutable: no lock and no journal beside the file, so read-only media work.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            size = path.stat().st_size
            self._most_rows = 1 + size // ROW_BYTES
            self._most_steps = STEPS_AT_LEAST + STEPS_PER_BYTE * size
            self._steps = 0
            self._db.set_progress_handler(self._goes_on_too_long, STEPS_AT_ONCE)
            self._db.execute("PRAGMA trusted_schema=OFF")
            if of_pack and _schema_of(self._db) != _own_schema():
                raise ValueError("its tables are not those of a map pack")
            levels = self._rows("SELECT DISTINCT zoom_level FROM tiles ORDER BY 1")
            self.levels: tuple[int, ...] = tuple(int(level) for (level,) in levels)
        except (sqlite3.Error, TypeError, ValueError, OSError) as e:
            raise InputError(f"{path}: not an MBTiles file ({_said(e)}); get it again") from e
        if not all(0 <= level <= FINEST_LEVEL for level in self.levels):
            raise InputError(f"{path}: has a level that no map has; get it again")

    def _goes_on_too_long(self) -> bool:
        self._steps += STEPS_AT_ONCE
        return self._steps > self._most_steps

    def _rows(self, query: str, values: tuple[int, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            self._steps = 0
            # fetchmany takes a C int: of a file beyond 16 GiB more rows may be allowed.
            rows = list(islice(self._db.execute(query, values), self._most_rows + 1))
        if len(rows) > self._most_rows:
            raise sqlite3.DatabaseError("more rows than its length can hold")
        return rows

    def metadata(self) -> dict[str, str]:
        """The metadata table; empty where the file has none."""
        try:
            rows = self._rows("SELECT name, value FROM metadata")
            return {str(k): str(v) for k, v in rows}
        except sqlite3.Error:
            return {}

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        """The encoded picture of XYZ tile (x, y), None where there is none.

        Raises InputError when the file is damaged; and what `check` raises.
        """
        try:
            rows = self._rows(_TILE, (level, x, _tms_row(level, y), MOST_TILE_BYTES))
        except sqlite3.Error as e:
            raise InputError(
                f"{self.path}: tile {level}/{x}/{y} cannot be read ({_said(e)})"
            ) from e
        self._check()
        if not rows:
            return None
        if not isinstance(rows[0][0], bytes):
            raise InputError(f"{self.path}: tile {level}/{x}/{y} is no picture; get the file again")
        return rows[0][0]

    def positions(self, level: int) -> list[tuple[int, int]]:
        """(x, y) of every tile at a level, sorted by y, then x. Raises InputError: the file is
        damaged, a tile lies outside the level."""
        try:
            rows = self._rows(
                "SELECT tile_column, tile_row FROM tiles WHERE zoom_level=?", (level,)
            )
            found = [(int(x), _tms_row(level, int(row))) for x, row in rows]
        except (sqlite3.Error, TypeError, ValueError) as e:
            raise InputError(f"{self.path}: the tiles cannot be listed ({_said(e)})") from e
        if found and not 0 <= min(map(min, found)) <= max(map(max, found)) < 1 << level:
            raise InputError(f"{self.path}: has a tile outside level {level}; get the file again")
        return sorted(found, key=lambda p: (p[1], p[0]))

    def close(self) -> None:
        self._db.close()


def _said(error: Exception) -> str:
    """SQLite quotes what it can't read."""
    return made_plain(str(error), MOST_SAID_CHARS)


def _schema_of(db: sqlite3.Connection) -> set[tuple[Any, ...]]:
    return set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _own_schema() -> frozenset[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_SCHEMA)
        return frozenset(_schema_of(db))


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
