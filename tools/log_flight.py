"""A recorded log with its pictures as a flight for the replay."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onboard.camera import Camera, Mounting
from onboard.errors import InputError
from onboard.messages import Event, Frame
from onboard.settings import load_settings
from tools.logs.open_log import open_log
from tools.logs.pictures import match_photos, photo_frames, video_frames, video_length_s
from tools.logs.recorded_log import RecordedLog
from tools.logs.with_frames import with_course_as_yaw, with_frames
from tools.photo_camera import camera_of, turns_with_gimbal
from tools.photo_folder import Photo, read_pictures
from tools.truth import Track

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".ts")
FRAME_HZ = 2.0  # of videos and rendering, unless told
MIN_HZ, MAX_HZ = 0.1, 60.0  # one every 10 s; more than cameras give
MAX_START_S = 1e6  # ten days
DOWN_DEG = 10.0  # a gimbal this near to straight down holds its camera there


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
    parser.add_argument(
        "--pictures-ahead",
        type=start_s,
        metavar="SECONDS",
        help="what the photographs' clock is ahead of UTC (default: found by their positions)",
    )
    parser.add_argument("--video", type=Path, help="a log's video (beside an .SRT it is found)")
    parser.add_argument(
        "--video-starts",
        type=start_s,
        metavar="SECONDS",
        help="when the video's first frame was taken, after the log's first message; may be "
        "negative (0 for a video's own .SRT or .csv)",
    )
    parser.add_argument(
        "--render",
        type=Path,
        nargs="+",
        metavar="IMAGERY",
        help="for a log without pictures: what the camera saw, of imagery as for `map build`",
    )
    parser.add_argument("--dem", type=Path, help="elevation model for --render (default: flat)")
    parser.add_argument(
        "--frame-hz", type=hertz, help=f"frames of a video or rendering a second ({FRAME_HZ:g})"
    )
    parser.add_argument(
        "--yaw-from-course",
        action="store_true",
        help="for a log without attitude: level, and the nose along the way it moves",
    )


def hertz(text: str) -> float:
    """For argparse."""
    value = float(text)
    if not MIN_HZ <= value <= MAX_HZ:
        raise argparse.ArgumentTypeError(f"{text} is not between {MIN_HZ:g} and {MAX_HZ:g}")
    return value


def start_s(text: str) -> float:
    """For argparse."""
    value = float(text)
    if not abs(value) <= MAX_START_S:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds; give some as 12.5")
    return value


def open_log_flight(path: Path, args: argparse.Namespace, lost_after_s: float | None) -> LogFlight:
    """Raises InputError: an unreadable log, not exactly one of pictures, video and rendering, no
    camera, a camera hung otherwise than the log's attitude asks for."""
    chosen = _chosen(path, args)
    log = open_log(path)
    if args.yaw_from_course:
        log = with_course_as_yaw(log)
    elif not log.has_attitude:
        raise InputError(f"{path}: tells no attitude; add --yaw-from-course to guess it")
    frames: Iterator[Frame]
    count: int | None = None
    if chosen == "pictures":
        photos = read_pictures(args.pictures)
        camera, lens = _photo_camera(photos, args.camera, log)
        matched, said = match_photos(photos, log, args.pictures_ahead)
        within = [m for m in matched if log.start_ns <= m.time_ns <= log.end_ns]
        frames, count, notes = photo_frames(within), len(within), [*lens, said]
        if len(within) < len(photos):
            notes.append(
                f"{len(photos) - len(within)} pictures lie outside the log or have no time"
            )
    elif chosen == "video":
        video = args.video or _video_beside(path)
        assert isinstance(video, Path)  # or else it would not have been chosen
        camera = _camera(args.camera, log, f"{video}: a video")
        starts_ns = _starts_ns(path, log, args.video_starts)
        frames = _within(log, video_frames(video, starts_ns, args.frame_hz or FRAME_HZ))
        notes = [_overlap(video, starts_ns, log)]
    else:
        camera = _camera(args.camera, log, f"{path}: a rendering")
        frames, count, notes = _rendered(log, camera, args)
    lost_ns = None if lost_after_s is None else log.start_ns + round(lost_after_s * 1e9)
    return LogFlight(
        camera,
        with_frames(log, frames, lost_ns, round(camera.attitude_delay_s * 1e9)),
        count,
        log.start_ns,
        log.track,
        log.utc_minus_clock_ns,
        (*log.notes, *notes),
    )


