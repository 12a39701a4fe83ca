"""Small files in a store's scratch folder, by which machines find out that they share it."""

from __future__ import annotations

import contextlib

import fsspec

from maps.cells.store import SCRATCH_NAME, CellStore


def leave(store: CellStore, name: str) -> None:
    """Puts an empty file there. OSError passes through."""
    files, root = fsspec.core.url_to_fs(store.url)
    with contextlib.suppress(FileExistsError):
        files.makedirs(f"{root}/{SCRATCH_NAME}", exist_ok=True)
    files.pipe_file(f"{root}/{SCRATCH_NAME}/{name}", b"here")


def left(store: CellStore, prefix: str) -> set[str]:
    """Names of the files there that begin so. OSError passes through."""
    files, root = fsspec.core.url_to_fs(store.url)
    files.invalidate_cache()
    with contextlib.suppress(FileNotFoundError):
        names = (
            str(p).rpartition("/")[2] for p in files.ls(f"{root}/{SCRATCH_NAME}", detail=False)
        )
        return {name for name in names if name.startswith(prefix)}
    return set()


def tidy(store: CellStore, prefix: str) -> None:
    """Takes those files away, where that can be done."""
    files, root = fsspec.core.url_to_fs(store.url)
    with contextlib.suppress(OSError):
        for name in left(store, prefix):
            files.rm_file(f"{root}/{SCRATCH_NAME}/{name}")
