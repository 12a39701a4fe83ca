"""`pilotage export gpu-check`: engines, parity and speed on this machine's GPU, as a table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from onboard.errors import InputError
from onboard.model_bundle import DEFAULT_BUNDLE, bundle_path
from tools.export_engine import parse_batch

HELP = (
    "Builds TensorRT engines of a bundle in fp32, fp16 and int8, compares them with the network, "
    "times them beside ONNX Runtime on the CPU and by CUDA, and writes gpu-check.json and "
    "gpu-check.md. Uses what is installed; what is not is said in its row. The bundle itself "
    "stays as it is."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", nargs="?", type=bundle_path, default=DEFAULT_BUNDLE, help="model bundle"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="a new folder")
    parser.add_argument("--batch", default="1,16", help="two batches to time, as 1,16")
    parser.add_argument("--repeats", type=int, default=300, help="calls of each row")
    parser.add_argument("--views", type=Path, help="map pack or photographs (default: the world)")
    parser.add_argument("--peak-tflops", type=float, help="of the GPU's data sheet, for the share")


def run(args: argparse.Namespace) -> int:
    from onboard.inference.gpu import first_gpu

    batches = parse_batch(args.batch)
    if args.repeats < 1:
        raise InputError(f"--repeats {args.repeats}: give at least 1")
    first_gpu()

    from export.bundles.parity_views import views_of
    from export.engines import gpu_check
    from onboard.model_bundle import load_bundle
    from onboard.whole_file import make_folder, write_whole

    if args.out.exists():
        raise InputError(f"--out {args.out}: is there already; give a new folder")
    versions = gpu_check.versions()
    for what, version in versions.items():
        print(f"{what:<20}{version}")
    bundle = load_bundle(args.bundle, for_flight=False)
    views = views_of(args.views)
    make_folder(args.out)
    sizes = sorted(set(batches))
    checked = gpu_check.check_baselines(bundle, sizes, args.repeats, _say)
    checked += gpu_check.check_engines(bundle, args.out, views, sizes, args.repeats, _say)
    faster = gpu_check.speed_up(checked)
    record = {
        "bundle": bundle.id,
        "versions": versions,
        "speed_up_fp16_over_cuda": faster,
        "rows": [
            {
                "name": c.name,
                "timings": [dataclasses.asdict(row) for row in c.rows],
                "parity": c.parity and c.parity.as_json(),
                "refused": c.refused,
            }
            for c in checked
        ],
    }
    write_whole(args.out / "gpu-check.json", json.dumps(record, indent=1) + "\n")
    facts = "\n".join(f"- {what}: {version}" for what, version in versions.items())
    text = f"# {bundle.id}\n\n{facts}\n\n{gpu_check.table(checked, args.peak_tflops)}"
    if faster is not None:
        goal = gpu_check.SPEED_UP_GOAL
        text += f"\nfp16 engine over ONNX Runtime CUDA fp32: {faster:.1f} times (goal {goal:g}).\n"
    write_whole(args.out / "gpu-check.md", text)
    print(f"\n{text}\n{args.out / 'gpu-check.json'}")
    return 0


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
