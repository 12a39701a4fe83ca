import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.bundles.parity import (
    FP32_LIMITS,
    NEIGHBOURS,
    compare,
    output_parity,
    overlap,
)
from export.bundles.parity_views import ParityViews, folder_views, hard_pictures
from onboard.errors import InputError

RNG = np.random.default_rng(0)
VIEWS = ParityViews(
    RNG.integers(0, 255, (24, 256, 256, 3), dtype=np.uint8),
    RNG.integers(0, 255, (4, 256, 256, 3), dtype=np.uint8),
    "noise",
)
PROJECTION = RNG.normal(size=(48, 16)).astype(np.float32)


def answers(pictures, noise=0.0, nan_on_black=False):
    rng = np.random.default_rng(len(pictures))
    small = pictures[:, ::64, ::64].reshape(len(pictures), -1).astype(np.float32) - 127
    d = small @ PROJECTION
    d = d / np.linalg.norm(d, axis=1, keepdims=True)
    d = d + noise * rng.normal(size=d.shape).astype(np.float32)
    if nan_on_black:
        d[pictures.max((1, 2, 3)) == 0] = np.nan
    return {"descriptor": d.astype(np.float32)}


def test_the_same_answers_have_parity():
    parity = compare(answers, answers, VIEWS)
    assert parity.failures(FP32_LIMITS) == []
    assert parity.overlap == 1.0 and parity.outputs["descriptor"].max_abs == 0.0


@pytest.mark.parametrize("noise", [1e-2, 0.3])
def test_other_answers_have_none(noise):
    failures = compare(answers, lambda p: answers(p, noise), VIEWS).failures(FP32_LIMITS)
    assert any("cosine" in f for f in failures) and any("differs" in f for f in failures)
    assert noise < 0.1 or any("overlap" in f for f in failures)


def test_nan_on_a_hard_picture_alone_is_seen():
    parity = compare(answers, lambda p: answers(p, nan_on_black=True), VIEWS)
    assert parity.not_finite == ("descriptor",)
    assert any("not finite" in f for f in parity.failures(FP32_LIMITS))


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        (lambda p: {"descriptor": answers(p)["descriptor"][:, :8]}, r"'descriptor' is \(8,\)"),
        (lambda p: {"vector": answers(p)["descriptor"]}, "only the reference has an output"),
    ],
)
def test_what_cannot_be_compared_is_named(candidate, named):
    with pytest.raises(InputError, match=named):
        compare(answers, candidate, VIEWS)


def test_hard_pictures_are_what_they_say():
    black, white, noise, saturated = hard_pictures()
    assert not black.any() and (white == 255).all() and len(np.unique(noise)) == 256
    assert set(np.unique(saturated)) == {0, 255} and 0.3 < (saturated > 0).mean() < 0.7


def slow_overlap(right, answer, tie):
    """Ties aside, the mean size of the two sets' intersection."""
    shares = []
    for i in range(len(right[1])):
        a = [float(right[1][i] @ g) for g in right[0]]
        b = [float(answer[1][i] @ g) for g in answer[0]]
        found = sorted(range(len(b)), key=lambda k: (-b[k], k))[:NEIGHBOURS]
        tenth = sorted(a, reverse=True)[: len(found)][-1]
        shares.append(sum(a[k] >= tenth - tie for k in found) / len(found))
    return float(np.mean(shares))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0, 1))
def test_overlap_equals_its_slow_oracle(seed, tiles, noise):
    rng = np.random.default_rng(seed)
    right = rng.integers(-3, 4, (tiles, 5)).astype(float), rng.integers(-3, 4, (3, 5)).astype(float)
    answer = tuple(x + noise * rng.normal(size=x.shape) for x in right)
    assert overlap(right, answer) == pytest.approx(slow_overlap(right, answer, 1e-5))


@given(arrays(np.float32, (3, 6), elements=st.floats(-5, 5, width=32)))
def test_output_parity_with_itself_is_perfect(x):
    figures = output_parity(x, x)
    assert figures.max_abs == 0.0 and figures.cosine == pytest.approx(1.0, abs=1e-9)


def test_a_folder_of_photographs(tmp_path):
    import cv2

    for k in range(6):
        photo = RNG.integers(1, 255, (600 + 100 * (k % 2), 900, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{k}.jpg"), photo)
    views = folder_views(tmp_path, gallery=24, queries=6)
    assert views.gallery.shape == (24, 256, 256, 3) and views.queries.shape == (6, 256, 256, 3)
