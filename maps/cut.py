"""Cuts a mission's pack out of a cell store, without describing anything again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from maps.cells.assemble import assemble
from maps.cells.store import CellStore
from maps.cells.update import finished_header
from maps.coverage import say_what_is_missing
from maps.pack_name import pack_name
from maps.partial_pack import partial_pack
from onboard.errors import InputError
from onboard.pack.pack_manifest import FORMAT_VERSION, IMAGERY_NAME, Manifest


@dataclass(frozen=True)
class CutRequest:
    """store: a folder or an address that fsspec knows. area: WGS84 longitude, latitude; tiles
    that touch it are taken, of terrain too. levels: some of the store's, None takes all. name:
    the pack's, else that of its folder."""

    store: str
    out: Path
    area: BaseGeometry
    levels: tuple[int, ...] | None = None
    name: str | None = None
    replace: bool = False


def cut_pack(request: CutRequest) -> Manifest:
    """Reads only the cells that the area touches, and checks each file's hash on the way. The
    same cells and area give the same bytes.

    Raises InputError: no finished store, levels it does not have, nothing of it in the area, a
    damaged cell (by name), a pack there already, a full disk.
    """
    store = CellStore(request.store)
    held = finished_header(store).levels
    missing = sorted(set(request.levels or ()) - set(held))
    if missing:
        raise InputError(
            f"--levels: {request.store} has no level {', '.join(map(str, missing))}; it has "
            f"{', '.join(map(str, held))}"
        )
    mark = {
        "format_version": FORMAT_VERSION,
        "store": request.store,
        "area": request.area.wkt,
        "levels": request.levels,
    }
    with partial_pack(request.out, mark, request.replace) as (folder, note):
        if note:
            print(note, file=sys.stderr)
        name = pack_name(request.name, request.out)
        manifest = assemble(store, folder, name, request.area, request.levels)
        say_what_is_missing(folder / IMAGERY_NAME, request.area, max(manifest.levels))
        return manifest
