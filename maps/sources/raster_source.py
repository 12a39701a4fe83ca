"""Imagery that GDAL reads (GeoTIFF, COG, VRT, pictures with a world file), warped to the
map's pixel grid of whatever level is asked for."""

from __future__ import annotations

import math
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import DatasetReader
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine, array_bounds, from_bounds, xy
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform, transform_bounds
from rasterio.windows import Window

from maps.sources.datum_shift import DatumShift, datum_shift
from maps.sources.palette import expanded
from maps.sources.read_from import read_from
from maps.sources.source import WORLD_M, Source
from onboard.errors import InputError
from onboard.messages import TILE_PX, Picture
from onboard.pack.imagery import OPAQUE

MERCATOR, WGS84 = CRS.from_epsg(3857), CRS.from_epsg(4326)
DATE_TAGS = ("ACQUISITIONDATETIME", "TIFFTAG_DATETIME", "EXIF_DateTimeOriginal", "EXIF_DateTime")
STRETCH_PERCENT = (1.0, 99.0)  # of the values of a picture with more than 8 bits
STRETCH_SAMPLE_PX = 512  # side of the reduced picture they are taken from
OPEN_LIMIT = 100  # files held open; a survey may come in thousands, a process may open 1024

_KEPT_OPEN: OrderedDict[tuple[RasterSource, int], tuple[DatasetReader, WarpedVRT]] = OrderedDict()


