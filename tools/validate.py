"""`pilotage validate`: a model bundle on ground that training never saw, through the flight code.

What the gates' limits and the covariance's calibration stand on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from onboard.errors import InputError
from tools.network_options import add_backend_arguments, add_model_argument, chosen_backend

HELP = "measure a model bundle on the held-out ground of a training configuration"
HELD_OUT_LANDSCAPES = (5, 7, 9)  # seeds; training takes its own from `first_seed` on
LANDSCAPE_GROUND_SIZE_M = 0.45
TWO_DATES_GROUND_SIZE_M = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", type=Path, help="TOML file, such as export/trained/unifygeo-edge/train.toml"
    )
    add_model_argument(parser)
    add_backend_arguments(parser)
    parser.add_argument("--queries", type=int, default=100, help="views of each piece of ground")
    parser.add_argument(
        "--two-dates", type=Path, help="also a folder of PLOT_DATE.jpg, two dates a plot"
    )


def run(args: argparse.Namespace) -> int:
    from export.overhead.scenes import load_scenes
    from export.overhead.world_scenes import world_scene
    from export.training.tasks.catalogue import load_task_settings
    from export.training.tasks.overhead_descriptor import OverheadDescriptorSettings
    from export.training.tasks.unifygeo_edge import UnifyGeoEdgeSettings
    from export.validation.held_out import HeldOut, held_out_set
    from export.validation.in_flight import Located, locate_all, summary
    from export.validation.two_dates import two_dates_set
    from onboard.describe import Describer
    from onboard.model_bundle import load_bundle

    settings = load_task_settings(args.config)
    if not isinstance(settings, UnifyGeoEdgeSettings | OverheadDescriptorSettings):
        raise InputError(f"{args.config}: its task trains on no overhead pairs; give one that does")
    describer = Describer(load_bundle(args.model), backend=chosen_backend(args))
    ground: dict[str, HeldOut] = {}
    for held_out in settings.held_out:
        region = load_scenes(held_out.source, settings.pairs.data)[0]
        for size_m in (held_out.ground_size_m, held_out.ground_size_m / 2):
            ground[f"{region.name} {size_m:.2f} m/px"] = held_out_set(region, args.queries, size_m)
    if settings.pairs.world is not None:
        for seed in HELD_OUT_LANDSCAPES:
            scene = world_scene(seed, settings.pairs.world)
            ground[scene.name] = held_out_set(scene, args.queries, LANDSCAPE_GROUND_SIZE_M)
    if args.two_dates is not None:
        name = f"{args.two_dates.name} {TWO_DATES_GROUND_SIZE_M} m/px"
        ground[name] = two_dates_set(args.two_dates, TWO_DATES_GROUND_SIZE_M)
    print(f"{describer.bundle.id}, {args.queries} views each, no prior")
    everything: list[Located] = []
    for name, views in ground.items():
        results = locate_all(views, describer, with_prior=False)
        everything += results
        _print(f"{name}, {len(views.tiles)} tiles", summary(results))
    _print("all", summary(everything))
    return 0


def _print(name: str, figures: dict[str, float | int | dict[str, int]]) -> None:
    cells = [
        f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}"
        for k, v in figures.items()
        if v != {}
    ]
    print(f"{name}:\n    " + "  ".join(cells), flush=True)
