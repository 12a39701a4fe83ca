import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maps.world.noise import SmoothWarp, Texture, fractal_noise, wrapped_noise


@given(st.integers(0, 99), st.sampled_from([31, 64, 100]), st.floats(3.0, 20.0))
def test_noise_wraps_without_a_seam(seed: int, side: int, cell: float) -> None:
    field = wrapped_noise(np.random.default_rng(seed), side, cell)
    assert field.shape == (side, side)
    inside = np.abs(np.diff(field, axis=1)).max()
    seam = np.abs(field[:, 0] - field[:, -1]).max()
    assert seam < 1.5 * inside
    assert abs(field.std() - 1) < 1e-3


def test_texture_repeats() -> None:
    texture = Texture(fractal_noise(np.random.default_rng(1), 64, 16, 3))
    window = texture.window(slice(50, 150), slice(0, 70))
    np.testing.assert_array_equal(window[:64, :6], window[:64, 64:])
    np.testing.assert_array_equal(window[:36], window[64:])


@given(st.integers(0, 99), st.floats(0.1, 0.9))
def test_warp_does_not_fold(seed: int, slope: float) -> None:
    warp = SmoothWarp(np.random.default_rng(seed), slope)
    x, y = np.meshgrid(np.arange(0.0, 600.0, 10.0), np.arange(0.0, 600.0, 10.0))
    bent = warp(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(*x.shape, 2)
    du, dv = np.diff(bent, axis=1)[:-1] / 10.0, np.diff(bent, axis=0)[:, :-1] / 10.0
    assert (du[..., 0] * dv[..., 1] - du[..., 1] * dv[..., 0]).min() > 0
