"""A cell store: finished cells in a folder or an object store, whatever fsspec opens.

`store.json` says what the cells are of; `z{R}-{x}-{y}/` holds a cell's files and, for each of
its two steps, a mark that is written last: key (what the files were made from), sizes and
hashes. Files appear whole: renamed on a disk, put in one piece on an object store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from maps.cells.cell import Cell
from onboard.errors import InputError
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    ImagerySource,
    PackFile,
    PackModel,
    TerrainSource,
    without_nones,
)
from onboard.settings import settings_from_table
from onboard.whole_file import write_whole

STORE_FORMAT = 1
STORE_NAME = "store.json"
LOCK_NAME = "lock"
SCRATCH_NAME = "scratch"
TILES_NAME = "tiles.npz"


class Step(str, Enum):
    """What is done to a cell; the value names the mark's file."""

    LAY = "laid"
    DESCRIBE = "described"


@dataclass(frozen=True)
class StoreHeader:
    """finished: every cell is of the imagery named; not so while a build is at work."""

    format: int
    root_level: int
    levels: tuple[int, ...]
    model: PackModel
    imagery: tuple[ImagerySource, ...]
    finished: bool
    terrain: TerrainSource | None = None


@dataclass(frozen=True)
class CellMark:
    """files: of one step, by names within the cell. counts: (level, tiles) of it. edges: of
    imagery, hashes of the tiles along its western edge, its northern one, and in their corner,
    which the neighbours' half-step tiles reach over; '' where there are none."""

    key: str
    files: tuple[PackFile, ...]
    counts: tuple[tuple[int, int], ...]
    edges: tuple[str, str, str] = ("", "", "")

    @property
    def count(self) -> int:
        return sum(count for _, count in self.counts)

    def file(self, name: str) -> PackFile | None:
        return next((f for f in self.files if f.path == name), None)