def _chosen(path: Path, args: argparse.Namespace) -> str:
    given = [name for name in ("pictures", "video", "render") if getattr(args, name) is not None]
    if not given and _video_beside(path) is not None:
        given = ["video"]
    if len(given) != 1:
        raise InputError(
            f"{path}: holds no pictures itself; give one of --pictures FOLDER, --video FILE and "
            "--render IMAGERY"
        )
    for name, goes_with in (
        ("pictures_ahead", ("pictures",)),
        ("video_starts", ("video",)),
        ("dem", ("render",)),
        ("frame_hz", ("video", "render")),
    ):
        if getattr(args, name) is not None and given[0] not in goes_with:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option}: goes with --{' or --'.join(goes_with)}, not with --{given[0]}; "
                "leave it out"
            )
    return given[0]


def _rendered(
    log: RecordedLog, camera: Camera, args: argparse.Namespace
) -> tuple[Iterator[Frame], int, list[str]]:
    """GDAL is loaded only now."""
    from tools.logs.rendered import home_amsl_m, moments, rendered_frames
    from tools.sim.scenes import imagery_scene

    seen = moments(log, args.frame_hz or FRAME_HZ)
    home_m = home_amsl_m(seen)
    scene = imagery_scene(args.render, ground_amsl_m=home_m, dem=args.dem)
    ground = args.dem.name if args.dem else f"flat ground {home_m:.0f} m above the sea"
    names = ", ".join(path.name for path in args.render)
    notes = [
        f"pictures rendered from {names} over {ground} at {len(seen)} moments of the log: they "
        "show how parts work together, not how a real camera sees the place"
    ]
    return rendered_frames(seen, scene, camera, home_m), len(seen), notes


def _video_beside(path: Path) -> Path | None:
    if path.suffix.lower() != ".srt" or not path.parent.is_dir():
        return None
    of_that_name = (p for p in sorted(path.parent.iterdir()) if p.stem == path.stem)
    return next((p for p in of_that_name if p.suffix.lower() in VIDEO_SUFFIXES), None)


def _photo_camera(
    photos: tuple[Photo, ...], path: Path | None, log: RecordedLog
) -> tuple[Camera, tuple[str, ...]]:
    """From EXIF the lens; the log tells who turns the camera."""
    if path is not None:
        return _camera(path, log, ""), (f"camera from {path}",)
    camera, said = camera_of(photos, None)
    if not turns_with_gimbal(camera) or log.gimbal:
        return camera, said
    pitches = [p.tags.gimbal.pitch for p in photos if p.tags.gimbal is not None]
    pitch_deg = math.degrees(sorted(pitches)[len(pitches) // 2])
    if abs(pitch_deg + 90.0) > DOWN_DEG:
        raise InputError(
            f"{photos[0].path.parent}: a gimbal holds the camera {pitch_deg:.0f} deg from level, "
            "which the log does not tell; give --camera cam.toml with its mounting"
        )
    held = replace(camera, mounting=Mounting(stabilised=True))
    return held, (f"{said[0].rpartition(',')[0]}, held straight down by its gimbal",)


def _camera(path: Path | None, log: RecordedLog, whose: str) -> Camera:
    if path is None:
        raise InputError(f"{whose} does not tell its lens; give --camera cam.toml")
    camera = load_settings(path, Camera)
    if log.gimbal and not (turns_with_gimbal(camera) or camera.mounting.stabilised):
        raise InputError(
            f"{path}: {log.name} tells the gimbal's own angles; give mounting pitch_deg = 0"
        )
    if not log.gimbal and turns_with_gimbal(camera):
        raise InputError(
            f"{path}: mounting near 0 asks for a gimbal's own angles, and {log.name} tells the "
            "airframe's; give the mounting (pitch_deg = -90 looks down)"
        )
    return camera


def _within(log: RecordedLog, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Those inside the log's time; the video is read no further."""
    for frame in frames:
        if frame.time_ns > log.end_ns:
            return
        if frame.time_ns >= log.start_ns:
            yield frame


def _overlap(video: Path, starts_ns: int, log: RecordedLog) -> str:
    """How much of the video the log covers. Raises InputError: nothing."""
    length_s = video_length_s(video)
    begin_s = (starts_ns - log.start_ns) * 1e-9
    log_s = (log.end_ns - log.start_ns) * 1e-9
    if begin_s > log_s or begin_s + length_s < 0.0:
        raise InputError(
            f"{video}: lies from {begin_s:.0f} s to {begin_s + length_s:.0f} s after the start of "
            f"{log.name}, which is {log_s:.0f} s long; correct --video-starts"
        )
    return f"{video.name}: {length_s:.0f} s long, starts {begin_s:+.1f} s after {log.name} does"


def _starts_ns(path: Path, log: RecordedLog, starts_s: float | None) -> int:
    if starts_s is not None:
        return log.start_ns + round(starts_s * 1e9)
    if path.suffix.lower() in (".srt", ".csv"):  # their times are the video's
        return 0
    if len(log.triggers) == 1:  # it starts a video
        return log.triggers[0].time_ns
    raise InputError(
        f"{path}: does not tell when the video began; give --video-starts, in seconds after its "
        "first message"
    )
