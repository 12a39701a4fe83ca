import pytest

from onboard.errors import InputError
from tests.tools.photographs import write_photo
from tools.photo_camera import MOUNTING_GUESSED, camera_of, focal_px, turns_with_gimbal
from tools.photo_folder import read_flight
from tools.photo_tags import PhotoTags

CAMERA = "width_px = 160\nheight_px = 120\nfx = 150.0\n"


def camera(tmp_path, text=None, **photo):
    write_photo(tmp_path / "a.jpg", **photo)
    path = None
    if text is not None:
        path = tmp_path / "cam.toml"
        path.write_text(text)
    got, said = camera_of(read_flight(tmp_path).photos, path)
    return got, "; ".join(said)


def test_a_camera_file_wins(tmp_path):
    got, said = camera(tmp_path, CAMERA)
    assert got.fx == 150.0
    assert "cam.toml" in said


def test_a_key_with_a_typo_names_the_right_one(tmp_path):
    with pytest.raises(
        InputError, match=r"cam.toml: unknown key 'widht_px'; did you mean 'width_px'"
    ):
        camera(tmp_path, CAMERA.replace("width", "widht"))


def test_the_mounting_follows_what_is_told_of_a_gimbal(tmp_path):
    fixed, said = camera(tmp_path, gimbal_deg=None)
    assert "fixed to the airframe" in said
    assert (fixed.mounting.stabilised, fixed.mounting.pitch_deg) == (False, -90.0)
    unreal, said = camera(tmp_path, gimbal_deg=(0, 0, 0))
    assert "not real" in said
    assert (unreal.mounting.stabilised, unreal.mounting.pitch_deg) == (True, -90.0)
    real, said = camera(tmp_path, gimbal_deg=(0, -90, 20))
    assert "gimbal's angles say" in said
    assert turns_with_gimbal(real)
    assert not turns_with_gimbal(fixed)
    assert not turns_with_gimbal(unreal)


@pytest.mark.parametrize(
    ("text", "gimbal_deg", "is_guess"),
    [
        (None, None, True),
        (None, (0, 0, 0), True),
        (None, (0, -90, 20), False),
        (CAMERA, None, False),
    ],
)
def test_a_guessed_mounting_is_told(tmp_path, text, gimbal_deg, is_guess):
    _, said = camera(tmp_path, text, gimbal_deg=gimbal_deg)
    assert (MOUNTING_GUESSED in said) is is_guess


def test_a_camera_file_that_asks_for_angles_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="mounting near 0"):
        camera(tmp_path, CAMERA + "[mounting]\npitch_deg = 0.0\n")


def test_no_focal_length_asks_for_a_camera_file(tmp_path):
    with pytest.raises(InputError, match="--camera"):
        camera(tmp_path, focal_35mm=None)


def test_focal_length_from_film_and_from_the_sensor():
    full_frame = PhotoTags(width_px=3600, height_px=2400, focal_35mm=36.0)
    assert focal_px(full_frame) == pytest.approx(3600, rel=1e-3)
    four_thirds = PhotoTags(width_px=4000, height_px=3000, focal_35mm=20.0)
    cropped = PhotoTags(width_px=4000, height_px=2250, focal_35mm=20.0)
    assert focal_px(cropped) == pytest.approx(focal_px(four_thirds))
    phantom = PhotoTags(width_px=5472, height_px=3648, focal_mm=8.8, model="FC6310")
    assert focal_px(phantom) == pytest.approx(3648)
    assert focal_px(PhotoTags(width_px=100, height_px=100)) is None
