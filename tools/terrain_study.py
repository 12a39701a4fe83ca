"""`pilotage terrain-study`: what the map's terrain is worth, on the same frames.

Frames are rendered over imagery that lies on slopes, and each is located three times: with the
plane above home, as without terrain in the map; with a plane at the true height, as a
rangefinder would give; and with the terrain, as in flight. Everything else is the same: the
attitude's and barometer's errors, the prior, the gate.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from maps.progress import progress_s
from maps.sources.open_imagery import open_imagery
from onboard.autopilot.heights import HOME
from onboard.camera import Camera, Mounting
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import distance_m, offset_latlon
from onboard.ground.ground_below import GroundBelow
from onboard.ground.height_above_terrain import HeightAboveTerrain
from onboard.localize import Localizer
from onboard.messages import Frame, FrameResult, Prior
from onboard.model_bundle import load_bundle, shipped_bundle_of
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import read_manifest
from onboard.second_look import see_again
from onboard.telemetry_messages import Attitude, AutopilotPosition, Height, VehicleState
from tools.sim.scenes import Appearance, ImageryScene
from tools.sim.scenes.ground import Ground
from tools.terrain_ground import Bounds, ground_named, write_terrain

HELP = (
    "Shows what terrain in the map is worth: the same frames over slopes located with a plane "
    "above home, with a plane at the true height, and with the terrain."
)
METHODS = ("plane above home", "plane at true height", "terrain")
MARGIN_SHARE = 0.18  # of the map's sides that no frame is taken over: its border
TILT_RAD, ATTITUDE_SIGMA_RAD, YAW_SIGMA_RAD = math.radians(6), math.radians(0.4), math.radians(1)
AMSL_SIGMA_M, DRIFT_SIGMA_M = 5.0, 2.0  # of sea level, once; of the barometer, from frame to frame
HEIGHT_SIGMA_M = 5.0
FAR_M = 30.0  # an error this large is no matter of accuracy
MIN_LEVEL, MAX_LEVEL = 12, 17  # of the terrain written: 90 m .. 1.2 m a pixel at the equator
WIDTH_PX, HEIGHT_PX, FOCAL_PX = 640, 480, 520.0


@dataclass(frozen=True)
class Case:
    """A frame as it was, and what was known of it. home_agl_m: above the place it started from."""

    frame: Frame
    place: tuple[float, float]
    attitude: Attitude
    prior: Prior
    true_agl_m: float
    home_agl_m: float
    told_amsl_m: float


@dataclass(frozen=True)
class Asked:
    """One study's options."""

    agl_m: float
    frames: int
    prior_sigma_m: float
    pitch_deg: float
    seed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the map; its own terrain is not used")
    parser.add_argument("imagery", type=Path, nargs="+", help="what the frames are rendered of")
    parser.add_argument(
        "--ground",
        action="append",
        metavar="G",
        help="'slope 0.2', 'hills', or an elevation model that is laid under the imagery, with "
        "--onboard another; may be given again (default: slope 0.1, slope 0.3 and hills)",
    )
    parser.add_argument("--onboard", metavar="G", help="what the aircraft has of it (default: it)")
    parser.add_argument("--onboard-level", type=int, default=15, help="its level (default: 15)")
    parser.add_argument("--agl-m", type=float, default=150.0, help="above ground (default: 150)")
    parser.add_argument("--frames", type=int, default=60, help="a ground (default: 60)")
    parser.add_argument("--prior-sigma-m", type=float, default=15.0, help="(default: 15)")
    parser.add_argument("--pitch-deg", type=float, default=-90.0, help="camera's (default: -90)")
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    if not MIN_LEVEL <= args.onboard_level <= MAX_LEVEL:
        raise InputError(f"--onboard-level {args.onboard_level}: give {MIN_LEVEL} to {MAX_LEVEL}")
    if args.frames < 1 or not args.agl_m > 0.0 or not args.prior_sigma_m > 0.0:
        raise InputError("--frames, --agl-m and --prior-sigma-m have to be above 0")
    asked = Asked(args.agl_m, args.frames, args.prior_sigma_m, args.pitch_deg, args.seed)
    model = shipped_bundle_of(read_manifest(args.pack).model.sha256)
    if model is None:
        raise InputError(f"{args.pack}: not described with a shipped model; build it with one")
    bundle = load_bundle(model)
    pack = MapPack.open(args.pack, bundle)
    describer = Describer(bundle, threads=1)
    print(_table_head())
    for name in args.ground or ("slope 0.1", "slope 0.3", "hills"):
        ground = ground_named(name, pack.bounds)
        known = ground_named(args.onboard, pack.bounds) if args.onboard else ground
        results = study(pack, describer, args.imagery, ground, known, args.onboard_level, asked)
        for method in METHODS:
            print(_row(Path(name).name, method, results[method]), flush=True)
    return 0


