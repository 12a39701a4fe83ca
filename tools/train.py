"""`pilotage train`: trains what one configuration file says, writes its bundle if asked."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "train a network; goes on where a killed run stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", type=Path, help="TOML file, such as export/trained/unifygeo-edge/train.toml"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for checkpoint, log, curves"
    )
    parser.add_argument("--bundle", type=Path, help="also write the model bundle to this folder")


def run(args: argparse.Namespace) -> int:
    from export.training.tasks.catalogue import load_task_settings, make_task
    from export.training.trainer import train

    settings = load_task_settings(args.config)
    checkpoint = train(make_task(settings), settings.run, repr(settings), args.out)
    print(f"trained: {checkpoint}")
    if args.bundle is not None:
        from export.bundles.trained_bundle import bundle_from_checkpoint

        parity = bundle_from_checkpoint(checkpoint, settings, args.bundle)
        worst = max(parity.values())
        print(f"bundle: {args.bundle} (ONNX Runtime against PyTorch: {worst:.1e} at most)")
    return 0
