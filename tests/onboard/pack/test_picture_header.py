import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.pack.picture_header import MAX_TILE_BYTES, check_tile, picture_size
from tests.maps.small_imagery import texture

KINDS = {
    "jpeg": (".jpg", []),
    "progressive": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "png": (".png", []),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
    "lossless webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
}


def encoded(kind: str, width: int = 300, height: int = 200, alpha: bool = False) -> bytes:
    suffix, options = KINDS[kind]
    picture = texture(height, width)
    if alpha:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        picture[:50, :, 3] = 0
    return cv2.imencode(suffix, picture, options)[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [False, True])
def test_it_is_the_decoders_size(kind, alpha):
    assert picture_size(encoded(kind, alpha=alpha)) == (300, 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_whose_end_is_missing_is_none(kind):
    data = encoded(kind)
    assert all(picture_size(data[:n]) is None for n in range(0, len(data) - 12, 97))


def test_padding_at_the_end_is_no_damage():
    assert picture_size(encoded("jpeg") + bytes(40)) == (300, 200)


def test_a_png_that_claims_a_billion_pixels_is_refused_undecoded():
    data = bytearray(encoded("png"))
    data[16:24] = (1 << 15).to_bytes(4, "big") * 2
    with pytest.raises(InputError, match="t: is 32768x32768 px; 256x256 is expected"):
        check_tile(bytes(data), "t", 256)


def test_other_bytes_are_refused():
    for data in (b"", b"<html>no</html>", b"\xff\xd8\xff\xd9", b"RIFF\0\0\0\0WEBP"):
        with pytest.raises(InputError, match="no whole JPEG, PNG or WebP"):
            check_tile(data, "t", 256)
    with pytest.raises(InputError, match="8 MiB, too much"):
        check_tile(bytes(MAX_TILE_BYTES + 1), "t", 256)
    check_tile(encoded("webp", 256, 256), "t", 256)


@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\4\0\0\0WEBP"]), st.binary())
def test_no_bytes_break_it(start, rest):
    size = picture_size(start + rest)
    assert size is None or min(size) >= 0
