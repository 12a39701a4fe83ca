"""What must hold for every sampler: no reference twice, nothing lost, the same draw again."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.samplers.classes import several_of_each
from export.samplers.exclusive import Samples, exclusive_batches
from export.samplers.neighbours import neighbour_batches
from tests.export.samplers.lone_samples import one_to_one

MANY = settings(max_examples=30, deadline=None)


@st.composite
def overlapping(draw):
    """Samples whose queries overlap several references, as drone footprints do."""
    places = draw(st.lists(st.integers(0, 12), min_size=1, max_size=60))
    positives = draw(
        st.lists(
            st.frozensets(st.integers(0, 12), max_size=3),
            min_size=len(places),
            max_size=len(places),
        )
    )
    return Samples(np.array(places, np.int64), tuple(positives))


def table(samples, rng):
    """A neighbour list of up to 10 references for every sample, some ending early."""
    references = samples.places.max() + 1
    rows = np.full((len(samples), 10), -1, np.int32)
    for row in rows:
        n = min(10, references) - int(rng.integers(0, 2))
        row[:n] = rng.permutation(references)[:n]
    return rows


def conflict(samples, i, j):
    places, positives = samples.places, samples.positives
    return places[i] == places[j] or places[i] in positives[j] or places[j] in positives[i]


def check(samples, batches, size):
    used = np.concatenate(batches) if batches else np.zeros(0, int)
    assert len(set(used.tolist())) == len(used), "a sample twice in an epoch"
    for batch in batches:
        assert len(batch) == size
        assert not any(conflict(samples, i, j) for k, i in enumerate(batch) for j in batch[k + 1 :])


@MANY
@given(overlapping(), st.integers(1, 8), st.integers(0, 5))
def test_no_two_of_a_batch_are_positive_to_one_another(samples, size, epoch):
    check(samples, exclusive_batches(samples, size, np.random.default_rng(epoch)), size)
    rows = table(samples, np.random.default_rng(1))
    check(samples, neighbour_batches(samples, rows, size, 7, epoch, selected=6), size)


@MANY
@given(overlapping(), st.integers(1, 8), st.integers(0, 9), st.integers(0, 9))
def test_seed_and_epoch_decide(samples, size, seed, epoch):
    rows = table(samples, np.random.default_rng(1))
    a, b = (neighbour_batches(samples, rows, size, seed, epoch) for _ in range(2))
    assert [x.tolist() for x in a] == [x.tolist() for x in b]


def test_another_epoch_is_another_order():
    samples = one_to_one(np.arange(200))
    rows = np.stack([np.roll(np.arange(200), -i - 1)[:20] for i in range(200)]).astype(np.int32)
    for batches in (
        lambda s, e: neighbour_batches(samples, rows, 10, s, e),
        lambda s, e: exclusive_batches(samples, 10, np.random.default_rng((s, e))),
        lambda s, e: several_of_each(np.arange(200) // 5, s, e, places=5),
    ):
        assert not np.array_equal(batches(0, 0), batches(0, 1))
        assert not np.array_equal(batches(0, 0), batches(1, 0))


@MANY
@given(st.integers(1, 80), st.integers(1, 9), st.booleans())
def test_nothing_is_lost_where_nothing_conflicts(count, size, hard):
    samples = one_to_one(np.arange(count))
    if hard:
        rows = np.stack([np.roll(np.arange(count), -i) for i in range(count)]).astype(np.int32)
        batches = neighbour_batches(samples, rows, size, 0, 0, selected=4)
    else:
        batches = exclusive_batches(samples, size, np.random.default_rng(0))
    assert len(batches) == count // size


def test_every_class_gets_its_turn():
    """54 views of each of 40 classes, 16 a batch: hardly a view stays unused."""
    labels = np.repeat(np.arange(40), 54)
    batches = exclusive_batches(one_to_one(labels), 16, np.random.default_rng(3))
    for batch in batches:
        assert len(set(labels[batch].tolist())) == 16
    assert len(np.concatenate(batches)) > 0.98 * len(labels)


def test_too_few_classes_end_the_epoch_without_hanging():
    samples = one_to_one(np.repeat([0, 1], 5000))
    assert exclusive_batches(samples, 3, np.random.default_rng(0)) == []


def test_several_pictures_of_each_place():
    labels = np.array([5] * 7 + [2] * 4 + [9] * 3 + [1] * 4 + [7] * 5)
    batches = several_of_each(labels, 0, 0, places=2, pictures=4)
    assert len(batches) == 2
    seen = labels[np.concatenate(batches)].reshape(-1, 4)
    assert all(len(set(row.tolist())) == 1 for row in seen)
    assert sorted(seen[:, 0].tolist()) == [1, 2, 5, 7]  # 9 has too few pictures
    assert len(set(np.concatenate(batches).tolist())) == 16


def test_the_nearest_always_come_and_the_others_by_draw():
    """Of 40 neighbours the first 4 stand in every batch of the seed, 4 of the rest are drawn."""
    count = 400
    samples = one_to_one(np.arange(count))
    rows = np.stack([(i + 1 + np.arange(40)) % count for i in range(count)]).astype(np.int32)
    drawn = set()
    for epoch in range(20):
        first = neighbour_batches(samples, rows, 9, 0, epoch, selected=8)[0]
        offsets = ((first - first[0]) % count).tolist()
        assert offsets[:5] == [0, 1, 2, 3, 4]
        assert all(5 <= o <= 40 for o in offsets[5:]) and len(offsets) == 9
        drawn |= set(offsets[5:])
    assert len(drawn) > 20


def test_a_reference_with_several_samples_gives_each_in_its_turn():
    """Two panoramas a tile: both are used in an epoch, never side by side."""
    samples = one_to_one(np.repeat(np.arange(60), 2))
    rows = np.stack([(p + 1 + np.arange(10)) % 60 for p in samples.places]).astype(np.int32)
    batches = neighbour_batches(samples, rows, 6, 0, 0, selected=4)
    check(samples, batches, 6)
    assert len(np.concatenate(batches)) >= 108


def test_a_table_of_other_samples_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 2\) for 4 samples"):
        neighbour_batches(one_to_one(np.arange(4)), np.zeros((3, 2), np.int32), 2, 0, 0)
    with pytest.raises(ValueError, match="1 positives for 2 samples"):
        Samples(np.arange(2), (frozenset(),))


def test_an_epoch_of_vigors_size_is_planned_in_seconds():
    count = 20_000
    rng = np.random.default_rng(0)
    samples = one_to_one(rng.integers(0, 15_000, count))
    rows = rng.integers(0, 15_000, (count, 128), dtype=np.int32)
    start = time.monotonic()
    batches = neighbour_batches(samples, rows, 128, 0, 0)
    assert time.monotonic() - start < 10
    assert len(batches) > 0.9 * count / 128
