"""Any bytes as a photograph: its tags, its picture, and a folder's picture read in flight."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from fuzz_runner import fuzz
from PIL import Image

from onboard.cameras.picture_folder import read_whole_picture
from onboard.errors import InputError
from tools.photo_camera import camera_of, focal_px
from tools.photo_folder import Photo, attitude_of, frame_of, gnss_of, height_of
from tools.photo_picture import read_picture
from tools.photo_tags import read_photo_tags

FOLDER = Path(tempfile.mkdtemp())
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
    b"xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
    b"xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' drone-dji:RelativeAltitude='+119.70' "
    b"drone-dji:FlightYawDegree='152.1' drone-dji:FlightPitchDegree='3.1' "
    b"drone-dji:FlightRollDegree='-3.9' drone-dji:GimbalPitchDegree='0' "
    b"drone-dji:GimbalRollDegree='0' drone-dji:GimbalYawDegree='0'/></rdf:RDF></x:xmpmeta>"
)


def photograph(suffix: str) -> bytes:
    exif = Image.Exif()
    details, gps = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    details.update({36867: "2024:10:30 10:05:15", 37521: "5", 36881: "+08:00", 37386: 4.5})
    details[41989] = 24
    gps.update({1: "N", 2: (24.0, 15.0, 43.6), 3: "E", 4: (120.0, 43.0, 12.7), 5: 0, 6: 375.6})
    exif[272] = "FC6310"
    picture = np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8)
    path = FOLDER / f"sample{suffix}"
    Image.fromarray(picture).save(path, exif=exif, xmp=XMP)
    return path.read_bytes()


SAMPLES = tuple(photograph(s) for s in (".jpg", ".tif", ".png", ".webp"))
TOKENS = (
    *(b"Exif\0\0", b"II*\0", b"MM\0*", b"\xff\xe1", b"\xff\xd8", b"\xff\xda", b"\xff\xd9"),
    *(b"drone-dji:", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"IHDR", b"IEND", b"eXIf"),
)


def one(data: bytes) -> None:
    path = FOLDER / "fuzz.jpg"
    path.write_bytes(data)
    try:
        tags = read_photo_tags(path)
    except ValueError:
        tags = None
    if tags is not None:
        focal_px(tags)
        photo = Photo(path, tags, tags.time_ns or 0)
        attitude_of(photo, True), attitude_of(photo, False), height_of(photo), gnss_of(photo)
        frame_of(photo)
        with contextlib.suppress(InputError):
            camera_of([photo], None)
    with contextlib.suppress(ValueError):
        picture = read_picture(path)
        assert picture.ndim == 3 and picture.dtype == np.uint8
    flown = read_whole_picture(path)
    assert flown is None or (flown.ndim == 3 and flown.dtype == np.uint8)


if __name__ == "__main__":
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    sys.exit(fuzz(one, SAMPLES, TOKENS))
