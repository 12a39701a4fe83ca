"""`pilotage map check`: will it work here? From the map alone, before flight."""

from __future__ import annotations

import argparse
import math
from datetime import date
from pathlib import Path

from maps.localizability.assess import Assessment, assess
from maps.localizability.drawing import as_geojson, draw_map
from maps.localizability.examine import Examination
from maps.localizability.in_pack import is_signed, map_sha256, put_into_pack
from maps.localizability.map_views import footprint_of
from maps.localizability.places import Place
from maps.localizability.route import Position, RouteFigures, fly_route, route_places
from onboard.errors import InputError
from onboard.outputs.moment import MAX_TRUSTED_ACCURACY_M
from onboard.pack.map_pack import MapPack
from onboard.whole_file import make_folder, write_whole
from tools.flight_inputs import add_public_key_argument, open_map, positive
from tools.map.check_page import check_page, verdict
from tools.map.check_route import read_route
from tools.map.check_setting import Setting, setting_of
from tools.network_options import add_backend_arguments, add_model_argument
from tools.progress_bar import progress_bar

HELP = (
    "Says from a map alone where frames will be located: takes views out of the map, alters them "
    "as another day would, and looks for them with the code that flies. Writes a localizability "
    "map (PNG and GeoJSON, into the pack too unless it is signed) and a page; with --mission the "
    "share of the way that can be localized, the longest blind stretch and the accuracy to be "
    "expected, with exit status 1 when the position would become too uncertain. Goes on where it "
    "was stopped."
)
PLACES, VIEWS = 300, 3
SPEED_M_S = 10.0
PRIOR_SIGMA_M = 50.0
MOST_PLACES, MOST_VIEWS = 20_000, 100
EXIT_NOT_FLYABLE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("map", type=Path, help="the pack's folder")
    parser.add_argument(
        "--mission", type=Path, help="the way: .plan, .waypoints, or GeoJSON or KML with a line"
    )
    parser.add_argument("--camera", type=Path, help="camera file (default: 67 degrees wide, 4:3)")
    parser.add_argument(
        "--agl-m",
        help="heights above ground, as 80-120; the lowest is checked, which sees least (default: "
        "the mission's, or at which a picture just fills the finest level's views)",
    )
    parser.add_argument("--speed-m-s", type=positive, default=SPEED_M_S, help="default 10")
    parser.add_argument(
        "--limit-m",
        type=positive,
        default=MAX_TRUSTED_ACCURACY_M,
        help="one sigma of the position that the mission must keep within (default "
        f"{MAX_TRUSTED_ACCURACY_M:.0f}, beyond which none is sent)",
    )
    parser.add_argument("--prior-sigma-m", type=positive, default=PRIOR_SIGMA_M, help="default 50")
    parser.add_argument(
        "--places", type=int, default=PLACES, help=f"tried at most (default {PLACES})"
    )
    parser.add_argument("--views", type=int, default=VIEWS, help=f"a place (default {VIEWS})")
    parser.add_argument("--date", help="of the flight, as 2026-11-21 (default: today)")
    parser.add_argument("--out", type=Path, help="output folder (default: PACK-check beside it)")
    parser.add_argument(
        "--keep-pack", action="store_true", help="write nothing into the pack, only beside it"
    )
    add_public_key_argument(parser)
    add_model_argument(parser, pack_decides=True)
    add_backend_arguments(parser)


def run(args: argparse.Namespace) -> int:
    today = _date(args.date)
    _refuse_counts(args)
    pack, describer, runs = open_map(args)
    route = read_route(args.mission, pack, args.agl_m is None) if args.mission else None
    setting = setting_of(args, pack, None if route is None else route.agl_m)
    camera = setting.camera
    what = Examination(
        map_sha256(pack),
        setting.level,
        footprint_of(camera, setting.agl_m),
        args.prior_sigma_m,
        args.views,
    )
    out = args.out or pack.path.with_name(f"{pack.path.stem}-check")
    make_folder(out)
    positions = [] if route is None else list(route.positions)
    places: list[Place] = route_places(positions, setting.level) if positions else []
    with progress_bar("places", "place") as bar:
        assessment = assess(
            pack, describer, what, args.places, places, today, out / "examined.jsonl", bar
        )
    figures = _fly(positions, assessment, setting, pack, args) if positions else None
    notes = (runs, *setting.notes, *(route.notes if route else ()), *_about_sampling(assessment))
    stored = _write(out, pack, assessment, figures, notes, args, today)
    for line in (*notes, *stored):
        print(line)
    print(f"page: {out / 'check.html'}")
    print(verdict(assessment, figures))
    return EXIT_NOT_FLYABLE if figures is not None and not figures.is_flyable else 0


def _fly(
    positions: list[Position],
    assessment: Assessment,
    setting: Setting,
    pack: MapPack,
    args: argparse.Namespace,
) -> RouteFigures:
    return fly_route(
        positions,
        {p.findings.place: p for p in assessment.predictions},
        setting.level,
        setting.agl_m,
        math.radians(setting.camera.mounting.sigma_deg),
        pack.manifest.map_sigma_m,
        args.speed_m_s,
        args.limit_m,
    )


def _about_sampling(assessment: Assessment) -> tuple[str, ...]:
    shown = len(assessment.predictions)
    notes = [
        f"{assessment.tried} of {shown} places with imagery at level {assessment.what.level} tried "
        f"with {assessment.what.views} views each"
        + ("" if assessment.tried == shown else "; the others are judged by them")
    ]
    if assessment.looked_at < assessment.in_pack:
        notes.append(
            f"{assessment.looked_at} of the pack's {assessment.in_pack} places are shown, evenly "
            "spread and all along the mission"
        )
    if assessment.age_years is None:
        notes.append("the imagery's date is unknown: its age is left out of account")
    return tuple(notes)


def _write(
    out: Path,
    pack: MapPack,
    assessment: Assessment,
    figures: RouteFigures | None,
    notes: tuple[str, ...],
    args: argparse.Namespace,
    today: date,
) -> tuple[str, ...]:
    """Map and page in `out`, the map into the pack; what there is to say of that."""
    what = assessment.what
    title = f"{pack.manifest.name}, level {what.level}, {what.footprint.agl_m:.0f} m above ground"
    png = draw_map(pack, assessment.predictions, f"{title}: chance that a frame is located")
    about: dict[str, object] = {
        "name": title,
        "assessed": today.isoformat(),
        "tried": assessment.tried,
        "model": pack.manifest.model.id,
    }
    geojson = as_geojson(assessment.predictions, about).encode()
    write_whole(out / "localizability.png", png)
    write_whole(out / "localizability.geojson", geojson)
    write_whole(out / "check.html", check_page(pack, assessment, figures, notes))
    if is_signed(pack):
        return (f"{pack.path} is signed and was left alone; the map lies in {out}",)
    if args.keep_pack:
        return (f"the map lies in {out}",)
    try:
        names = put_into_pack(pack.path, {".png": png, ".geojson": geojson})
    except InputError as e:
        raise InputError(f"{e}, or leave the pack alone with --keep-pack") from e
    return (f"put into {pack.path}: {', '.join(names)}",)


def _refuse_counts(args: argparse.Namespace) -> None:
    if not (1 <= args.places <= MOST_PLACES and 1 <= args.views <= MOST_VIEWS):
        raise InputError(f"give --places 1 to {MOST_PLACES} and --views 1 to {MOST_VIEWS}")


def _date(text: str | None) -> date:
    try:
        return date.today() if text is None else date.fromisoformat(text)
    except ValueError as e:
        raise InputError(f"--date {text}: write it as 2026-11-21") from e
