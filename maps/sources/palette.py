"""Pictures with a colour palette as red, green, blue and alpha: numbers of colours cannot be
averaged, colours can."""

from __future__ import annotations

from xml.sax.saxutils import escape

from rasterio import DatasetReader

_BANDS = ("Red", "Green", "Blue", "Alpha")


def expanded(dataset: DatasetReader) -> str:
    """A GDAL virtual raster of four bands over the first band of the file, as XML, without a
    position. What is nodata is transparent."""
    colours = dataset.colormap(1)
    nodata = dataset.nodata
    transparent = {i: (*rgba[:3], 0 if i == nodata else rgba[3]) for i, rgba in colours.items()}
    bands = "".join(
        _band(dataset, number, name, {i: rgba[number] for i, rgba in transparent.items()})
        for number, name in enumerate(_BANDS)
    )
    size = f'rasterXSize="{dataset.width}" rasterYSize="{dataset.height}"'
    return f"<VRTDataset {size}>{bands}</VRTDataset>"


def _band(dataset: DatasetReader, number: int, name: str, values: dict[int, int]) -> str:
    table = ",".join(f"{i}:{value}" for i, value in sorted(values.items()))
    return (
        f'<VRTRasterBand dataType="Byte" band="{number + 1}"><ColorInterp>{name}</ColorInterp>'
        f'<ComplexSource><SourceFilename relativeToVRT="0">{escape(dataset.name)}'
        f"</SourceFilename><SourceBand>1</SourceBand><LUT>{table}</LUT></ComplexSource>"
        "</VRTRasterBand>"
    )
