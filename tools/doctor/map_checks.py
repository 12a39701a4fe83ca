"""The map pack: signed, whole, of this model, of this place, not too old, fit for this camera."""

from __future__ import annotations

import datetime

import numpy as np

from onboard.geodesy import distance_to_box_m, pixel_size_m
from onboard.messages import TILE_PX
from onboard.pack.tile_index import unit_length
from onboard.rectify import choose_level
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

SEARCHED_SHARDS = 32  # a search over 4 million tiles takes 40 ms
OLD_YEARS = 3.0
NATIVE_SHARE = 2.0  # the picture may be this much coarser than the map before detail is missing
# A map may begin behind the field that one starts from; this far off it is another place's map.
FAR_OFF_M = 1000.0
HEIGHTS_M = tuple(range(20, 1001, 10))


def manifest(subject: Subject) -> Finding:
    found = subject.manifest.get()
    levels = ", ".join(map(str, found.levels))
    return good(
        f"format {found.format_version}, levels {levels}, {found.size_bytes() / 1e6:.0f} MB; "
        f"off by {found.map_error_said}"
    )


def signature(subject: Subject) -> Finding:
    """A flight without a key takes any map; that is the person's to decide."""
    return good(f"the map is {subject.found_pack.get().said}")


def hashes(subject: Subject) -> Finding:
    number, files = subject.hashed.get()
    if number < files:
        return warning(
            f"{number} of {files} files are as the manifest says, for more the doctor has no time",
            f"pilotage map verify {subject.found_pack.get().path}",
        )
    return good(f"all {files} files are as the manifest says")


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
    """Every shard opens, and some find a tile by that tile's own descriptor."""
    pack, missed = subject.pack.needed(), 0
    pack.index.check()
    shards = pack.manifest.shards[:: -(-len(pack.manifest.shards) // SEARCHED_SHARDS)]
    for shard in shards:
        middle = np.array([shard.count // 2])
        own = unit_length(pack.index.descriptors(shard).rows(middle))[0]
        found = pack.nearest(shard.level, own, 1)
        missed += not found or found[0][1] > 1e-3
    if missed:
        return failure(
            f"{missed} of {len(shards)} shards don't find a tile by its own descriptor",
            f"pilotage map verify {pack.path}",
        )
    if notes := pack.index_notes():
        again = f"pilotage map verify {pack.path}; a search without a position takes longer"
        return warning("; ".join(notes), again)
    return good(f"{len(shards)} shards of the index open and find their own tiles")


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
    off_m = distance_to_box_m(pack.bounds, *place)
    at, mend = (
        f"at {place[0]:.5f}, {place[1]:.5f}",
        "build a map that holds the take-off and the whole way",
    )
    if off_m > FAR_OFF_M:
        return failure(f"the vehicle {at} is {off_m / 1000:.1f} km off the map", mend)
    if off_m >= 1.0:
        return warning(f"the vehicle {at} is {off_m:.0f} m off the map", mend)
    return warning(f"{at} the map has no imagery", mend)


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
    Check("map.signature", signature, of_flight=True),
    Check("map.hashes", hashes, of_flight=True),
    Check("map.model", model, of_flight=True),
    Check("map.index", index, of_flight=True),
    Check("map.age", age, of_flight=True),
    Check("map.covers_vehicle", covers, of_flight=True),
    Check("map.fits_camera", fits_camera, of_flight=True),
)