class RasterSource(Source):
    """One picture. size_px: its own width, height."""

    def __init__(
        self,
        path: Path,
        crs: CRS | None = None,
        corners: tuple[float, float, float, float] | None = None,
    ) -> None:
        """crs stands in for what the file lacks; corners (west, south, east, north in crs)
        for what it says of its position.

        Raises InputError: unreadable, no position on Earth, across the 180th meridian, in a
        datum from which PROJ knows no way.
        """
        self.name = path.name
        self.files = (path,)
        self._path = path
        try:
            with _opened(path) as dataset:
                self.files = _files(dataset, path)
                self._crs = (crs if corners else dataset.crs) or _crs_beside(path) or crs
                self._transform = dataset.transform
                if corners:
                    self._transform = from_bounds(*corners, *dataset.shape[::-1])
                self._check(dataset)
                self.bounds_m = self._bounds(dataset)
                self.shift = self._shift()
                self.native_level = math.log2(WORLD_M / TILE_PX / self._pixel_m(dataset))
                self.date = _date(dataset)
            with _in_colours(path) as dataset:
                self.size_px = (dataset.width, dataset.height)
                self._bands = _colour_bands(dataset)
                self._check_nodata(dataset)
                self._to_8_bits = self._stretch(dataset)
        except CRSError as e:
            raise InputError(
                f"{path}: its coordinate system leads to no place on Earth ({_first_line(e)}); "
                "give the right one with --crs"
            ) from e
        except (RasterioError, UnicodeDecodeError) as e:
            raise InputError(
                f"{path}: cannot be read ({_first_line(e)}); get the file again"
            ) from e

    def _check(self, dataset: DatasetReader) -> None:
        if self._transform.is_identity and dataset.gcps[0]:
            raise InputError(
                f"{self._path}: is placed by ground control points only; warp it first with "
                "'gdalwarp -t_srs EPSG:3857'"
            )
        if self._transform.is_identity:
            raise InputError(
                f"{self._path}: is not georeferenced; give a GeoTIFF, a world file beside it, "
                "or the corners in a CSV"
            )
        if self._crs is None:
            raise InputError(
                f"{self._path}: says no coordinate system; give it with --crs EPSG:..., or give "
                "the corners in a CSV"
            )
        if not (self._crs.is_projected or self._crs.is_geographic):
            raise InputError(
                f"{self._path}: its coordinate system is a site's own or no map's at all; give "
                "the one on Earth with --crs, after removing this one with 'gdal_edit.py -a_srs'"
            )

    def _check_nodata(self, dataset: DatasetReader) -> None:
        # As text: not a number is not even equal to itself.
        if len({str(dataset.nodatavals[b - 1]) for b in self._bands}) > 1:
            raise InputError(
                f"{self._path}: its bands have different nodata values; convert it with "
                "'gdalwarp -dstalpha'"
            )

    def _bounds(self, dataset: DatasetReader) -> tuple[float, float, float, float]:
        """In EPSG:3857."""
        bounds = array_bounds(*dataset.shape, self._transform)
        west_x, south_y, east_x, north_y = bounds
        lons, _ = transform(
            self._crs, WGS84, [west_x, east_x] * 2, [south_y, south_y, north_y, north_y]
        )
        if max(lons) - min(lons) > 180.0 or max(map(abs, lons)) > 180.0:
            raise InputError(
                f"{self._path}: lies across the 180th meridian; cut it there with 'gdalwarp -te' "
                "and give both parts"
            )
        found = transform_bounds(self._crs, MERCATOR, *bounds)
        if not all(map(math.isfinite, found)):
            raise InputError(
                f"{self._path}: its corners lie outside Web Mercator; check its coordinate system"
            )
        return tuple(found)

    def _shift(self) -> DatumShift:
        assert self._crs is not None  # as `_check` saw
        west, south, east, north = self.bounds_m
        (lon,), (lat,) = transform(MERCATOR, WGS84, [(west + east) / 2], [(south + north) / 2])
        shift = datum_shift(self._crs.to_wkt(), lat, lon)
        if not shift.known:
            raise InputError(
                f"{self._path}: is in {shift.datum}, and PROJ knows no way from there to WGS 84 "
                "here: it would lie up to hundreds of metres off; give it in WGS 84, by the "
                "transformation that the place's survey office publishes"
            )
        return shift

    def _pixel_m(self, dataset: DatasetReader) -> float:
        """Side of a square as large as a pixel in the picture's middle, in EPSG:3857; the
        bounds of a turned picture would say too much."""
        col, row = dataset.width / 2, dataset.height / 2
        corners = xy(self._transform, [row, row, row + 1], [col, col + 1, col], offset="ul")
        (x, x_right, x_down), (y, y_right, y_down) = transform(self._crs, MERCATOR, *corners)
        area = (x_right - x) * (y_down - y) - (x_down - x) * (y_right - y)
        if not math.isfinite(area) or area == 0:
            raise InputError(f"{self._path}: its pixels have no size; check its geotransform")
        return math.sqrt(abs(area))

    def _stretch(
        self, dataset: DatasetReader
    ) -> Callable[[NDArray[np.generic]], NDArray[np.uint8]]:
        if all(dataset.dtypes[b - 1] == "uint8" for b in self._bands):
            return lambda values: values.astype(np.uint8)
        ratio = STRETCH_SAMPLE_PX / max(dataset.width, dataset.height)
        shape = [max(1, round(s * min(1.0, ratio))) for s in dataset.shape]
        sample = dataset.read(self._bands, out_shape=(len(self._bands), *shape), masked=True)
        values = sample.compressed()
        values = values[np.isfinite(values)]
        if values.size == 0:
            raise InputError(f"{self._path}: holds no data at all; give another picture")
        low, high = np.percentile(values, STRETCH_PERCENT)
        scale = 254.0 / max(float(high - low), 1e-9)
        return lambda raw: np.clip((raw - low) * scale + 1.0, 1, 255).astype(np.uint8)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        out = np.zeros((height, width, 3), np.uint8)
        try:
            warped, left, top = self._at_level(level)
            x0, y0 = max(x, left), max(y, top)
            x1, y1 = min(x + width, left + warped.width), min(y + height, top + warped.height)
            if x0 >= x1 or y0 >= y1:
                return out
            window = Window(x0 - left, y0 - top, x1 - x0, y1 - y0)
            raw = warped.read([*self._bands, warped.count], window=window)
        except RasterioError as e:
            raise InputError(
                f"{self._path}: cannot be read to its end ({_first_line(e)}); get the file again"
            ) from e
        there = raw[-1] >= OPAQUE
        if raw.dtype.kind == "f":
            there &= np.isfinite(raw[:-1]).all(axis=0)
            raw = np.nan_to_num(raw)
        rgb = np.broadcast_to(self._to_8_bits(raw[:-1]), (3, *raw.shape[1:]))
        bgr = np.maximum(np.moveaxis(rgb[::-1], 0, 2), 1)
        out[y0 - y : y1 - y, x0 - x : x1 - x] = np.where(there[:, :, None], bgr, 0)
        return out

    def _at_level(self, level: int) -> tuple[WarpedVRT, int, int]:
        """The picture on the level's pixel grid and the map pixel of its upper left corner."""
        metres_per_px = WORLD_M / (TILE_PX * 2**level)
        west, south, east, north = self.bounds_m
        left = math.floor((west + WORLD_M / 2) / metres_per_px)
        top = math.floor((WORLD_M / 2 - north) / metres_per_px)
        key = (self, level)
        if key in _KEPT_OPEN:
            _KEPT_OPEN.move_to_end(key)
            return _KEPT_OPEN[key][1], left, top
        dataset = _in_colours(self._path)
        west_m, north_m = left * metres_per_px - WORLD_M / 2, WORLD_M / 2 - top * metres_per_px
        warped = WarpedVRT(
            dataset,
            src_crs=self._crs,
            src_transform=self._transform,
            crs=MERCATOR,
            transform=Affine(metres_per_px, 0.0, west_m, 0.0, -metres_per_px, north_m),
            width=math.ceil((east + WORLD_M / 2) / metres_per_px) - left,
            height=math.ceil((WORLD_M / 2 - south) / metres_per_px) - top,
            # GDAL widens the bilinear kernel when it reduces: no aliasing.
            resampling=Resampling.bilinear,
            add_alpha=ColorInterp.alpha not in dataset.colorinterp,
            NUM_THREADS="ALL_CPUS",
        )
        _KEPT_OPEN[key] = dataset, warped
        while len(_KEPT_OPEN) > OPEN_LIMIT:
            _, (oldest, oldest_warped) = _KEPT_OPEN.popitem(last=False)
            oldest_warped.close()
            oldest.close()
        return warped, left, top


