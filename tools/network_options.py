"""The options of every command that runs a network: which one, and on what."""

from __future__ import annotations

import argparse
from pathlib import Path

from onboard.flight_settings import FlightSettings
from onboard.inference import Backend
from onboard.model_bundle import DEFAULT_BUNDLE, bundle_path, shipped_bundles
from onboard.settings import load_settings


def add_model_argument(parser: argparse.ArgumentParser, pack_decides: bool = False) -> None:
    """--model NAME or FOLDER, a Path. pack_decides: None where it isn't given."""
    default = "the map pack's own" if pack_decides else DEFAULT_BUNDLE.name
    parser.add_argument(
        "--model",
        type=bundle_path,
        metavar="NAME",
        default=None if pack_decides else DEFAULT_BUNDLE,
        help=f"{', '.join(shipped_bundles())}, or a model bundle's folder (default: {default})",
    )


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """--backend, and --settings whose table [inference] says the same."""
    parser.add_argument(
        "--backend",
        choices=[b.value for b in Backend],
        help="what runs the network (default: [inference] backend of --settings, or auto)",
    )
    parser.add_argument("--settings", type=Path, help="TOML file with a table [inference]")


def chosen_backend(args: argparse.Namespace) -> Backend:
    """The option before the file. Raises InputError: the settings file is not good."""
    settings = load_settings(args.settings, FlightSettings) if args.settings else FlightSettings()
    return Backend(args.backend) if args.backend else settings.inference.backend
