"""Says while a build waits that nobody is left to do it, and ends it when nobody comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from maps.cluster.scheduler import GOES_ON
from onboard.errors import InputError

TOLD_AFTER_S = 10.0  # a worker that starts anew needs some seconds
WITHOUT_WORKERS_S = 120.0  # a cluster manager may be replacing them


class WorkerWatch:
    """Of one wait. The line goes to the error output, above the bar."""

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        """address: of the scheduler."""
        self._address = address
        self._clock = clock
        self._seen_s = clock()
        self._told = False

    def look(self, workers: int) -> None:
        """Raises InputError: there has been none for WITHOUT_WORKERS_S."""
        now_s = self._clock()
        if workers:
            self._seen_s, self._told = now_s, False
        elif now_s - self._seen_s > WITHOUT_WORKERS_S:
            raise InputError(
                f"no worker has been there for {WITHOUT_WORKERS_S:.0f} s; start some, "
                f"then {GOES_ON}"
            )
        elif now_s - self._seen_s >= TOLD_AFTER_S and not self._told:
            self._told = True
            tqdm.write(
                f"no worker is left; waiting {WITHOUT_WORKERS_S:.0f} s for one (start it with "
                f"'dask worker {self._address} --nthreads 1')",
                file=sys.stderr,
            )
