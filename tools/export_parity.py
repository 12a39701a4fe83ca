"""`pilotage export parity`: whether a bundle answers like what it was made from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from onboard.model_bundle import bundle_path

HELP = (
    "Compares a bundle's encoder with the checkpoint it was exported from, with another bundle "
    "(the one it was quantized from, say), or on another backend with itself on the CPU: "
    "largest error, cosine, overlap of retrieval, no NaN on hard pictures. Exit status 1 when a "
    "limit is missed."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_path, help="model bundle: a shipped name or a folder")
    reference = parser.add_mutually_exclusive_group(required=True)
    reference.add_argument("--checkpoint", type=Path, help="weights; needs --model")
    reference.add_argument("--reference", type=bundle_path, help="another bundle")
    reference.add_argument("--engine", action="store_true", help="its TensorRT engine")
    reference.add_argument("--backend", help="another backend, such as onnxruntime-cuda")
    parser.add_argument("--model", help="name of the checkpoint's network, such as gengeo")
    parser.add_argument("--size", type=int, help="side of the network's pictures")
    views = parser.add_mutually_exclusive_group()
    views.add_argument("--views", type=Path, help="folder of photographs")
    views.add_argument("--map", type=Path, help="map pack (default: the procedural world)")
    parser.add_argument("--pictures", type=int, default=64, help="of the gallery")
    parser.add_argument("--out", type=Path, help="also write the report as JSON")


def run(args: argparse.Namespace) -> int:
    from export.bundles.parity import compare
    from export.bundles.parity_report import limits_of, runs_of
    from export.bundles.parity_views import views_of
    from onboard.model_bundle import load_bundle
    from onboard.whole_file import make_folder, write_whole
    from tools.progress_bar import progress_bar

    if args.out is not None:
        make_folder(args.out.parent)
    bundle = load_bundle(args.bundle, for_flight=False)
    backend = "tensorrt" if args.engine else args.backend
    reference, candidate, said = runs_of(
        bundle, args.checkpoint, args.model, args.size, args.reference, backend
    )
    with progress_bar("comparing", "picture") as show:
        parity = compare(
            reference, candidate, views_of(args.views or args.map, args.pictures), show
        )
    failures = parity.failures(limits_of(bundle, backend))
    report = {"bundle": bundle.id, "against": said, **parity.as_json(), "failures": failures}
    print(f"{bundle.id} against {said}, {parity.pictures} pictures ({parity.views}):")
    for name, output in parity.outputs.items():
        print(f"  {name}: cosine {output.cosine:.7f}, largest difference {output.max_abs:.2g}")
    print(f"  overlap@10 of retrieval {parity.overlap:.3f}")
    print("\n".join(f"  MISSED: {f}" for f in failures) or "  all limits kept")
    if args.out is not None:
        write_whole(args.out, json.dumps(report, indent=2) + "\n")
    return 1 if failures else 0
