"""`pilotage export engine`: TensorRT engines of a bundle, for this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from onboard.errors import InputError
from onboard.model_bundle import bundle_path

HELP = (
    "Builds TensorRT engines of a model bundle on the machine that will fly it, compares them "
    "with the network, and puts them beside the graphs, stamped with GPU, TensorRT version, "
    "precision and source; an engine that answers otherwise is not written. Only engines that "
    "were built on a machine are loaded there."
)
LARGEST_BATCH = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_path, help="model bundle: a shipped name or a folder")
    parser.add_argument("--precision", choices=("fp16", "int8", "fp32"), default="fp16")
    parser.add_argument(
        "--batch", help="best and largest batch (default 1,16: flight, map building; 1 for --dla)"
    )
    parser.add_argument("--dla", action="store_true", help="on a Jetson's DLA, where it can")
    parser.add_argument(
        "--calibration", type=Path, help="for int8: map pack or folder of photographs"
    )
    parser.add_argument(
        "--views",
        type=Path,
        help="map pack or folder of photographs to compare on (default: those of --calibration, "
        "the other half; else the procedural world)",
    )


def run(args: argparse.Namespace) -> int:
    best, largest = parse_batch(args.batch or ("1" if args.dla else "1,16"))
    if args.dla and largest != 1:
        raise InputError(f"--batch {args.batch}: the DLA takes one size only, give 1")
    if args.precision == "int8" and args.calibration is None:
        raise InputError(
            "--precision int8 needs --calibration: a map pack or a folder of photographs such as "
            "the network will see"
        )
    from onboard.inference.gpu import first_gpu
    from onboard.inference.tensorrt_api import import_tensorrt

    gpu, trt = first_gpu(), import_tensorrt()

    from export.bundles.parity_views import ParityViews, views_of
    from export.engines.engine_set import build_engine_set
    from export.engines.tensorrt_builder import BuildOptions, Precision
    from onboard.model_bundle import load_bundle

    print(f"{gpu.name} (compute capability {gpu.compute_capability}), TensorRT {trt.__version__}")
    bundle = load_bundle(args.bundle, for_flight=False)
    options = BuildOptions(Precision(args.precision), (1, best, largest), args.dla)
    views, calibration = views_of(args.views or args.calibration), None
    if args.precision == "int8":
        calibration = views_of(args.calibration).gallery[::2]
        if args.views is None:
            views = ParityViews(views.gallery[1::2], views.queries, views.source)
    done = build_engine_set(bundle, options, views, calibration, _show)
    print(file=sys.stderr)
    for name, output in done.parity.outputs.items():
        print(f"  {name}: cosine {output.cosine:.6f}, largest difference {output.max_abs:.2g}")
    print(f"  overlap@10 of retrieval {done.parity.overlap:.3f} ({done.parity.views})")
    for path in done.paths:
        print(path)
    return 0


def parse_batch(text: str) -> tuple[int, int]:
    """'1,16' -> best and largest; '8' is both. Raises InputError."""
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2) or not 1 <= sizes[0] <= sizes[-1] <= LARGEST_BATCH:
        raise InputError(
            f"--batch {text}: give best and largest batch, as 1,16, up to {LARGEST_BATCH}"
        )
    return sizes[0], sizes[-1]


def _show(what: str) -> None:
    """One line that is written over."""
    print(f"\r{what[:78]:<78}", end="", file=sys.stderr, flush=True)
