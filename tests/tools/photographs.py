"""Photographs that the tests write: real JPEG files with EXIF and DJI's XMP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

XMP = """<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' {attributes}/>
</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def write_photo(
    path: Path,
    *,
    time: str | None = "2024:10:30 10:05:15",
    subsec: str | None = None,
    position: tuple[float, float] | None = (46.5, -92.25),
    agl_m: float | None = 100.0,
    flight_deg: tuple[float, float, float] | None = (1.0, 2.0, 30.0),
    gimbal_deg: tuple[float, float, float] | None = None,
    focal_35mm: int | None = 24,
    picture: np.ndarray | None = None,
    size: tuple[int, int] = (160, 120),
) -> Path:
    """Angles are (roll, pitch, yaw). None leaves a tag out."""
    exif = Image.Exif()
    details, gps = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    if time:
        details[36867] = time
    if subsec:
        details[37521] = subsec
    if focal_35mm:
        details[41989] = focal_35mm
    if position:
        for tag, ref, value in ((1, "NS", position[0]), (3, "EW", position[1])):
            gps[tag] = ref[value < 0]
            minutes = (abs(value) % 1) * 60
            gps[tag + 1] = (float(int(abs(value))), float(int(minutes)), (minutes % 1) * 60)
    tags: dict[str, float] = {}
    if agl_m is not None:
        tags["RelativeAltitude"] = agl_m
    for prefix, angles in (("Flight", flight_deg), ("Gimbal", gimbal_deg)):
        if angles:
            names = (f"{prefix}{a}Degree" for a in ("Roll", "Pitch", "Yaw"))
            tags.update(zip(names, angles, strict=True))
    attributes = " ".join(f'drone-dji:{k}="{v:+.2f}"' for k, v in tags.items())
    if picture is None:
        picture = np.random.default_rng(1).integers(1, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(picture).save(
        path, exif=exif, xmp=XMP.format(attributes=attributes).encode(), quality=90
    )
    return path
