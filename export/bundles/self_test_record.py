"""The self-test that a bundle carries: one picture and what its graph answered.

Onboard runs it when it loads an engine or a GPU's backend; `model.json` holds the tolerance.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onboard.whole_file import write_whole

FILE_NAME = "selftest.npz"
MAX_BYTES = 300_000
COARSE_STEP, FINE_STEP = 4, 8  # cells: every so many of the maps are kept, each way
# Of fp16 engines, which is what the test is for; fp32 stays far below.
MIN_COSINE = 0.999
ATOL = 0.05  # of unit-length features


def write_self_test(
    work: Path, picture: NDArray[np.uint8], answers: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    """Writes selftest.npz: pictures (1,S,S,3) uint8, descriptor (1,D) and, where the graph
    gives maps, coarse_sample = coarse[:, :, ::4, ::4] and fine_sample = fine[:, :, ::8, ::8].

    picture: (S,S,3) BGR; answers: the graph's outputs for it alone. Returns the entry
    `selftest` of model.json. Raises InputError when the file can't be written.
    """
    arrays: dict[str, Any] = {"pictures": picture[None], "descriptor": answers["descriptor"]}
    if "coarse" in answers:
        arrays["coarse_sample"] = answers["coarse"][:, :, ::COARSE_STEP, ::COARSE_STEP]
        arrays["fine_sample"] = answers["fine"][:, :, ::FINE_STEP, ::FINE_STEP]
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    data = file.getvalue()
    if len(data) > MAX_BYTES:
        raise ValueError(f"{FILE_NAME} would take {len(data)} bytes, more than {MAX_BYTES}")
    write_whole(work / FILE_NAME, data)
    return {
        "file": FILE_NAME,
        "atol": ATOL,
        "min_cosine": MIN_COSINE,
        "coarse_step": COARSE_STEP,
        "fine_step": FINE_STEP,
    }
