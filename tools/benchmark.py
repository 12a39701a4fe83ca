"""`pilotage benchmark`: a model on a public data set, by the protocol of the set's authors."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from onboard.errors import InputError
from onboard.model_bundle import DEFAULT_BUNDLE
from onboard.whole_file import make_folder
from tools.network_options import add_backend_arguments, add_model_argument, chosen_backend

if TYPE_CHECKING:
    from export.benchmark.model import Model

HELP = (
    "Measures retrieval (and metres, where the model tells them) on a data set, prints the row "
    "that its papers print and writes JSON. A run that was stopped goes on with the same command."
)
ALL = "all"
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
DEFAULT_CACHE = CACHES / "pilotage" / "benchmark"
UNREADABLE_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from export.datasets.catalogue import DATASETS
    from export.metrics.average_precision import JunkRule
    from export.weather.condition import Weather

    parser.add_argument("dataset", help=f"one of {', '.join(DATASETS)}")
    parser.add_argument("root", type=Path, help="its folder, as its authors give it out")
    parser.add_argument("--direction", help="which way or split (default: the set's first)")
    parser.add_argument("--work", type=Path, help="folder for what is cut from the set's maps")
    add_model_argument(parser)
    add_backend_arguments(parser)
    parser.add_argument("--network", help="instead of a bundle: a network by name, as gengeo")
    parser.add_argument("--checkpoint", type=Path, help="its weights")
    parser.add_argument("--input-px", type=int, help="its input size (default: its own)")
    parser.add_argument(
        "--gallery-mode",
        choices=[rule.value for rule in JunkRule],
        default=JunkRule.ORIGINAL.value,
        help="sample4geo: references whose id no query has are taken out",
    )
    parser.add_argument("--flip", action="store_true", help="add the mirror image's descriptor")
    parser.add_argument("--no-rerank", action="store_true", help="descriptors only")
    parser.add_argument(
        "--weather", choices=[*(w.value for w in Weather), ALL], default=Weather.NORMAL.value
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where descriptors stay")
    parser.add_argument("--out", type=Path, help="JSON file for everything that was measured")


def run(args: argparse.Namespace) -> int:
    from export.benchmark.result import Counting, measure_set, write_results
    from export.benchmark.table import table
    from export.datasets.catalogue import directions, read_dataset
    from export.metrics.average_precision import JunkRule
    from export.weather.condition import Weather

    if (args.network is None) != (args.checkpoint is None):
        raise InputError("--network and --checkpoint go together; give both or a --model")
    if args.network is not None and args.model != DEFAULT_BUNDLE:
        raise InputError("--network and --model are two models; give one of them")
    if args.out is not None:
        make_folder(args.out.parent)
    weathers = list(Weather) if args.weather == ALL else [Weather(args.weather)]
    sets = read_dataset(args.dataset, args.root, args.direction, args.work)
    model = _model(args)
    counting = Counting(JunkRule(args.gallery_mode), args.flip, not args.no_rerank)
    about: dict[str, object] = {
        "dataset": args.dataset,
        "direction": args.direction or directions(args.dataset)[0],
        "root": str(args.root.absolute()),
    }
    rows = []
    for weather in weathers:
        for pairs in sets:
            rows.append(measure_set(pairs, model, weather, counting, args.cache))
            if args.out is not None:
                write_results(args.out, about, model, counting, rows)
    print(f"{model.name} ({model.sha256[:12]})")
    print(table(args.dataset, rows))
    unreadable = list(dict.fromkeys(why for row in rows for why in row.unreadable))
    for why in unreadable[:UNREADABLE_SHOWN]:
        print(f"unreadable: {why}")
    if len(unreadable) > UNREADABLE_SHOWN:
        print(f"unreadable: {len(unreadable) - UNREADABLE_SHOWN} more, all in --out's file")
    return 0


def _model(args: argparse.Namespace) -> Model:
    if args.network is not None:
        from export.benchmark.network_model import load_model

        return load_model(args.network, args.checkpoint, args.input_px)
    from export.benchmark.bundle_model import load_bundle_model

    return load_bundle_model(args.model, chosen_backend(args))
