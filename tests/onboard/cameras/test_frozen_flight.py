"""A camera that freezes in flight: its pictures are refused by name until it lives again."""

import math

import numpy as np

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.loop import Navigator
from onboard.messages import Frame
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.reasons import Reason
from onboard.telemetry_messages import Attitude, Height
from tests.tools import small_area
from tests.tools.small_area import make_small_area

SECOND = 1_000_000_000


def test_the_navigator_refuses_the_pictures_of_a_frozen_camera(tmp_path):
    area = make_small_area(tmp_path)
    camera = Camera(*small_area.PHOTO_PX, fx=small_area.FOCAL_PX)
    navigator = Navigator(MapPack.open(area.pack), Describer(load_bundle(), threads=1), camera)
    width, height = small_area.PHOTO_PX
    reasons = []
    for i in range(9):
        time_ns = i * SECOND // 2
        shown = 3 if 3 <= i < 7 else i  # the fourth picture stays for four frames
        corner = 200 + 12 * shown
        image = np.ascontiguousarray(area.picture[corner : corner + height, 300 : 300 + width])
        navigator.handle(Attitude(time_ns, math.radians(2.0 * i), 0.0, 0.0))
        navigator.handle(Height(time_ns, small_area.AGL_M))
        refusal = navigator.handle(Frame(time_ns, image, f"frame {i}")).refusal
        reasons.append(refusal.reason if refusal else None)
    assert [i for i, r in enumerate(reasons) if r is Reason.FROZEN] == [4, 5, 6]
