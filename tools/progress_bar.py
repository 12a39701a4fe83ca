"""A bar for work that reports (done, of)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tqdm import tqdm

from maps.progress import progress_s


@contextlib.contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """What to call with (done, of); the bar ends with the block."""
    with tqdm(desc=what, unit=unit, smoothing=0, mininterval=progress_s()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield show
