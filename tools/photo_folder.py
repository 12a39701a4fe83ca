"""A folder of photographs as a recorded flight: read in time order, decoded one at a time.

Tags of the photographs and a table of poses are merged, the table being right where both
speak. What cannot be used stays in the flight as a photograph with its reason: no file is
lost, and every oddity is said in `notes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.messages import Event, Frame
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.photo_picture import read_picture
from tools.photo_tags import Angles, PhotoTags, read_photo_tags
from tools.pose_csv import photo_key, read_poses

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
INNER_FOLDERS = ("photos", "frames")
SPACING_NS = 1_000_000_000  # between photographs of a flight none of which has a time
HEIGHT_SIGMA_SHARE = 0.05  # of the height: barometer drift and unlevel ground since take-off
MIN_HEIGHT_SIGMA_M = 3.0
GNSS_SIGMA_M = 3.0  # a receiver on a clear sky, and the map's own frame


@dataclass(frozen=True)
class Photo:
    """One photograph. problem says why its picture cannot be used at all, '' when it can."""

    path: Path
    tags: PhotoTags
    time_ns: int
    problem: str = ""

    @property
    def name(self) -> str:
        """For people and files: bytes that are no UTF-8 as escapes."""
        return self.path.name.encode("utf-8", "backslashreplace").decode("utf-8")

    @property
    def has_position(self) -> bool:
        return self.tags.lat_deg is not None


@dataclass(frozen=True)
class Flight:
    """Photographs in order of time, and what a person should know about them."""

    folder: Path
    photos: tuple[Photo, ...]
    notes: tuple[str, ...]


def read_flight(folder: Path, poses: Path | None = None, agl_m: float | None = None) -> Flight:
    """Reads the headers of all photographs of a folder (or of `photos` or `frames` in it).

    poses: a table for `read_poses`. agl_m: height of photographs that tell none.
    Raises InputError: no such folder, no photographs in it, a table that speaks of none of
    them, nothing usable in any of them.
    """
    paths = _picture_paths(folder)
    where = paths[0].parent
    table = read_poses(poses) if poses else {}
    read = [_read_one(path, table, agl_m) for path in paths]
    if poses and not any(photo_key(p.name) in table for p in paths):
        raise InputError(f"{poses}: names none of the photographs in {where}; give their table")
    _refuse_nothing_usable(where, read)
    photos, time_notes = _in_time_order(read)
    return Flight(where, photos, (*_notes(photos, table), *time_notes))


def read_pictures(folder: Path) -> tuple[Photo, ...]:
    """Photographs alone, for a log that tells the rest: no height or attitude is asked for.

    Raises InputError: no such folder, no photographs in it.
    """
    photos, _ = _in_time_order([_read_one(path, {}, None) for path in _picture_paths(folder)])
    return photos


def photo_events(
    photos: Sequence[Photo], by_gimbal: bool, gnss_until_ns: int | None = None
) -> Iterator[Event]:
    """Attitude, height, GNSS and frame of each photograph, the picture decoded when asked for.

    by_gimbal: the attitude is the gimbal's, not the airframe's.
    gnss_until_ns: from here on the receiver says that it has no fix.
    """
    for photo in photos:
        attitude, height = attitude_of(photo, by_gimbal), height_of(photo)
        if attitude:
            yield attitude
        if height:
            yield height
        yield gnss_of(photo, gnss_until_ns)
        yield frame_of(photo)


def attitude_of(photo: Photo, by_gimbal: bool) -> Attitude | None:
    angles = photo.tags.gimbal if by_gimbal else photo.tags.flight
    return Attitude(photo.time_ns, angles.roll, angles.pitch, angles.yaw) if angles else None


def height_of(photo: Photo) -> Height | None:
    agl_m = photo.tags.agl_m
    if agl_m is None:
        return None
    sigma_m = max(MIN_HEIGHT_SIGMA_M, HEIGHT_SIGMA_SHARE * agl_m)
    return Height(photo.time_ns, agl_m, photo.tags.amsl_m, sigma_m, "photograph")


def gnss_of(photo: Photo, until_ns: int | None = None) -> Gnss:
    lat, lon = photo.tags.lat_deg, photo.tags.lon_deg
    if lat is None or lon is None or (until_ns is not None and photo.time_ns >= until_ns):
        return Gnss(photo.time_ns, 0.0, 0.0, has_fix=False)
    return Gnss(photo.time_ns, lat, lon, GNSS_SIGMA_M)


def frame_of(photo: Photo) -> Frame:
    """Decodes the picture; image None when that fails."""
    try:
        image = None if photo.problem else read_picture(photo.path)
    except ValueError:
        image = None
    return Frame(photo.time_ns, image, photo.name)


def _picture_paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of the photographs")
    inner = (folder / name for name in INNER_FOLDERS)
    where = next((path for path in inner if path.is_dir()), folder)
    paths = sorted(p for p in where.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise InputError(
            f"{where}: no photographs in it ({', '.join(PICTURE_SUFFIXES)}); give their folder"
        )
    return paths


def _read_one(
    path: Path, table: dict[str, PhotoTags], agl_m: float | None
) -> tuple[Path, PhotoTags, str]:
    problem = ""
    try:
        tags = read_photo_tags(path)
    except ValueError as e:
        tags, problem = PhotoTags(), str(e)
    row = table.get(photo_key(path.name))
    if row:
        tags = _merged(tags, row)
    if agl_m is not None and tags.agl_m is None:
        tags = dataclasses.replace(tags, agl_m=agl_m)
    return path, tags, problem


def _merged(tags: PhotoTags, row: PhotoTags) -> PhotoTags:
    """The row's values where it has any."""
    unset = PhotoTags()
    told = {
        f.name: getattr(row, f.name)
        for f in dataclasses.fields(row)
        if getattr(row, f.name) != getattr(unset, f.name)
    }
    return dataclasses.replace(tags, **told)


