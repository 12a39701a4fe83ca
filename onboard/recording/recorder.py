"""Records a flight: notes every step in the flight's own threads, writes in one of its own.

The flight never waits for the disk. When the disk can't follow, steps are lost and counted,
and the recording says where. When it fails or fills up, recording ends and the flight goes on.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onboard.companion import FrameBegun, Sent
from onboard.errors import InputError
from onboard.flight_settings import RecordingSettings
from onboard.messages import Frame
from onboard.pack.map_pack import MapPack
from onboard.recording.folder import GB, make_room, next_path
from onboard.recording.session_file import SessionFile
from onboard.recording.steps import Began, Lost, Noted, PartHealth, Step, sent_bytes
from onboard.recording.writing import StepWriter

log = logging.getLogger(__name__)

# Steps that may wait: 40 s of flight at some 200 a second; 5 views a second among them are 50 MB.
MAX_WAITING = 8192
MAX_WAITING_PICTURES = 3  # whole frames, up to 36 MB each
WRITE_EVERY_S = 0.1
FLUSH_EVERY_S = 0.5  # a crash loses this much, and what the disk was busy with
ROOM_EVERY_S = 5.0  # at 16 MB/s, far beyond any flight, 80 MB
JOIN_S = 5.0


@dataclass(frozen=True)
class RecorderHealth:
    """problem '' while it records. lost: steps that could not be kept."""

    path: Path
    size_bytes: int
    lost: int
    problem: str


class Recorder:
    """`note` is a journal of `onboard.companion.Companion`, for any thread."""

    def __init__(
        self,
        settings: RecordingSettings,
        start: dict[str, Any],
        utc_minus_clock_ns: int,
        pack: MapPack,
    ) -> None:
        """start: what the replay needs beside the steps (`start_table`).

        Raises InputError: no folder set, not writable, no room.
        """
        if settings.folder is None:
            raise InputError("recording: folder is not set; give one")
        self._settings = settings
        self._lock = threading.Lock()
        self._waiting: deque[Step] = deque()
        self._pictures = 0
        self._lost = 0
        self._lost_in_all = 0
        self._next_picture_ns: int | None = None
        self._problem = ""
        self._folder = settings.folder
        path = next_path(self._folder)
        try:
            path.touch(exist_ok=False)
            problem = make_room(self._folder, path, settings.max_gb * GB)
            path.unlink()
            if problem:
                raise InputError(f"{problem}; free the disk, or choose another folder")
            self._file = SessionFile(path)
            self._writer = StepWriter(self._file, utc_minus_clock_ns, pack)
            self._writer.begin(start)
            self._file.flush()
            sync_folder(self._folder)
        except OSError as e:
            raise InputError(
                f"{path}: cannot be written ({e.strerror}); free or choose another folder"
            ) from e
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def note(self, entry: Noted | PartHealth) -> None:
        """Quick; never raises on what a flight journals."""
        if isinstance(entry, Sent):
            self._keep(sent_bytes(entry.message))
        elif isinstance(entry, FrameBegun):
            frame = entry.frame
            with self._lock:
                picture = self._chosen(frame) if isinstance(frame, Frame) else None
            self._keep(Began(entry.number, frame.time_ns, frame.name, frame.camera_id, picture))
        else:
            self._keep(entry)

    def health(self) -> RecorderHealth:
        with self._lock:
            lost, problem = self._lost_in_all, self._problem
        return RecorderHealth(self._file.path, self._writer.size_bytes, lost, problem)

    def close(self) -> None:
        """Writes what waits, and the index."""
        self._stop.set()
        self._thread.join(JOIN_S)

    def _chosen(self, frame: Frame) -> Any:
        """The frame's picture when one is due, and the disk follows."""
        hz = self._settings.frame_hz
        due = self._next_picture_ns is None or frame.time_ns >= self._next_picture_ns
        if hz == 0.0 or not due or frame.image is None:
            return None
        if self._pictures >= MAX_WAITING_PICTURES:
            return None
        self._next_picture_ns = frame.time_ns + round(1e9 / hz)
        self._pictures += 1
        return frame.image

    def _keep(self, step: Step) -> None:
        with self._lock:
            if self._problem:
                return
            if len(self._waiting) >= MAX_WAITING:
                self._lost += 1
                self._lost_in_all += 1
                if isinstance(step, Began) and step.picture is not None:
                    self._pictures -= 1
                return
            if self._lost:
                self._waiting.append(Lost(self._lost))
                self._lost = 0
            self._waiting.append(step)

    def _run(self) -> None:
        try:
            self._write_until_stopped()
            self._file.close()
        except (OSError, InputError) as e:
            reason = getattr(e, "strerror", None) or e
            self._end(f"{self._file.path}: cannot be written ({reason}); recording stopped")
        except Exception as e:  # whatever is wrong with a recording, the flight goes on
            log.exception("the recorder failed")
            self._end(f"{self._file.path}: the recorder failed ({e}); recording stopped")

    def _write_until_stopped(self) -> None:
        flush_s = room_s = time.monotonic()
        stopping = False
        while not stopping:
            stopping = self._stop.wait(WRITE_EVERY_S)
            for step in self._taken():
                self._writer.write(step)
            now_s = time.monotonic()
            if now_s - flush_s >= FLUSH_EVERY_S:
                self._file.flush()
                flush_s = now_s
            if now_s - room_s >= ROOM_EVERY_S:
                room_s = now_s
                if problem := make_room(self._folder, self._file.path, self._settings.max_gb * GB):
                    self._end(f"{problem}; recording stopped")
                    return

    def _taken(self) -> deque[Step]:
        with self._lock:
            taken, self._waiting = self._waiting, deque()
            self._pictures = 0
            return taken

    def _end(self, problem: str) -> None:
        log.warning("%s", problem)
        with self._lock:
            self._problem = problem
            self._waiting.clear()


def sync_folder(folder: Path) -> None:
    """A file's name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
