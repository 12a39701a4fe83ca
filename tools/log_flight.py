"""A recorded log with its pictures as a flight for the replay."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onboard.camera import Camera
from onboard.errors import InputError
from onboard.messages import Event, Frame
from onboard.settings import load_settings
from tools.logs.open_log import open_log
from tools.logs.pictures import match_photos, photo_frames, video_frames
from tools.logs.recorded_log import RecordedLog
from tools.logs.with_frames import with_course_as_yaw, with_frames
from tools.photo_camera import camera_of
from tools.photo_folder import read_pictures
from tools.truth import Track

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".ts")


@dataclass(frozen=True)
class LogFlight:
    """events can be asked for once. frames: how many there are, None for a video's."""

    camera: Camera
    events: Iterator[Event]
    frames: int | None
    start_ns: int
    track: Track
    utc_minus_clock_ns: int | None
    notes: tuple[str, ...]


def add_log_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pictures", type=Path, help="a log's photographs: their folder")
    parser.add_argument("--video", type=Path, help="a log's video (beside an .SRT it is found)")
    parser.add_argument(
        "--video-starts",
        type=float,
        metavar="SECONDS",
        help="when the video's first frame was taken, on the log's clock (0 for .SRT)",
    )
    parser.add_argument("--frame-hz", type=float, default=2.0, help="frames of a video a second")
    parser.add_argument(
        "--yaw-from-course",
        action="store_true",
        help="for a log without attitude: level, and the nose along the way it moves",
    )


def open_log_flight(path: Path, args: argparse.Namespace, lost_after_s: float | None) -> LogFlight:
    """Raises InputError: an unreadable log, none or both of pictures and video, no camera."""
    log = open_log(path)
    if args.yaw_from_course:
        log = with_course_as_yaw(log)
    start_ns = log.events[0].time_ns
    lost_ns = None if lost_after_s is None else start_ns + round(lost_after_s * 1e9)
    video = args.video or _video_beside(path)
    frames: Iterator[Frame]
    if args.pictures is not None and args.video is None:
        photos = read_pictures(args.pictures)
        matched, said = match_photos(photos, log)
        camera, lens = camera_of(photos, args.camera)
        frames, count, notes = photo_frames(matched), len(matched), [said, lens]
    elif video is not None and args.pictures is None:
        camera = _video_camera(args.camera, video)
        starts_ns = _starts_ns(path, log, args.video_starts)
        frames, count = video_frames(video, starts_ns, args.frame_hz), None
        notes = [f"{video.name}: frames at most {args.frame_hz:g} a second"]
    else:
        raise InputError(
            f"{path}: holds no pictures itself; give either --pictures FOLDER or --video FILE"
        )
    return LogFlight(
        camera,
        with_frames(log, frames, lost_ns),
        count,
        start_ns,
        log.track,
        log.utc_minus_clock_ns,
        (*log.notes, *notes),
    )


def _video_beside(path: Path) -> Path | None:
    if path.suffix.lower() != ".srt":
        return None
    of_that_name = (p for p in sorted(path.parent.iterdir()) if p.stem == path.stem)
    return next((p for p in of_that_name if p.suffix.lower() in VIDEO_SUFFIXES), None)


def _video_camera(path: Path | None, video: Path) -> Camera:
    if path is None:
        raise InputError(f"{video}: a video does not tell its lens; give --camera cam.toml")
    return load_settings(path, Camera)


def _starts_ns(path: Path, log: RecordedLog, starts_s: float | None) -> int:
    if starts_s is not None:
        return round(starts_s * 1e9)
    if path.suffix.lower() == ".srt":
        return 0
    if log.triggers:  # the first one starts a video
        return log.triggers[0].time_ns
    raise InputError(
        f"{path}: does not tell when the video began; give --video-starts, in seconds of its clock"
    )
