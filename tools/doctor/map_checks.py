"""The map pack: whole, of this model, of this place, not too old, fit for this camera."""

from __future__ import annotations

import datetime
import time

from onboard.geodesy import distance_m, pixel_size_m
from onboard.messages import TILE_PX
from onboard.pack_manifest import describe_file
from onboard.rectify import choose_level
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

HASHING_S = 7.0  # what the doctor can wait; some gigabytes
OLD_YEARS = 3.0
NATIVE_SHARE = 2.0  # the picture may be this much coarser than the map before detail is missing
HEIGHTS_M = tuple(range(20, 1001, 10))


def manifest(subject: Subject) -> Finding:
    found = subject.manifest.get()
    levels = ", ".join(map(str, found.levels))
    return good(
        f"format {found.format_version}, levels {levels}, {found.size_bytes() / 1e6:.0f} MB"
    )


def hashes(subject: Subject) -> Finding:
    found = subject.manifest.needed()
    folder = subject.file(subject.settings.needed().map, "map")
    again = f"copy the pack again, then: pilotage map verify {folder}"
    began_s = time.monotonic()
    for number, expected in enumerate(found.files):
        path = folder / expected.path
        try:
            if path.stat().st_size != expected.size:
                return failure(f"{path} is not as long as the manifest says", again)
            if time.monotonic() - began_s > HASHING_S:
                return warning(
                    f"{number} of {len(found.files)} files are as the manifest says, for more "
                    "the doctor has no time",
                    f"pilotage map verify {folder}",
                )
            if describe_file(folder, expected.path) != expected:
                return failure(f"{path} is damaged: its sha256 is not the manifest's", again)
        except OSError as e:
            return failure(f"{path} can't be read ({e.strerror})", again)
    return good(f"all {len(found.files)} files are as the manifest says")


def model(subject: Subject) -> Finding:
    pack, bundle = subject.manifest.needed().model, subject.bundle.needed()
    if pack.sha256 != bundle.sha256:
        return failure(
            f"the map was described with {pack.id} ({pack.sha256[:12]}), which is not here; "
            f"{bundle.id} ({bundle.sha256[:12]}) is",
            "pilotage map build again with this model, or install that one",
        )
    return good(f"described with {pack.id}, the model that would fly")


def index(subject: Subject) -> Finding:
    """Every graph loads, and finds a tile by that tile's own descriptor."""
    pack, missed, tried = subject.pack.needed(), 0, 0
    for shard in pack.manifest.shards:
        tiles = pack.tiles(shard.level)
        own = tiles.descriptors[len(tiles) // 2]
        found = pack.nearest(shard.level, own, 1)
        tried += 1
        missed += not found or found[0][1] > 1e-3
    if missed:
        return failure(
            f"{missed} of {tried} shards don't find a tile by its own descriptor",
            f"pilotage map verify {pack.path}",
        )
    return good(f"{tried} shards of the index load and find their own tiles")


def age(subject: Subject) -> Finding:
    """Buildings and fields change; the network forgives a season, not a decade."""
    dates = [source.date for source in subject.manifest.needed().imagery]
    years = []
    for text in dates:
        try:
            taken = datetime.date.fromisoformat(
                text[:10] if len(text) >= 10 else f"{text[:4]}-07-01"
            )
        except ValueError:
            continue
        years.append((datetime.date.today() - taken).days / 365.25)
    if not years:
        raise NotAsked("the map does not say when its imagery was taken")
    oldest = max(years)
    if oldest > OLD_YEARS:
        return warning(
            f"the oldest imagery is {oldest:.1f} years old", "build the map from newer imagery"
        )
    return good(f"the oldest imagery is {max(0.0, oldest):.1f} years old")


def covers(subject: Subject) -> Finding:
    """The vehicle's position as its autopilot tells it, or its home."""
    pack, heard = subject.pack.needed(), subject.autopilot.needed()
    place = heard.position()
    if place is None:
        raise NotAsked("the autopilot tells no position yet")
    if pack.contains(*place):
        return good(f"the vehicle at {place[0]:.5f}, {place[1]:.5f} is on the map")
    south, west, north, east = pack.bounds
    nearest = min(max(place[0], south), north), min(max(place[1], west), east)
    off_m = distance_m(*place, *nearest)
    return warning(
        f"the vehicle at {place[0]:.5f}, {place[1]:.5f} is {off_m / 1000:.1f} km off the map"
        if off_m >= 1.0
        else f"at {place[0]:.5f}, {place[1]:.5f} the map has no imagery",
        "build a map that holds the take-off and the whole way",
    )


def fits_camera(subject: Subject) -> Finding:
    """At which heights the camera sees the ground as finely as a level of the map has it, and
    fills a view of it."""
    pack, camera = subject.pack.needed(), subject.camera_file.needed()
    lat_deg = pack.centre[0]
    fits = []
    for agl_m in HEIGHTS_M:
        level = choose_level(pack.levels, agl_m, camera, lat_deg)
        ground_m = pixel_size_m(lat_deg, level)[0]
        across_m = agl_m * min(camera.width_px / camera.focal_px[0],
                               camera.height_px / camera.focal_px[1])  # fmt: skip
        fine = agl_m / camera.focal_px[0] <= NATIVE_SHARE * ground_m
        fits += [agl_m] if fine and across_m >= TILE_PX * ground_m / 2 else []
    mend = "pilotage map build with --agl-m of the flight"
    if not fits:
        return failure("this camera and this map fit at no height up to 1000 m", mend)
    said = f"camera and map fit from {fits[0]} to {fits[-1]} m above ground"
    wanted_m = subject.agl_m
    if wanted_m is not None and not fits[0] - 5 <= wanted_m <= fits[-1] + 5:
        return failure(f"{said}, not at {wanted_m:.0f} m", mend)
    return good(said)


CHECKS = (
    Check("map.manifest", manifest, of_flight=True),
    Check("map.hashes", hashes, of_flight=True),
    Check("map.model", model, of_flight=True),
    Check("map.index", index, of_flight=True),
    Check("map.age", age, of_flight=True),
    Check("map.covers_vehicle", covers, of_flight=True),
    Check("map.fits_camera", fits_camera, of_flight=True),
)
