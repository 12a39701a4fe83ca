import numpy as np

from onboard.messages import Description
from onboard.patches import fit_patches

MASK = np.ones((256, 256), np.bool_)
NONE = Description(np.zeros(256, np.float32), np.zeros((1, 32, 32)), np.zeros((1, 64, 64)))


class Scores:
    """A network whose patch scores are given: (8,8,9,9)."""

    def __init__(self, scores):
        self.scores = scores.astype(np.float32)

    def patch_scores(self, view, crop):
        return self.scores, None


def shifted(row, column, share=1.0, seed=0):
    """A share of the patches peaks at a cell of the window, the others are blank: all alike."""
    rng = np.random.default_rng(seed)
    scores = np.zeros((8, 8, 9, 9))
    at = np.arange(9)
    peak = np.exp(-((at[:, None] - row) ** 2 + (at[None] - column) ** 2) / 2.0)
    scores[rng.random((8, 8)) < share] = peak
    return Scores(scores)


def test_patches_that_peak_together_give_their_shift():
    fit = fit_patches(shifted(5, 3), NONE, MASK, NONE)
    assert fit is not None and fit.inliers == fit.checked == 64
    assert np.allclose(fit.transform @ (128, 128, 1), (124.0, 132.0), atol=0.5)


def test_blank_patches_agree_on_nothing():
    """They fit everywhere alike: their best is the window's first corner, and no shift."""
    assert fit_patches(Scores(np.zeros((8, 8, 9, 9))), NONE, MASK, NONE) is None
    assert fit_patches(Scores(np.full((8, 8, 9, 9), 0.7)), NONE, MASK, NONE) is None


def test_blank_patches_count_against_the_others():
    fit = fit_patches(shifted(4, 4, share=0.3), NONE, MASK, NONE)
    assert fit is not None
    assert fit.checked == 64 and fit.inliers < 30
    assert np.allclose(fit.transform @ (128, 128, 1), (128.0, 128.0), atol=0.5)