def _refuse_nothing_usable(folder: Path, read: list[tuple[Path, PhotoTags, str]]) -> None:
    if all(problem for _, _, problem in read):
        path, _, problem = read[0]
        raise InputError(f"{folder}: none of its {len(read)} files opens ({path.name}: {problem})")
    lacks: dict[str, Callable[[PhotoTags], Angles | float | None]] = {
        "a height above ground (XMP RelativeAltitude); give --poses or --agl-m": lambda t: t.agl_m,
        "an attitude (XMP Flight*Degree or Gimbal*Degree); give --poses": lambda t: (
            t.flight or t.gimbal
        ),
    }
    for what, get in lacks.items():
        if all(get(tags) is None for _, tags, _ in read):
            raise InputError(f"{folder}: none of its {len(read)} photographs tells {what}")


def _in_time_order(
    read: list[tuple[Path, PhotoTags, str]],
) -> tuple[tuple[Photo, ...], list[str]]:
    notes: list[str] = []
    if all(tags.time_ns is None for _, tags, _ in read):
        notes.append("no photograph has a time: taken 1 s apart in the order of their names")
        photos = [Photo(p, t, i * SPACING_NS, why) for i, (p, t, why) in enumerate(read)]
        return tuple(photos), notes
    last_ns = max(tags.time_ns for _, tags, _ in read if tags.time_ns is not None)
    photos = []
    for path, tags, problem in read:
        if tags.time_ns is None:
            # Behind all the others, so that it disturbs none of them, and refused.
            last_ns += SPACING_NS
            problem = problem or "has no time of exposure"
        photos.append(Photo(path, tags, last_ns if tags.time_ns is None else tags.time_ns, problem))
    ordered = sorted(photos, key=lambda p: p.time_ns)
    if ordered != photos:
        notes.append("names are not in the order of time: sorted by time")
    doubles = len(ordered) - len({p.time_ns for p in ordered})
    if doubles:
        notes.append(f"{_count(doubles)} the same time as another")
    return tuple(ordered), notes


def _notes(photos: Sequence[Photo], table: dict[str, PhotoTags]) -> list[str]:
    notes = [f"{p.name}: {p.problem}" for p in photos if p.problem]
    usable = [p for p in photos if not p.problem]
    absent = len(set(table) - {photo_key(p.path.name) for p in photos})
    counts = {
        "all gimbal angles zero: not real, left unused": sum(
            p.tags.gimbal_all_zero for p in usable
        ),
        "no position (or 0/0)": sum(not p.has_position for p in usable),
        "no height above ground": sum(p.tags.agl_m is None for p in usable),
        "no attitude": sum(p.tags.flight is None and p.tags.gimbal is None for p in usable),
        "a row in the table but no file": absent,
    }
    return notes + [f"{_count(n)} {what}" for what, n in counts.items() if n]


def _count(n: int) -> str:
    return f"{n} photograph{' has' if n == 1 else 's have'}"
