import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.networks.unifygeo_rerank import CANDIDATES, candidates, ranks, rerank

# few distinct values, so that ties are common
levels = st.integers(-4, 4).map(lambda i: i / 4)


@st.composite
def galleries(draw):
    q, r = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    similarities = draw(arrays(np.float32, (q, r), elements=levels))
    matches = draw(arrays(np.float32, (q, min(r, CANDIDATES)), elements=levels))
    return similarities, matches, draw(arrays(np.intp, q, elements=st.integers(0, r - 1)))


@given(galleries())
def test_against_a_slow_one(gallery):
    similarities, matches, positives = gallery
    chosen = candidates(similarities)
    order = rerank(similarities, chosen, matches)
    got = ranks(similarities, order, positives)
    for q, row in enumerate(similarities):
        first = sorted(range(len(row)), key=lambda r: (-row[r], r))[:CANDIDATES]
        assert list(chosen[q]) == first
        fused = {r: row[r] + matches[q, i] for i, r in enumerate(first)}
        want = sorted(first, key=lambda r: (-fused[r], first.index(r)))
        assert list(order[q]) == want
        positive = positives[q]
        if positive in want:
            assert got[q] == want.index(positive) + 1
        else:
            assert got[q] == 1 + sum(s > row[positive] for s in row)


def test_a_good_match_overtakes_and_one_outside_keeps_its_rank():
    similarities = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]], np.float32)
    chosen = candidates(similarities)
    order = rerank(similarities, chosen, np.array([[0.1, 0.1, 0.9, 0.1, 0.1]], np.float32))
    assert list(order[0]) == [2, 0, 1, 3, 4]
    assert ranks(similarities, order, np.array([2]))[0] == 1
    assert ranks(similarities, order, np.array([5]))[0] == 6
