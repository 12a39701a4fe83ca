"""`pilotage export onnx`: a checkpoint becomes a model bundle, if the graph answers like it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

HELP = "turn a checkpoint into a model bundle whose graph was proven to answer like the network"
RANDOM = "random"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint", help=f"file of weights, or '{RANDOM}' for a dry run that can't be flown"
    )
    parser.add_argument("--model", required=True, help="name of the network, such as gengeo")
    parser.add_argument("--size", type=int, help="side of the network's pictures (its default)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--id", help="name of the bundle in model.json (MODEL-SIZE)")
    parser.add_argument("--precision", choices=("fp32", "mixed"), default="fp32")
    parser.add_argument(
        "--batch", default="dynamic", help="pictures at once, a number or 'dynamic' (the default)"
    )
    locating = parser.add_mutually_exclusive_group()
    locating.add_argument(
        "--locator", help="bundle that lends its maps to locate with (default: the shipped one)"
    )
    locating.add_argument(
        "--no-locator", action="store_true", help="describe only; for measuring, not for flight"
    )
    parser.add_argument(
        "--ground-size-m",
        type=float,
        nargs=2,
        metavar=("SMALLEST", "LARGEST"),
        help="m/px that the network was trained at (default: the locator's)",
    )
    parser.add_argument("--seed", type=int, default=0, help=f"of the weights when '{RANDOM}'")


def run(args: argparse.Namespace) -> int:
    from export.bundles.cross_view_bundle import write_cross_view_bundle
    from export.bundles.mixed_precision import Precision
    from export.bundles.network_bundle import BundlePlan, write_network_bundle
    from export.bundles.parity_views import world_views
    from export.networks.registry import Views, network_entry
    from export.networks.unifygeo import UnifyGeo
    from onboard.errors import InputError
    from onboard.model_bundle import DEFAULT_BUNDLE, bundle_path, load_bundle
    from tools.progress_bar import progress_bar

    entry = network_entry(args.model)
    batch = _batch(args.batch)
    if args.size is not None and args.size < 1:
        raise InputError(f"--size {args.size}: give the side of a picture in pixels")
    network_px = args.size or entry.default_size_px
    if args.ground_size_m and not 0 < args.ground_size_m[0] <= args.ground_size_m[1] < 100:
        raise InputError("--ground-size-m: give smallest and largest m/px, such as 0.15 0.8")
    network = _network(args, network_px)
    locator = load_bundle(bundle_path(args.locator) if args.locator else DEFAULT_BUNDLE)
    facts: dict[str, Any] = {
        "architecture": entry.summary,
        "weights": RANDOM if args.checkpoint == RANDOM else Path(args.checkpoint).name,
        "train_ground_size_m": list(args.ground_size_m or locator.train_ground_size_m),
    }
    plan = BundlePlan(
        model_id=args.id or f"{args.model}-{network_px}",
        network_px=network_px,
        precision=Precision(args.precision),
        batch=batch,
        locator=None if args.no_locator else locator,
        facts=facts,
    )
    try:
        if entry.views is Views.GROUND_AND_OVERHEAD:
            assert isinstance(network, UnifyGeo)
            parity = write_cross_view_bundle(args.out, network, plan)
        else:
            with progress_bar("comparing", "picture") as show:
                parity = write_network_bundle(args.out, network, plan, world_views(), show)
    except ValueError as e:
        raise InputError(f"{args.out}: not written: {e}") from e
    worst = min(output.cosine for output in parity.outputs.values())
    print(
        f"{args.out}: {plan.model_id}, {plan.precision.value}; against PyTorch on "
        f"{parity.pictures} pictures: cosine {worst:.7f}, overlap@10 {parity.overlap:.3f}"
    )
    return 0


def _network(args: argparse.Namespace, network_px: int) -> nn.Module:
    import torch

    from export.networks.registry import load_network, make_network

    if args.checkpoint == RANDOM:
        torch.manual_seed(args.seed)
        return make_network(args.model, network_px).eval()
    return load_network(args.model, Path(args.checkpoint), network_px)


def _batch(text: str) -> int | None:
    from onboard.errors import InputError

    if text == "dynamic":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--batch is '{text}'; give a number from 1 on, or 'dynamic'")
    return int(text)
