import numpy as np

from maps.localizability.disturbance import disturbed
from tests.maps.small_imagery import texture


def test_holes_stay_and_nothing_else_becomes_one():
    picture = texture(256, 256)
    picture[:60, :90] = 0
    out = disturbed(picture, np.random.default_rng(1), 2.0)
    assert out.shape == picture.shape and not out[:60, :90].any()
    assert out[60:].any(2).all() and out[:60, 90:].any(2).all()


def test_the_same_draw_gives_the_same_and_strength_alters_more():
    picture = texture(256, 256)
    far = []
    for strength in (0.3, 2.0):
        outs = [disturbed(picture, np.random.default_rng(n), strength) for n in range(6)]
        again = disturbed(picture, np.random.default_rng(0), strength)
        assert (outs[0] == again).all()
        far.append(np.mean([np.abs(o.astype(int) - picture).mean() for o in outs]))
    assert far[1] > 1.5 * far[0] > 1.5