def _opened(path: Path) -> DatasetReader:
    with warnings.catch_warnings():
        # Whoever has no position is told so in a sentence.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path)


def _in_colours(path: Path) -> DatasetReader:
    """A palette's pictures as colours, which lack the position."""
    dataset = _opened(path)
    if ColorInterp.palette not in dataset.colorinterp:
        return dataset
    with dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(expanded(dataset))


def _colour_bands(dataset: DatasetReader) -> list[int]:
    """Band numbers of red, green, blue, or of the only grey one."""
    kinds = list(dataset.colorinterp)
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(k in kinds for k in wanted):
        return [kinds.index(k) + 1 for k in wanted]
    usable = [i + 1 for i, k in enumerate(kinds) if k != ColorInterp.alpha]
    return usable[:3] if len(usable) >= 3 else usable[:1]


def _files(dataset: DatasetReader, path: Path) -> tuple[Path, ...]:
    """What the picture is read from: the parts of a VRT, a world file, a .prj too."""
    prj = path.with_suffix(".prj")
    named = (*read_from(path, dataset), *((prj,) if prj.is_file() else ()))
    return tuple(dict.fromkeys(named))


def _crs_beside(path: Path) -> CRS | None:
    """The CRS of a .prj file beside a picture with a world file."""
    prj = path.with_suffix(".prj")
    if not prj.is_file():
        return None
    try:
        return CRS.from_wkt(prj.read_text(encoding="utf-8"))
    except (RasterioError, ValueError) as e:
        raise InputError(f"{prj}: not a coordinate system ({e}); correct or remove it") from e


def _date(dataset: DatasetReader) -> str | None:
    tags = dataset.tags()
    for name in DATE_TAGS:
        found = re.match(r"(\d{4})[:-](\d{2})[:-](\d{2})", tags.get(name, ""))
        if found and found.group(1) != "0000":
            return "-".join(found.groups())
    return None


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(cause).splitlines()[0].rstrip(". ") if str(cause) else type(cause).__name__
