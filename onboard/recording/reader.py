"""A recording's steps in their order, each frame with what the navigator was given of it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from onboard.camera import Camera
from onboard.errors import InputError
from onboard.flight_settings import FlightSettings
from onboard.messages import TILE_PX, Event, RecordedFrame, Refusal, View
from onboard.reasons import Reason, Stage
from onboard.recording import schemas
from onboard.recording.start import FORMAT
from onboard.recording.table_json import event_of
from onboard.recording.whole_chunks import ChunkRecord, Whole, chunk_records
from onboard.settings import settings_from_table

# What a step may raise whose table holds other things than were written: a name that lacks, a
# number that is none or without end, a picture with an absurd size.
DAMAGED = (
    *(KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError),
    *(binascii.Error, cv2.error),
)


@dataclass(frozen=True)
class Start:
    """What the flight began with. manifest_sha256 names the map, model_sha256 the network;
    takeover: what the takeover found on its disk."""

    settings: FlightSettings
    camera: Camera
    map_path: str
    manifest_sha256: str
    model_id: str
    model_sha256: str
    runs_on: str
    takeover_state: str
    utc_minus_clock_ns: int | None = None


@dataclass(frozen=True)
class FrameStep:
    """A frame's step; `step` is begun, moved or done. Of a moved one the frame has the view or
    refusal; of one that is done the refusal by which a device or disk failed, if one did."""

    step: str
    number: int
    frame: RecordedFrame


@dataclass(frozen=True)
class SentStep:
    name: str
    packed: bytes


@dataclass(frozen=True)
class TickStep:
    """A tick. ending: none, but the flight is about to end (`steps.Ending`). stopped: one of the
    flight's end (`steps.Stopped`)."""

    now_ns: int
    ending: bool = False
    stopped: bool = False


@dataclass(frozen=True)
class LostStep:
    """Steps are missing here, or a height was made without the terrain that the map has; the
    replay can't go on. why: a clause."""

    why: str


RecordedStep = Event | FrameStep | SentStep | TickStep | LostStep


class Recording:
    """An MCAP recording of Pilotage, closed properly or cut short."""

    def __init__(self, path: Path) -> None:
        """Raises InputError: cannot be read, no recording of Pilotage, of another format."""
        self.path = path
        self.whole = Whole()
        for name, message in self._messages(Whole()):
            if name == schemas.STARTS.name:
                self.start = _start(_json(message, path), path)
                return
        raise InputError(f"{path}: holds no flight of Pilotage; give one of its recordings")

    def steps(self) -> Iterator[RecordedStep]:
        """In the order of the flight."""
        begun: dict[int, RecordedFrame] = {}
        for step in self._raw_steps():
            if isinstance(step, FrameStep) and step.step == "begun":
                begun[step.number] = step.frame
            elif isinstance(step, FrameStep):
                if step.number not in begun:
                    raise InputError(
                        f"{self.path}: frame {step.number} has no beginning; the file is damaged"
                    )
                step = FrameStep(step.step, step.number, _named(step.frame, begun[step.number]))
                if step.step == "done":
                    del begun[step.number]
            yield step

    def _raw_steps(self) -> Iterator[RecordedStep]:
        views: dict[int, bytes] = {}
        expected = 0
        for name, message in self._messages(self.whole):
            if name == schemas.VIEW.name:
                views = {message.sequence: message.data}  # the step that needs it comes next
            elif name == schemas.STEPS.name:
                table = _json(message, self.path)
                if table.get("n") != expected:
                    yield LostStep("a damaged part of the file was left out")
                    return
                expected += 1
                yield _step(table, views, f"{self.path}: step {expected - 1}")

    def _messages(self, whole: Whole) -> Iterator[tuple[str, Any]]:
        topics: dict[int, str] = {}
        for records in chunk_records(self.path, whole):
            yield from _of_chunk(records, topics)


def _of_chunk(records: list[ChunkRecord], topics: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for record in records:
        topic = getattr(record, "topic", None)
        if topic is not None:
            topics[record.id] = topic  # type: ignore[union-attr]
        elif hasattr(record, "channel_id"):
            yield topics.get(record.channel_id, ""), record


def _json(message: Any, path: Path) -> dict[str, Any]:
    try:
        table = json.loads(message.data)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: a message is not JSON; the file is damaged") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: a message is no table; the file is damaged")
    return table


def _start(table: dict[str, Any], path: Path) -> Start:
    if table.get("format") != FORMAT:
        raise InputError(
            f"{path}: recorded in format {table.get('format')!r}, this Pilotage reads {FORMAT}; "
            "take the Pilotage that recorded it"
        )
    values = {k: v for k, v in table.items() if k not in ("format", "pilotage")}
    return settings_from_table(values, Start, f"{path}: start")


def _step(table: dict[str, Any], views: dict[int, bytes], where: str) -> RecordedStep:
    step = table.get("step")
    try:
        if step == "handled":
            return event_of(table["event"], where)
        if step == "begun":
            name, camera_id = str(table["name"]), str(table["camera_id"])
            frame = RecordedFrame(int(table["time_ns"]), None, None, name, camera_id)
            return FrameStep("begun", int(table["number"]), frame)
        if step in ("moved", "done"):
            number = int(table["number"])
            view = _view(table["view"], views[number], where) if "view" in table else None
            refusal = _refusal(table["refusal"]) if "refusal" in table else None
            return FrameStep(str(step), number, RecordedFrame(0, view, refusal))
        if step in ("ticked", "ending", "stopped"):
            return TickStep(int(table["now_ns"]), step == "ending", step == "stopped")
        if step == "sent":
            return SentStep(str(table["name"]), base64.b64decode(table["bytes"], validate=True))
        if step == "lost":
            return LostStep(f"{int(table['count'])} steps could not be written in flight")
        if step == "unread":
            return LostStep(f"terrain could not be read in flight ({table['problem']})")
    except DAMAGED as e:
        raise InputError(f"{where}: not whole ({e}); the file is damaged") from e
    raise InputError(f"{where}: unknown step {step!r}; take the Pilotage that recorded it")


def _view(figures: dict[str, Any], message: bytes, where: str) -> View:
    data = base64.b64decode(json.loads(message)["data"], validate=True)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if picture is None or picture.shape != (TILE_PX, TILE_PX, 3):
        raise InputError(f"{where}: the view's picture can't be decoded; the file is damaged")
    names = ("east_m_per_px", "north_m_per_px", "nadir_east_m", "nadir_north_m")
    numbers = {name: float(figures[name]) for name in (*names, "agl_m", "height_sigma_m")}
    mask = np.asarray(picture.any(axis=2))
    time_ns, level = int(figures["time_ns"]), int(figures["level"])
    return View(time_ns, np.asarray(picture, np.uint8), mask, level, **numbers)


def _refusal(table: dict[str, Any]) -> Refusal:
    stage, reason = Stage(table["stage"]), Reason(table["reason"])
    return Refusal(int(table["time_ns"]), stage, reason, str(table.get("detail", "")))


def _named(frame: RecordedFrame, begun: RecordedFrame) -> RecordedFrame:
    return replace(begun, view=frame.view, refusal=frame.refusal)
