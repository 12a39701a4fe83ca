"""Elevation models that are known by their files' names: datum, error, terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_LE90 = 1.6449  # a normal error's 90 % point, in sigmas


@dataclass(frozen=True)
class DemProduct:
    """pattern: of the file's name. surface: heights of roofs and tree tops, not of the ground.
    sigma_m: error of a height, 1 sigma, by the source named beside it."""

    title: str
    pattern: str
    datum: str
    surface: bool
    sigma_m: float
    licence: str
    attribution: str


PRODUCTS = (
    DemProduct(
        "Copernicus DEM GLO-30",
        r"Copernicus_DSM_(COG_)?10_[NS]\d\d_00_[EW]\d{3}_00(_DEM)?\.(tiff?|dt2)",
        "egm2008",
        True,
        4.0 / _LE90,  # < 4 m LE90, Copernicus DEM Product Handbook
        "Copernicus DEM licence (GLO-30)",
        "DLR e.V. 2010-2014 and Airbus Defence and Space GmbH 2014-2018, provided under "
        "COPERNICUS by the European Union and ESA; all rights reserved",
    ),
    DemProduct(
        "Copernicus DEM GLO-90",
        r"Copernicus_DSM_(COG_)?30_[NS]\d\d_00_[EW]\d{3}_00(_DEM)?\.(tiff?|dt1)",
        "egm2008",
        True,
        4.0 / _LE90,  # the same
        "Copernicus DEM licence (GLO-90)",
        "DLR e.V. 2010-2014 and Airbus Defence and Space GmbH 2014-2018, provided under "
        "COPERNICUS by the European Union and ESA; all rights reserved",
    ),
    DemProduct(
        "SRTM",
        r"[NS]\d\d[EW]\d{3}(\.SRTMGL[13])?\.hgt|[ns]\d\d_[ew]\d{3}_[13]arc_v\d\.tiff?",
        "egm96",
        True,
        9.0 / _LE90,  # 9.0 m LE90 in the worst continent, Rodriguez et al. 2006 (PE&RS 72)
        "public domain",
        "NASA, NGA, USGS",
    ),
    DemProduct(
        "ALOS World 3D 30 m",
        r"ALPSMLC30_[NS]\d{3}[EW]\d{3}_DSM\.tiff?",
        "egm96",
        True,
        5.0,  # 5 m, AW3D30 Product Description
        "JAXA AW3D30 terms",
        "JAXA",
    ),
    DemProduct(
        "ASTER GDEM",
        r"ASTGTM(V\d{3})?_?[NS]\d\d[EW]\d{3}_dem\.tiff?",
        "egm96",
        True,
        17.0 / 1.96,  # 17 m at 95 %, ASTER GDEM 2 validation report
        "NASA EOSDIS, without restriction",
        "NASA, METI, AIST, Japan Space Systems",
    ),
)


def product_of(path: Path) -> DemProduct | None:
    for product in PRODUCTS:
        if re.fullmatch(product.pattern, path.name, re.IGNORECASE):
            return product
    return None
