"""`pilotage export quantize`: a bundle for CPUs whose encoder computes in int8."""

from __future__ import annotations

import argparse
from pathlib import Path

from onboard.model_bundle import bundle_path

HELP = (
    "Writes a bundle whose encoder is quantized to int8 (static, Q/DQ nodes), calibrated on "
    "pictures such as it will see, after measuring agreement and speed against the original. A "
    "map must be built with the bundle that flies it: the two describe differently."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_path, help="model bundle: a shipped name or a folder")
    parser.add_argument(
        "--calibration",
        type=Path,
        help="map pack or folder of photographs (default: the procedural world)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    parser.add_argument(
        "--target",
        choices=("cpu", "tensorrt"),
        default="cpu",
        help="whose kinds of int8: ONNX Runtime's on CPUs, or what `export engine` parses",
    )
    parser.add_argument("--pictures", type=int, default=128, help="half to calibrate, half to test")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime; 0: all cores")


def run(args: argparse.Namespace) -> int:
    from export.bundles.parity_views import views_of
    from export.bundles.quantize import Target
    from export.bundles.quantized_bundle import write_quantized_bundle
    from onboard.errors import InputError
    from onboard.model_bundle import load_bundle
    from tools.progress_bar import progress_bar

    bundle = load_bundle(args.bundle, for_flight=False)
    views = views_of(args.calibration, gallery=args.pictures)
    try:
        with progress_bar("calibrating", "picture") as show:
            done = write_quantized_bundle(
                bundle, args.out, views, Target(args.target), args.threads, show
            )
    except ValueError as e:
        raise InputError(f"{args.out}: not written: {e}") from e
    worst = min(output.cosine for output in done.parity.outputs.values())
    print(f"{args.out}: {done.products} products in int8, the rest in fp32")
    print(f"  against {bundle.id}: cosine {worst:.4f}, overlap@10 {done.parity.overlap:.3f}")
    print(
        f"  one picture: {done.fp32.median_s * 1e3:.1f} ms in fp32, {done.int8.median_s * 1e3:.1f} "
        f"ms in int8 (medians): {done.speed_up:.2f} times as fast"
    )
    return 0
