"""GTA-UAV: drone pictures rendered in a computer game, over tiles of the game's map.

Where from: the authors' repository Yux1angJi/GTA-UAV (code Apache-2.0) links it; the pictures come
from a commercial game: research only. Layout:

    drone/images/*.png
    satellite/<zoom>_0_<x>_<y>.png
    {cross,same}-area-drone2sate-{train,test}.json

Positions are metres of the game's world, 0.45 m to a pixel of its 24,576-px map. An entry of the
JSON lists its positive tiles (IoU above 0.39), all tiles above 0.14, and their IoUs. The gallery
is every tile in the folder; test entries without a positive are left out, and training takes
every pair above 0.14, weighted by its IoU (Game4Loc).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.datasets.folders import PictureNames, need_folder
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, TrainingSet, View
from export.datasets.text_files import number, read_json
from onboard.errors import InputError

SIZE = (384, 384)
WORLD_PX = 24576  # side of the map at its full resolution
METRES_PER_PX = 0.45
LAYOUT = "drone/images/*, satellite/<zoom>_0_<x>_<y>.png and {cross,same}-area-drone2sate-*.json"
DIRECTIONS = ("cross", "same")


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of 'cross' or 'same'."""
    return [read(root, direction)]


def read(root: Path, split: str = "cross") -> RetrievalSet:
    """Test pictures -> tiles.

    Raises InputError: a folder or list missing, an entry without a key, a picture absent.
    """
    path = root / f"{split}-area-drone2sate-test.json"
    entries = _Entries(root, path)
    kept = [i for i, own in enumerate(entries.positives) if own]
    if not kept:
        raise InputError(f"{path}: no entry has a positive tile; get the data set again")
    semi = [
        {j: v for j, v in entries.all_pairs[i].items() if j not in entries.positives[i]}
        for i in kept
    ]
    return RetrievalSet(
        name=f"GTA-UAV {split}-area, drone -> satellite",
        protocol=Protocol.POSITIONS,
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=SIZE,
        gallery_size=SIZE,
        queries=tuple(entries.queries[i] for i in kept),
        gallery=tuple(entries.gallery),
        positives=tuple(tuple(entries.positives[i]) for i in kept),
        semi_positives=tuple(tuple(s) for s in semi),
        weights=tuple(tuple(entries.positives[i].values()) for i in kept),
        semi_weights=tuple(tuple(s.values()) for s in semi),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The training half; errors as in `read`."""
    path = root / f"{direction}-area-drone2sate-train.json"
    entries = _Entries(root, path)
    kept = [i for i, own in enumerate(entries.all_pairs) if own]
    if not kept:
        raise InputError(f"{path}: no entry has a tile; get the data set again")
    return TrainingSet(
        name=f"GTA-UAV training {direction}-area",
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=SIZE,
        gallery_size=SIZE,
        queries=tuple(entries.queries[i] for i in kept),
        gallery=tuple(entries.gallery),
        positives=tuple(tuple(entries.all_pairs[i]) for i in kept),
        weights=tuple(tuple(entries.all_pairs[i].values()) for i in kept),
    )


def tile_place(name: str, where: str) -> tuple[tuple[float, float], float]:
    """Centre (x, y) and width of tile '<zoom>_0_<x>_<y>', metres. Raises InputError."""
    words = Path(name).stem.split("_")
    if len(words) != 4 or not all(w.isascii() and w.isdigit() and len(w) < 7 for w in words):
        raise InputError(f"{where}: '{name}' is not '<zoom>_0_<x>_<y>.png'; get the tiles again")
    zoom, _, x, y = map(int, words)
    if zoom > 30:
        raise InputError(f"{where}: '{name}' is of zoom {zoom}, deeper than any map")
    side_m = WORLD_PX / 2**zoom * METRES_PER_PX
    return ((x + 0.5) * side_m, (y + 0.5) * side_m), side_m


class _Entries:
    """One JSON file against the folders. positives, all_pairs: per query IoU by tile."""

    def __init__(self, root: Path, path: Path) -> None:
        need_folder(root, LAYOUT)
        entries = read_json(path, list)
        drone = PictureNames(root / "drone" / "images", LAYOUT)
        satellite = PictureNames(root / "satellite", LAYOUT)
        self.gallery: list[Item] = []
        for picture in satellite.paths():
            centre, side_m = tile_place(picture.name, str(root / "satellite"))
            self.gallery.append(Item(picture, picture.stem, position_m=centre, width_m=side_m))
        self._places = {item.picture.name: i for i, item in enumerate(self.gallery)}
        self.queries: list[Item] = []
        self.positives: list[dict[int, float]] = []
        self.all_pairs: list[dict[int, float]] = []
        for n, entry in enumerate(entries):
            where = f"{path}, entry {n}"
            try:
                picture = drone.need(entry["drone_img_name"], where)
                x, y = (number(v, f"{where}, drone_loc_x_y") for v in entry["drone_loc_x_y"])
                self.positives.append(self._shares(entry, "pair_pos", where))
                self.all_pairs.append(self._shares(entry, "pair_pos_semipos", where))
            except (KeyError, TypeError, ValueError, AttributeError) as e:
                raise InputError(f"{where}: a key is missing or of another kind ({e!r})") from e
            self.queries.append(Item(picture, picture.stem, position_m=(x, y)))

    def _shares(self, entry: dict[str, Any], kind: str, where: str) -> dict[int, float]:
        names, shares = entry[f"{kind}_sate_img_list"], entry[f"{kind}_sate_weight_list"]
        found: dict[int, float] = {}
        for name, share in zip(names, shares, strict=True):
            if name not in self._places:
                raise InputError(f"{where}: names '{name}', which satellite/ lacks; get it again")
            found[self._places[name]] = number(share, f"{where}, {kind}_sate_weight_list")
        return found