class CellStore:
    """Cheap to make, safe to send to another process. OSError passes through."""

    def __init__(self, url: str) -> None:
        """url: a path, or one that fsspec knows: file://, memory://, s3://... Raises
        InputError: an unknown kind of address, a package missing for it."""
        self.url = url
        try:
            # fsspec would take a path's '::' for one file system within another.
            self._files, root = (
                fsspec.core.url_to_fs(url)
                if "://" in url
                else (LocalFileSystem(), str(Path(url).absolute()))
            )
        except (ValueError, ImportError) as e:
            raise InputError(f"--store {url}: {e}; give a folder or another address") from e
        self._root = root.rstrip("/")
        self.folder = Path(self._root) if isinstance(self._files, LocalFileSystem) else None

    def __reduce__(self) -> tuple[type[CellStore], tuple[str]]:
        return CellStore, (self.url,)

    def header(self) -> StoreHeader | None:
        """None when there is no store yet. Raises InputError: not a store, another format."""
        text = self._read(STORE_NAME)
        if text is None:
            return None
        where = f"{self.url}: {STORE_NAME}"
        table = _table(text, where)
        if table.get("format") != STORE_FORMAT:
            raise InputError(
                f"{where}: format is {table.get('format')!r}, this Pilotage reads {STORE_FORMAT}; "
                "make the store again in another place"
            )
        return settings_from_table(table, StoreHeader, where)

    def put_header(self, header: StoreHeader) -> None:
        self._write(STORE_NAME, _text(without_nones(dataclasses.asdict(header))))

    def cells(self) -> set[Cell]:
        """All that have anything."""
        with contextlib.suppress(FileNotFoundError):
            self._files.invalidate_cache()
            names = (
                str(p).rstrip("/").rpartition("/")[2] for p in self._files.ls(self._root, False)
            )
            return {cell for cell in map(Cell.named, names) if cell is not None}
        return set()

    def mark(self, cell: Cell, step: Step) -> CellMark | None:
        """None when the step is not done. Raises InputError when the mark is damaged."""
        name = f"{cell.name}/{step.value}.json"
        text = self._read(name)
        if text is None:
            return None
        where = f"{self.url}: {name}"
        return settings_from_table(_table(text, where), CellMark, where)

    def held(self, cell: Cell, step: Step, key: str) -> CellMark | None:
        """The mark of a step done from what the key says; None when it is to be done. On a disk
        its files must be there at their full length. Raises InputError: a damaged mark."""
        mark = self.mark(cell, step)
        if mark is None or mark.key != key:
            return None
        if self.folder is not None:
            for file in mark.files:
                path = self.folder / cell.name / file.path
                if not path.is_file() or path.stat().st_size != file.size:
                    return None
        return mark

    def put(
        self,
        cell: Cell,
        step: Step,
        key: str,
        files: list[Path],
        counts: dict[int, int],
        edges: tuple[str, str, str] = ("", "", ""),
    ) -> CellMark:
        """Takes a step's files in (they may be moved away), then its mark. What the step left
        before goes first: a mark never stands beside files that are not its own."""
        described = tuple(describe_file(file.parent, file.name) for file in files)
        mark = CellMark(key, described, tuple(sorted(counts.items())), edges)
        old = self.mark(cell, step)
        if old == mark:  # another build made the same meanwhile, and may be reading it
            return mark
        if old is not None:
            self._remove(f"{cell.name}/{step.value}.json")
            for name in {f.path for f in old.files} - {f.name for f in files}:
                self._remove(f"{cell.name}/{name}")
        for file in files:
            self._take(file, f"{cell.name}/{file.name}")
        self._write(f"{cell.name}/{step.value}.json", _text(dataclasses.asdict(mark)))
        return mark

    def remove(self, cell: Cell) -> None:
        with contextlib.suppress(FileNotFoundError):
            for step in Step:  # no mark may stand without its files
                self._remove(f"{cell.name}/{step.value}.json")
            self._files.rm(f"{self._root}/{cell.name}", recursive=True)

    def remove_step(self, cell: Cell, step: Step) -> None:
        held = self.mark(cell, step)
        self._remove(f"{cell.name}/{step.value}.json")
        for file in held.files if held is not None else ():
            self._remove(f"{cell.name}/{file.path}")

    def local(self, cell: Cell, expected: PackFile, scratch: Path) -> Path:
        """Where a file of a cell can be read, copied into scratch, once, from a distant store.

        Raises InputError when it is missing or not as its mark says.
        """
        name = f"{cell.name}/{expected.path}"
        again = "remove that folder and give the build command again"
        try:
            if self.folder is not None:
                path = self.folder / name
            else:
                path = scratch / cell.name / expected.path
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists() or describe_file(path.parent, path.name) != expected:
                    # Several threads may want it: each copies for itself, none sees half. In one
                    # piece: an opened file of fsspec's memory:// has one position for all.
                    copy = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
                    copy.write_bytes(self._files.cat_file(f"{self._root}/{name}"))
                    copy.replace(path)
            found = describe_file(path.parent, path.name)
        except FileNotFoundError as e:
            raise InputError(f"{self.url}: {name} is missing; {again}") from e
        if found != expected:
            raise InputError(f"{self.url}: {name} is not as its mark says; {again}")
        return path

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for a step's work: beside the cells of a store on a disk, so that files need
        only be renamed."""
        if self.folder is None:
            with tempfile.TemporaryDirectory(prefix="pilotage-") as name:
                yield Path(name)
            return
        folder = self.folder / SCRATCH_NAME / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second build out of a store on a disk, and clears what a killed one left. On
        an object store two builds may work: they put the same files.

        Raises InputError when another build is at work.
        """
        if self.folder is None:
            yield
            return
        if self.folder.is_dir() and self.header() is None:
            begun = {LOCK_NAME, SCRATCH_NAME}
            if {child.name for child in self.folder.iterdir()} - begun:
                raise InputError(
                    f"{self.folder}: exists and is no cell store; move it or give another --store"
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK_NAME).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                raise InputError(
                    f"{self.folder}: another build is at work on it; wait for it or stop it"
                ) from e
            shutil.rmtree(self.folder / SCRATCH_NAME, ignore_errors=True)
            yield

    def digest(self, cells: list[Cell]) -> str:
        """Of what the cells hold: the same digest, the same pack."""
        marks = [(c.name, self.mark(c, Step.LAY), self.mark(c, Step.DESCRIBE)) for c in cells]
        return hashlib.sha256(repr(marks).encode()).hexdigest()

    def _read(self, name: str) -> str | None:
        try:
            data: bytes = self._files.cat_file(f"{self._root}/{name}")
            return data.decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError as e:
            raise InputError(f"{self.url}: {name} is damaged ({e}); remove it") from e

    def _write(self, name: str, text: str) -> None:
        if self.folder is None:
            self._files.pipe_file(f"{self._root}/{name}", text.encode())
            return
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.scratch() as scratch:  # of its own: a worker of a stopped build may write too
            write_whole(scratch / target.name, text)
            (scratch / target.name).replace(target)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def _take(self, file: Path, name: str) -> None:
        if self.folder is None:  # in one piece: another build may be reading the same
            self._files.pipe_file(f"{self._root}/{name}", file.read_bytes())
            return
        target = self.folder / name
        target.parent.mkdir(exist_ok=True)
        with file.open("rb") as held:
            os.fsync(held.fileno())
        file.replace(target)


def _table(text: str, where: str) -> dict[str, object]:
    try:
        table = json.loads(text)
    except ValueError as e:
        raise InputError(f"{where}: not valid JSON ({e}); remove it and build again") from e
    if not isinstance(table, dict):
        raise InputError(f"{where}: not what a cell store writes; remove it and build again")
    return table


def _text(table: dict[str, object]) -> str:
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"
