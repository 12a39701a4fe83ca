"""A flight's threads from the start to a clean end, watched by the main one.

Link, frames and publisher have a thread each and share one lock, held for quick steps only;
camera, recorder and status page bring their own. Whatever of these three fails or hangs ends
the flight with a sentence, and whoever started it (systemd) starts it anew: a companion that
is half alive is worse than one that is gone for a second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onboard.companion import Journal
from onboard.flight import Flight
from onboard.publish import PERIOD_NS
from onboard.recording.steps import Stopped
from onboard.runtime.frame_loop import FrameLoop
from onboard.runtime.link_reader import LinkReader
from onboard.runtime.publish_loop import PublishLoop
from onboard.runtime.systemd import notify
from onboard.runtime.worker import Worker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
WATCHDOG_EVERY_S = 1.0
# How long a thread may take for a step before the flight is ended. Frames: a map search over
# everything on the slowest machine takes some seconds; until then the publisher coasts.
LONGEST_STEP_S = {"frames": 20.0, "link": 3.0, "publisher": 3.0}
# Long enough for the takeover to give the receiver back (1 s) and read it back.
GOODBYE_TICKS, FAILED_GOODBYE_TICKS = 20, 3
LOCK_S = 1.0
JOIN_S = 2.0


@dataclass(frozen=True)
class Threads:
    """The loops of a flight, and the lock they share."""

    flight: Flight
    frames: FrameLoop
    link: LinkReader
    publisher: PublishLoop
    lock: threading.Lock


class LiveFlight:
    """Runs until it is asked to stop, the camera's recording ends, or something fails."""

    def __init__(self, threads: Threads, journal: Journal, report: Callable[[], str]) -> None:
        """report: called about once a second; passes the parts' health on, and gives the state in
        a few words."""
        self._threads = threads
        self._journal = journal
        self._report = report
        self._failed = threading.Event()
        self._frames = Worker("frames", threads.frames.step, self._failed)
        self._link = Worker("link", threads.link.step, self._failed)
        self._publisher = Worker("publisher", threads.publisher.step, self._failed)

    def run(self, stop: threading.Event) -> str:
        """Flies; returns why it ended when that is a failure, else ''."""
        workers = (self._link, self._publisher, self._frames)
        for worker in workers:
            worker.start()
        notify("READY=1")
        failure = "the flight was broken off"
        try:
            failure = self._watch(stop, workers)
        finally:
            notify("STOPPING=1")
            self._frames.ask_to_stop()
            self._publisher.ask_to_stop()
            self._publisher.join(JOIN_S)
            self._say_goodbye(FAILED_GOODBYE_TICKS if failure else GOODBYE_TICKS)
            self._link.ask_to_stop()
            for worker in workers:
                if not worker.join(JOIN_S):
                    log.warning("the thread '%s' did not end", worker.name)
        return failure

    def _watch(self, stop: threading.Event, workers: Sequence[Worker]) -> str:
        reported_s = 0.0
        while not stop.wait(LOOK_EVERY_S):
            if self._failed.is_set():
                return "; ".join(w.failure for w in workers if w.failure)
            for worker in workers:
                if worker.silent_s > LONGEST_STEP_S[worker.name]:
                    return f"the thread '{worker.name}' hangs since {worker.silent_s:.0f} s"
            if self._threads.frames.ended:
                log.info("the camera's recording was played to its end")
                return ""
            if time.monotonic() - reported_s >= WATCHDOG_EVERY_S:
                reported_s = time.monotonic()
                notify("WATCHDOG=1", f"STATUS={self._report()}")
        return ""

    def _say_goodbye(self, ticks: int) -> None:
        """The last messages say that there is no position; the link still listens, so that what
        was taken over is given back."""
        threads = self._threads
        for _ in range(ticks):
            if not threads.lock.acquire(timeout=LOCK_S):
                log.warning("the flight's lock was not free; no goodbye was sent")
                return
            try:
                now_ns = time.monotonic_ns()
                self._journal(Stopped(now_ns))  # type: ignore[arg-type]
                threads.flight.tick_without_position(now_ns)
            except Exception:  # what failed in flight fails here again
                log.exception("no goodbye was sent")
                return
            finally:
                threads.lock.release()
            time.sleep(PERIOD_NS * 1e-9)
