"""What replay and evaluation both start from: photographs, camera, map pack, network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import distance_to_box_m
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle, shipped_bundle_of
from onboard.pack.found_pack import find_pack, trust_of
from onboard.pack.map_pack import MapPack
from tools.network_options import add_backend_arguments, add_model_argument, chosen_backend
from tools.photo_camera import camera_of, turns_with_gimbal
from tools.photo_folder import Flight, read_flight

MOST_M = 1_000_000.0  # no map pack is wider


@dataclass(frozen=True)
class FlightInputs:
    """by_gimbal: the camera turns as the gimbal's angles say. off_map_m: how far the nearest
    recorded position lies from the map, 0 where one is on it."""

    flight: Flight
    camera: Camera
    by_gimbal: bool
    pack: MapPack
    describer: Describer
    off_map_m: float
    notes: tuple[str, ...]


def add_flight_arguments(parser: argparse.ArgumentParser) -> None:
    add_map_arguments(parser)
    parser.add_argument("--camera", type=Path, help="camera file (default: from the tags)")
    parser.add_argument("--poses", type=Path, help="CSV with a row a photograph (default: tags)")
    parser.add_argument("--agl-m", type=positive, help="height of photographs that tell none")


def add_map_arguments(parser: argparse.ArgumentParser) -> None:
    """What `open_map` needs."""
    parser.add_argument("--map", type=Path, required=True, help="map pack")
    add_public_key_argument(parser)
    add_model_argument(parser, pack_decides=True)
    add_backend_arguments(parser)


def add_public_key_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map-public-key",
        type=Path,
        metavar="PEM",
        help="refuse a map that no key of this file has signed",
    )


def open_flight_inputs(folder: Path, args: argparse.Namespace) -> FlightInputs:
    """The cheap checks first. Without --model the pack decides: it was described with one of
    the shipped models, or else must fit the default one.

    Raises InputError as each of the readers does.
    """
    flight = read_flight(folder, args.poses, args.agl_m)
    camera, said = camera_of(flight.photos, args.camera)
    pack, describer, runs = open_map(args)
    placed = [(p.tags.lat_deg, p.tags.lon_deg) for p in flight.photos]
    known = [(lat, lon) for lat, lon in placed if lat is not None and lon is not None]
    outside, off_map_m = outside_map(known, pack)
    notes = (*said, runs, *flight.notes)
    if outside:
        notes += (f"{outside} of {len(flight.photos)} recorded positions lie outside the map",)
    return FlightInputs(
        flight, camera, turns_with_gimbal(camera), pack, describer, off_map_m, notes
    )


def open_map(args: argparse.Namespace) -> tuple[MapPack, Describer, str]:
    """The pack, the network that describes like it, and a sentence on what that runs on.

    Raises InputError as each of the readers does.
    """
    backend = chosen_backend(args)
    found = find_pack(args.map, trust_of(args.map_public_key))
    described_with = found.manifest.model.sha256
    bundle = load_bundle(args.model or shipped_bundle_of(described_with) or DEFAULT_BUNDLE)
    pack = MapPack.of_manifest(found.path, found.manifest, bundle)
    describer = Describer(bundle, backend=backend)
    runs = f"{bundle.id} runs on {describer.network.runs_on}"
    return pack, describer, f"{runs}; map {found.said}" if found.trusted else runs


def refuse_wrong_map(inputs: FlightInputs) -> None:
    """See `refuse_far_map`."""
    refuse_far_map(inputs.pack, inputs.off_map_m)


def refuse_far_map(pack: MapPack, off_map_m: float) -> None:
    """Raises InputError when no recorded position lies on the map: after the run, so that its
    files show every frame refused."""
    if off_map_m > 0:
        raise InputError(
            f"{pack.path}: wrong map, the flight lies {off_map_m / 1000:.1f} km "
            "from it; give the map of the flight's area"
        )


def positive(text: str) -> float:
    """For argparse: metres above zero."""
    value = float(text)
    if not 0 < value <= MOST_M:
        raise argparse.ArgumentTypeError(f"{text} is not above zero and up to {MOST_M:.0f}")
    return value


def outside_map(positions: Sequence[tuple[float, float]], pack: MapPack) -> tuple[int, float]:
    """How many positions lie outside the map; when all do, the least distance, else 0."""
    south, west, north, east = pack.bounds
    outside = [
        distance_to_box_m(pack.bounds, lat, lon)
        for lat, lon in positions
        if not (south <= lat <= north and west <= lon <= east)
    ]
    return len(outside), min(outside) if outside and len(outside) == len(positions) else 0.0
