"""Samples that are positive only to those with the same reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.samplers.exclusive import Samples


def one_to_one(places: Sequence[int] | NDArray[np.int64]) -> Samples:
    return Samples(np.asarray(places, np.int64), (frozenset(),) * len(places))
