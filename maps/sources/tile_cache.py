"""The answers of a tile service, on disk: each is there whole as soon as it came, so that a
killed build asks for nothing twice."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maps.sources.tile_client import Answer
from onboard.errors import InputError
from onboard.whole_file import make_folder

BUSY_S = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    zoom INTEGER, x INTEGER, y INTEGER, asked_s REAL, etag TEXT, modified TEXT, sha256 TEXT,
    data BLOB, PRIMARY KEY (zoom, x, y));
"""


@dataclass(frozen=True)
class Known:
    """An answer without its bytes. sha256: None for no tile."""

    asked_s: float
    etag: str | None
    modified: str | None
    sha256: str | None


class TileCache:
    """One SQLite file for one address template. Usable from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Raises InputError: the folder cannot be made or written, the file is damaged."""
        self.path = path
        make_folder(path.parent)
        self._lock = threading.Lock()
        with self._sentences():
            self._db = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
            self._db.executescript(_SCHEMA)

    def known(
        self, zoom: int, within: tuple[int, int, int, int] | None = None
    ) -> dict[tuple[int, int], Known]:
        """By (x, y); within: x0, y0 and behind x1, y1. All methods raise InputError when the
        file is damaged or the disk full."""
        x0, y0, x1, y1 = within or (0, 0, 1 << zoom, 1 << zoom)
        with self._sentences():
            rows = self._db.execute(
                "SELECT x, y, asked_s, etag, modified, sha256 FROM answers "
                "WHERE zoom=? AND x>=? AND x<? AND y>=? AND y<?",
                (zoom, x0, x1, y0, y1),
            ).fetchall()
        return {(x, y): Known(*row) for x, y, *row in rows}

    def tile(self, zoom: int, x: int, y: int) -> tuple[str, bytes] | None:
        """(sha256, data); None where there is no tile, or none was asked for."""
        with self._sentences():
            row = self._db.execute(
                "SELECT sha256, data FROM answers WHERE zoom=? AND x=? AND y=?", (zoom, x, y)
            ).fetchone()
        if row is None or row[0] is None:
            return None
        if hashlib.sha256(row[1]).hexdigest() != row[0]:
            raise self._damaged(f"tile {zoom}/{x}/{y} has changed")
        return row[0], row[1]

    def put(self, zoom: int, x: int, y: int, answer: Answer) -> None:
        """On disk when it returns."""
        place, now_s = (zoom, x, y), time.time()
        with self._sentences(), self._db:
            if answer.unchanged:
                self._db.execute(
                    "UPDATE answers SET asked_s=? WHERE zoom=? AND x=? AND y=?", (now_s, *place)
                )
                return
            row = (now_s, answer.etag, answer.modified, answer.sha256, answer.data)
            self._db.execute(
                "INSERT OR REPLACE INTO answers VALUES (?,?,?,?,?,?,?,?)", (*place, *row)
            )

    def forget_holes(self, zoom: int) -> None:
        """So that they are asked for again."""
        with self._sentences(), self._db:
            self._db.execute("DELETE FROM answers WHERE zoom=? AND sha256 IS NULL", (zoom,))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other process asks the service meanwhile."""
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as e:
                raise InputError(
                    f"{self.path}: the tiles cannot be kept ({e}); free the disk, or give another "
                    "folder with cache"
                ) from e
            except sqlite3.Error as e:
                raise self._damaged(str(e)) from e

    def _damaged(self, clause: str) -> InputError:
        return InputError(f"{self.path}: the kept tiles are damaged ({clause}); delete the file")
