"""`pilotage export bench`: latency, memory, work and share of the roofline of a bundle."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from onboard.model_bundle import bundle_path

HELP = (
    "Measures a bundle's encoder on each backend that can be had: median and P99 latency, peak "
    "memory, FLOPs and bytes per picture, share of what this machine can do (probed by a matrix "
    "product and a copy in the same run)."
)
HEADINGS = ("batch", "median ms", "P99 ms", "pictures/s", "peak MB", "GFLOP", "MB moved",
            "GFLOP/s", "of roofline")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=bundle_path, help="model bundle: a shipped name or a folder")
    parser.add_argument("--backend", help="only this one, such as onnxruntime-cpu (default: all)")
    parser.add_argument("--batch", default="1,16", help="pictures at once, as 1,16")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: all cores")
    parser.add_argument("--repeats", type=int, default=100, help="calls of each row")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")


def run(args: argparse.Namespace) -> int:
    from export.bundles.bench import all_threads, bench
    from onboard.errors import BackendError, InputError
    from onboard.inference.contract import Backend
    from onboard.whole_file import make_folder, write_whole

    batches = _batches(args.batch)
    known = [b.value for b in Backend if b is not Backend.AUTO]
    if args.backend is not None and args.backend not in known:
        raise InputError(f"--backend {args.backend}: no such backend; known are {', '.join(known)}")
    if args.repeats < 1 or args.threads < 0:
        raise InputError("--repeats must be at least 1 and --threads at least 0")
    if args.out is not None:
        make_folder(args.out.parent)
    threads = args.threads or all_threads()
    rows = []
    for name in [args.backend] if args.backend else known:
        for batch in batches:
            try:
                row, roof = bench(args.bundle, Backend(name), batch, threads, args.repeats)
            except (InputError, BackendError) as e:
                if args.backend:
                    raise
                print(f"{name}: not measured: {e}")
                break
            if batch == batches[0]:
                print(f"{row.backend}, {threads} threads")
                print("".join(f"{h:>12}" for h in HEADINGS))
            share = "" if row.roofline_share is None else f"{row.roofline_share:.0%}"
            cells = (str(batch), f"{row.median_ms:.2f}", f"{row.p99_ms:.2f}",
                     f"{row.pictures_per_s:.1f}", f"{row.peak_bytes / 1e6:.0f}",
                     f"{row.flops_per_picture / 1e9:.3f}", f"{row.bytes_per_picture / 1e6:.1f}",
                     f"{row.gflops_per_s:.1f}", share)  # fmt: skip
            print("".join(f"{c:>12}" for c in cells), flush=True)
            if roof is not None:
                print(
                    f"  this machine: {roof.flops_per_s / 1e9:.0f} GFLOP/s in fp32, "
                    f"{roof.bytes_per_s / 1e9:.1f} GB/s"
                )
            roofline = None if roof is None else dataclasses.asdict(roof)
            rows.append({**dataclasses.asdict(row), "threads": threads, "roofline": roofline})
    if args.out is not None:
        write_whole(args.out, json.dumps(rows, indent=2) + "\n")
    return 0


def _batches(text: str) -> list[int]:
    from onboard.errors import InputError

    parts = [p.strip() for p in text.split(",")]
    if not all(p.isdecimal() and int(p) >= 1 for p in parts):
        raise InputError(f"--batch is '{text}'; give numbers from 1 on, such as 1,16")
    return [int(p) for p in parts]
