"""One file of an elevation model: where its posts lie and how to read a window of them."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio import DatasetReader
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from maps.sources.read_from import read_from
from maps.sources.source import WORLD_M
from maps.terrain.dem_product import DemProduct, product_of
from maps.terrain.dem_said import METRES_PER_UNIT
from maps.terrain.vertical_datum import ToAmsl, VerticalDatum, parse_datum, split_crs, to_amsl
from onboard.errors import InputError
from onboard.messages import TILE_PX
from onboard.pack.plain_text import made_plain

# No ground lies outside: the Dead Sea's shore is at -430 m, Everest at 8849 m, and the
# ellipsoid up to 107 m away. What does is a void that the file does not declare as one.
LOWEST_GROUND_M, HIGHEST_GROUND_M = -600.0, 9100.0
ASK_DATUM = (
    "give --dem-datum egm96, egm2008, navd88, ellipsoid or EPSG:number, as the model's maker says"
)
MAX_NAME = 60  # characters of a datum's name that are repeated
_BAND_UNITS = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), METRES_PER_UNIT["m"]),
    **dict.fromkeys(("ft", "foot", "feet", "international foot"), METRES_PER_UNIT["ft"]),
    **dict.fromkeys(
        ("us-ft", "ftus", "us survey foot", "foot_us", "us_survey_foot"), METRES_PER_UNIT["us-ft"]
    ),
}

Heights = NDArray[np.float64]


@dataclass(frozen=True)
class DemFile:
    """files: that it is read from. crs: horizontal. grid: from (column, row) of a pixel's corner
    to x, y of the crs. m_per_unit: of the raw values; to_amsl takes metres."""

    path: Path
    files: tuple[Path, ...]
    crs: CRS
    grid: Affine
    width: int
    height: int
    m_per_unit: float
    datum: VerticalDatum
    to_amsl: ToAmsl
    sigma_m: float
    product: DemProduct | None
    native_level: float

    def posts(self, col: int, row: int, width: int, height: int) -> Heights:
        """Metres above the file's own datum, (height, width), NaN where void or outside.

        Raises InputError: a damaged file.
        """
        out = np.full((height, width), np.nan)
        x0, y0 = max(col, 0), max(row, 0)
        x1, y1 = min(col + width, self.width), min(row + height, self.height)
        if x0 >= x1 or y0 >= y1:
            return out
        try:
            with rasterio.open(self.path) as dataset:
                raw = dataset.read(1, window=Window(x0, y0, x1 - x0, y1 - y0), masked=True)
                scale, offset = dataset.scales[0], dataset.offsets[0]
        except RasterioError as e:
            raise InputError(
                f"{self.path}: cannot be read to its end ({_first_line(e)}); get the file again"
            ) from e
        heights = (raw.astype(np.float64).filled(np.nan) * scale + offset) * self.m_per_unit
        with np.errstate(invalid="ignore"):
            ground = (heights >= LOWEST_GROUND_M) & (heights <= HIGHEST_GROUND_M)
        out[y0 - row : y1 - row, x0 - col : x1 - col] = np.where(ground, heights, np.nan)
        return out


def open_dem_file(
    path: Path,
    datum: str | None = None,
    offset_m: float | None = None,
    sigma_m: float | None = None,
    unit: str | None = None,
) -> DemFile:
    """What the person says stands in for what the file lacks. Raises InputError: unreadable,
    no position, more than one band, an unknown datum or error, contradictions."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an elevation model that exists")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
        with dataset:
            crs, said = _placed(dataset, path)
            product = product_of(path)
            vertical = _datum(path, said, product, datum)
            m_per_unit = _m_per_unit(dataset, path, crs, (said, vertical), product, unit)
            if sigma_m is None and product is not None:
                sigma_m = product.sigma_m
            if sigma_m is None:
                raise InputError(
                    f"{path}: nothing tells how good its heights are; give their error as "
                    "--dem-sigma-m (1 sigma; terrain from lidar has some 0.3)"
                )
            conversion = to_amsl(vertical, offset_m, str(path))
            return DemFile(
                path=path,
                files=read_from(path, dataset),
                crs=crs,
                grid=dataset.transform,
                width=dataset.width,
                height=dataset.height,
                m_per_unit=m_per_unit,
                datum=vertical,
                to_amsl=conversion,
                sigma_m=math.hypot(sigma_m, conversion.sigma_m),
                product=product,
                native_level=_native_level(dataset, crs, path),
            )
    except UnicodeDecodeError as e:
        raise InputError(
            f"{path}: the name of its coordinate system is damaged; get the file again"
        ) from e
    except RasterioError as e:
        hint = (
            "; an .hgt file is named for its corner, such as N46E007.hgt, and whole"
            if path.suffix.lower() == ".hgt"
            else ""
        )
        raise InputError(
            f"{path}: cannot be read as an elevation model ({_first_line(e)}); get the file "
            f"again{hint}"
        ) from e


