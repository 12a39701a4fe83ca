"""`pilotage ablation`: one training in several variants and seeds, and a table of the outcome."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "train several variants with several seeds each and compare them; goes on after a kill"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", type=Path, help="TOML file, such as export/trained/ablation/aggregators.toml"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the table")
    parser.add_argument("--seed", type=int, help="only this one of the configuration's seeds")


def run(args: argparse.Namespace) -> int:
    from export.training.ablation import load_ablation, results, run_ablation, table
    from onboard.errors import InputError
    from onboard.whole_file import write_whole

    ablation = load_ablation(args.config)
    if args.seed is not None and args.seed not in ablation.seeds:
        raise InputError(f"{args.config}: no seed {args.seed}; give one of {ablation.seeds}")
    run_ablation(ablation, args.out, args.seed)
    text = table(results(ablation, args.out))
    write_whole(args.out / "table.md", text + "\n")
    print(text)
    return 0
