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

from onboard.flight import Flight
from onboard.publish import PERIOD_NS
from onboard.recording.steps import Ending, Noted, Stopped
from onboard.runtime.frame_loop import FrameLoop
from onboard.runtime.frame_tally import FrameTally
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
GIVE_BACK_TICKS = 30  # at most; a parameter is written and read back within 2 s
GOODBYE_TICKS = 5  # that there is no position: one of them arrives
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

    def __init__(
        self,
        threads: Threads,
        journal: Callable[[Noted], None],
        report: Callable[[], str],
        tally: FrameTally,
    ) -> None:
        """report: called about once a second; passes the parts' health on, and gives the state in
        a few words. tally: hears the flight's journal."""
        self._threads = threads
        self._journal = journal
        self._report = report
        self._tally = tally
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
        try:
            failure = self._watch(stop, workers)
        finally:
            notify("STOPPING=1")
            self._frames.ask_to_stop()
            self._publisher.ask_to_stop()
            self._publisher.join(JOIN_S)
            self._end()
            self._link.ask_to_stop()
            for worker in workers:
                if not worker.join(JOIN_S):
                    log.warning("the thread '%s' did not end", worker.name)
            self._tally.end()
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
                self._tally.look(reported_s)
        return ""

    def _end(self) -> None:
        """What was taken over is given back while the position still goes out; then the last
        messages say that there is none. The link still listens."""
        flight = self._threads.flight
        try:
            self._locked(self._begin_end)
            for _ in range(GIVE_BACK_TICKS):
                if not flight.takeover.is_held():
                    break
                self._locked(flight.companion.tick)
            for _ in range(GOODBYE_TICKS):
                self._locked(self._tick_without_position)
        except Exception:  # what failed in flight fails here again
            log.exception("the flight could not say that it ends")

    def _begin_end(self, now_ns: int) -> None:
        self._journal(Ending(now_ns))
        self._threads.flight.begin_end()

    def _tick_without_position(self, now_ns: int) -> None:
        self._journal(Stopped(now_ns))
        self._threads.flight.tick_without_position(now_ns)

    def _locked(self, act: Callable[[int], None]) -> None:
        """Raises TimeoutError: whoever hangs holds the lock."""
        if not self._threads.lock.acquire(timeout=LOCK_S):
            raise TimeoutError("the flight's lock is not free")
        try:
            act(time.monotonic_ns())
        finally:
            self._threads.lock.release()
        time.sleep(PERIOD_NS * 1e-9)