def study(
    pack: MapPack,
    describer: Describer,
    imagery: Sequence[Path],
    ground: Ground,
    known: Ground,
    level: int,
    asked: Asked,
) -> dict[str, list[tuple[Case, FrameResult]]]:
    """By method. known: the ground that the aircraft has, at a level of the map grid."""
    camera = Camera(WIDTH_PX, HEIGHT_PX, FOCAL_PX, mounting=Mounting(pitch_deg=asked.pitch_deg))
    localizer = Localizer(pack, describer, camera)
    sources = [source for group in open_imagery(imagery) for source in group]
    scene = ImageryScene(sources, ground, Appearance(), asked.seed)
    found: dict[str, list[tuple[Case, FrameResult]]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        terrain = write_terrain(Path(folder) / "terrain.mbtiles", known, pack.bounds, level)
        above = HeightAboveTerrain(GroundBelow(terrain, pack.bounds))
        for case in tqdm(
            _cases(pack, scene, camera, above, asked), total=asked.frames, mininterval=progress_s()
        ):
            told = Height(
                case.frame.time_ns, case.home_agl_m, case.told_amsl_m, HEIGHT_SIGMA_M, HOME
            )
            true = Height(case.frame.time_ns, case.true_agl_m, None, 1.0)
            height, _ = above.height(told, case.prior)
            relief, doubt = above.relief(case.prior), above.doubt(height, case.prior)
            for method, used, slopes, doubted in zip(
                METHODS,
                (told, true, height),
                (None, None, relief),
                (None, None, doubt),
                strict=True,
            ):
                seen = (case.frame, case.attitude)
                look = localizer.look(*seen, used, case.prior.lat_deg, relief=slopes)
                if isinstance(look, FrameResult):
                    result = look
                else:
                    first = localizer.find(look, case.prior)
                    result = see_again(
                        localizer, *seen, doubted, case.prior, case.prior.lat_deg, first
                    )
                found[method].append((case, result))
    return found


def _cases(
    pack: MapPack, scene: ImageryScene, camera: Camera, above: HeightAboveTerrain, asked: Asked
) -> Iterator[Case]:
    rng = np.random.default_rng(asked.seed)
    home = _place(rng, pack.bounds)
    home_m = scene.ground_amsl_m(*home)
    amsl_error_m = float(rng.normal(0.0, AMSL_SIGMA_M))
    above.hear(VehicleState(0, "ardupilot", "copter", False, "STABILIZE"))
    above.hear(AutopilotPosition(0, *home, home_m + amsl_error_m, 0.0, 0.0, 0.0, 0.0))
    above.hear(VehicleState(0, "ardupilot", "copter", True, "AUTO"))
    for i in range(asked.frames):
        time_ns = (i + 1) * 1_000_000_000
        place = _place(rng, pack.bounds)
        roll, pitch = (float(v) for v in rng.normal(0.0, TILT_RAD / 2, 2))
        yaw = float(rng.uniform(-math.pi, math.pi))
        true = Attitude(time_ns, roll, pitch, yaw)
        errors = rng.normal(0.0, 1.0, 3) * (ATTITUDE_SIGMA_RAD, ATTITUDE_SIGMA_RAD, YAW_SIGMA_RAD)
        attitude = Attitude(time_ns, *(float(a) for a in np.array([roll, pitch, yaw]) + errors))
        amsl_m = scene.ground_amsl_m(*place) + asked.agl_m
        east, north = (float(v) for v in rng.normal(0.0, asked.prior_sigma_m, 2))
        drift_m = float(rng.normal(0.0, DRIFT_SIGMA_M))
        picture = scene.picture(*place, amsl_m, true, camera)
        yield Case(
            Frame(time_ns, picture, f"frame {i}"),
            place,
            attitude,
            Prior(*offset_latlon(*place, east, north), asked.prior_sigma_m),
            asked.agl_m,
            amsl_m - home_m + drift_m,
            amsl_m + amsl_error_m + drift_m,
        )


def _place(rng: np.random.Generator, bounds: Bounds) -> tuple[float, float]:
    south, west, north, east = bounds
    up, right = rng.uniform(MARGIN_SHARE, 1.0 - MARGIN_SHARE, 2)
    return float(south + up * (north - south)), float(west + right * (east - west))


def _table_head() -> str:
    return (
        f"{'ground':<26}{'height':<22}{'located':>9}{'median m':>10}{'P95 m':>8}"
        f"{'> PL':>6}{f'> {FAR_M:.0f} m':>8}  refused most for"
    )


def _row(ground: str, method: str, results: Sequence[tuple[Case, FrameResult]]) -> str:
    """> PL: errors above the protection level that was told with them."""
    errors, beyond = [], 0
    refused: Counter[str] = Counter()
    for case, result in results:
        if result.fix is None:
            assert result.refusal is not None
            refused[result.refusal.reason.value] += 1
            continue
        fix = result.fix
        errors.append(distance_m(*case.place, fix.lat_deg, fix.lon_deg))
        beyond += errors[-1] > fix.protection_m
    middle, p95 = np.percentile(errors, [50, 95]) if errors else (math.nan, math.nan)
    why = ", ".join(f"{reason} {n}" for reason, n in refused.most_common(2))
    return (
        f"{ground:<26}{method:<22}{len(errors) / len(results):>9.0%}{middle:>10.1f}{p95:>8.1f}"
        f"{beyond:>6}{sum(e > FAR_M for e in errors):>8}  {why}"
    )