def applied(grid: Affine, x: Any, y: Any) -> tuple[Any, Any]:
    """Written out, for the operator differs between versions of affine."""
    return grid.a * x + grid.b * y + grid.c, grid.d * x + grid.e * y + grid.f


def _placed(dataset: DatasetReader, path: Path) -> tuple[CRS, VerticalDatum | None]:
    if dataset.count != 1:
        raise InputError(
            f"{path}: has {dataset.count} bands, an elevation model has one; is it a picture?"
        )
    if dataset.transform.is_identity or dataset.crs is None:
        raise InputError(f"{path}: says no position on Earth; give a georeferenced elevation model")
    try:
        return split_crs(CRS.from_wkt(dataset.crs.to_wkt()), str(path))
    except CRSError as e:
        raise InputError(f"{path}: PROJ does not know its coordinate system; convert it") from e


def _datum(
    path: Path, said: VerticalDatum | None, product: DemProduct | None, given: str | None
) -> VerticalDatum:
    """The file's own word, else the person's, else the product's. A name without an EPSG number,
    as 'unknown' or 'Ellipsoid', is no word."""
    asked = None if given is None else parse_datum(given)
    if said is not None and said.epsg == 0:
        if asked is None:
            raise InputError(
                f"{path}: says its heights count from '{made_plain(said.name, MAX_NAME)}', which "
                f"is no known system; {ASK_DATUM}"
            )
        return asked
    if said is not None:
        if asked is not None and asked.epsg != said.epsg:
            raise InputError(
                f"{path}: says its heights count from '{said.name}', --dem-datum says "
                f"{given}; leave the option out, or correct the file"
            )
        return said
    if asked is not None:
        return asked
    if product is not None:
        return parse_datum(product.datum)
    raise InputError(f"{path}: does not say what its heights count from; {ASK_DATUM}")


def _m_per_unit(
    dataset: DatasetReader,
    path: Path,
    crs: CRS,
    verticals: tuple[VerticalDatum | None, VerticalDatum],
    product: DemProduct | None,
    given: str | None,
) -> float:
    """verticals: the file's own, and the one that is taken. A name such as navd88 leaves the unit
    open, though EPSG's system of that name is metric; one in feet does not."""
    said, taken = verticals
    band = (dataset.units[0] or "").strip().lower()
    if given is not None:
        found = [METRES_PER_UNIT[given]]
    else:
        if band and band not in _BAND_UNITS:
            raise InputError(f"{path}: its heights are in {band!r}; give --dem-unit m, ft or us-ft")
        found = [_BAND_UNITS[band]] if band else []
        found += [said.m_per_unit] if said is not None else []
        found += [METRES_PER_UNIT["m"]] if product is not None else []
        found += [taken.m_per_unit] if taken.m_per_unit != METRES_PER_UNIT["m"] else []
    if any(abs(a / found[0] - 1) > 1e-4 for a in found[1:]):
        raise InputError(
            f"{path}: its band, its coordinate system, its product and --dem-datum name different "
            "units of height; give --dem-unit m, ft or us-ft"
        )
    if found:
        return found[-1]
    if crs.is_projected and crs.axis_info[0].unit_conversion_factor != 1.0:
        raise InputError(
            f"{path}: its positions are in {crs.axis_info[0].unit_name} and nothing tells whether "
            "its heights are; give --dem-unit m, ft or us-ft"
        )
    return METRES_PER_UNIT["m"]


def _native_level(dataset: DatasetReader, crs: CRS, path: Path) -> float:
    """The level whose pixels are as large as the model's in its middle."""
    col, row = dataset.width / 2, dataset.height / 2
    try:
        to_mercator = Transformer.from_crs(crs, "EPSG:3857", always_xy=True)
    except ProjError as e:
        raise InputError(
            f"{path}: PROJ knows no way from its coordinate system; convert it with gdalwarp"
        ) from e
    grid = dataset.transform
    corners = [applied(grid, *at) for at in ((col, row), (col + 1, row), (col, row + 1))]
    (x, y), (x1, y1), (x2, y2) = (to_mercator.transform(*at) for at in corners)
    side_m = math.sqrt(abs((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)))
    if not math.isfinite(side_m) or side_m <= 0:
        raise InputError(f"{path}: lies outside Web Mercator; check its coordinate system")
    return math.log2(WORLD_M / TILE_PX / side_m)


def _first_line(error: Exception) -> str:
    text = str(error.__cause__ or error).splitlines()
    return text[0].rstrip(". ") if text else type(error).__name__
