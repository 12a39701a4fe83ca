"""Map tiles in files, as gdal2tiles and many others write them."""

from __future__ import annotations

from pathlib import Path

from maps.sources.tile_rows import other_row, tms_boxes, tms_file
from onboard.errors import InputError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MAX_ZOOM = 26  # a pixel of 2 mm, as PMTiles have at most


class XyzFolder:
    """Tiles in files z/x/y.jpg (.png, .webp), y counted from the north, or from the south where
    a TMS's file beside them says so. boxes: where that says they lie."""

    def __init__(self, path: Path) -> None:
        """path: the folder that holds the zooms, or the folder of one zoom, named by it.

        Raises InputError: no tiles in it, one that its zoom does not have; as `tms_boxes` does.
        """
        self.path = path
        zooms: dict[int, Path] = {}
        for child in _numbered(path):
            if _tile_files(child):
                if not path.name.isdecimal():
                    raise InputError(
                        f"{path}: holds tiles of one zoom but is not named by it; rename it to "
                        "the zoom's number"
                    )
                zooms = {int(path.name): path}
                break
            if any(_tile_files(column) for column in _numbered(child)):
                zooms[int(child.name)] = child
        if not zooms:
            raise InputError(
                f"{path}: holds no imagery; give a folder of GeoTIFFs (.tif, .tiff, .vrt), or of "
                "tiles as z/x/y.jpg, .png or .webp"
            )
        self.levels = tuple(sorted(zooms))
        self.files_at = {
            zoom: {
                (int(column.name), int(file.stem)): file
                for column in _numbered(folder)
                for file in _tile_files(column)
            }
            for zoom, folder in zooms.items()
        }
        for zoom, files in self.files_at.items():
            if zoom > MAX_ZOOM or max(map(max, files)) >= 2**zoom:
                raise InputError(
                    f"{zooms[zoom]}: has a tile that lies outside zoom {zoom}; its folders must be "
                    "zoom/x/y, counted from the north-west"
                )
        self.tms = tms_file(path)
        self.boxes = [] if self.tms is None else tms_boxes(self.tms)
        if self.tms is not None:
            self.files_at = {
                zoom: {(x, other_row(zoom, y)): file for (x, y), file in files.items()}
                for zoom, files in self.files_at.items()
            }

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        file = self.files_at[level].get((x, y))
        try:
            return None if file is None else file.read_bytes()
        except OSError as e:
            raise InputError(f"{file}: cannot be read ({e.strerror})") from e

    def positions(self, level: int) -> list[tuple[int, int]]:
        return sorted(self.files_at[level], key=lambda p: (p[1], p[0]))


def holds_tiles(path: Path) -> bool:
    """Whether there are tiles in a folder of zooms, or of one zoom. A folder of pictures may have
    numbered ones in it, too: of years and months."""
    zooms = [folder for folder in (path, *_numbered(path)) if _is_zoom(folder)]
    return any(_tile_files(column) for zoom in zooms for column in _numbered(zoom))


def _is_zoom(folder: Path) -> bool:
    return folder.name.isdecimal() and int(folder.name) <= MAX_ZOOM


def _numbered(folder: Path) -> list[Path]:
    return sorted(c for c in folder.iterdir() if c.name.isdecimal() and c.is_dir())


def _tile_files(folder: Path) -> list[Path]:
    return sorted(
        f for f in folder.iterdir() if f.stem.isdecimal() and f.suffix.lower() in PICTURE_SUFFIXES
    )
