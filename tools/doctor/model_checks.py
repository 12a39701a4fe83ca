"""The network: is it whole, does it answer as it did when it was exported, how fast."""

from __future__ import annotations

import time

import numpy as np

from onboard.inference.choose import Opened, open_graphs
from onboard.inference.self_test import self_test
from tools.doctor.check import Check, Finding, good, skipped, warning
from tools.doctor.gpu_checks import wanted
from tools.doctor.subject import Subject

# A frame passes the network about five times as long as one description takes, its
# comparisons with tiles included (README, speed: describe 16 of 75 ms).
FRAME_IN_DESCRIPTIONS = 5.0
TIMED = 5


def bundle(subject: Subject) -> Finding:
    found = subject.bundle.get()
    return good(f"{found.id} ({found.sha256[:12]}): {len(found.files)} files have their hashes")


def answers(subject: Subject) -> list[Finding]:
    """The stored picture gives the stored answer, on the backend that would fly; and the time
    for one more."""
    model = subject.bundle.needed()
    opened = open_graphs(model, wanted(subject))
    try:
        if model.self_test is None:
            return [skipped(f"{model.id} holds no self-test")]
        self_test(model, opened.graphs, opened.said, opened.int8)
        right = good(f"{model.id} answers as it did when it was exported, on {opened.said}")
        return [right, _speed(subject, opened, model.input_px)]
    finally:
        for graph in opened.graphs.values():
            graph.close()


def _speed(subject: Subject, opened: Opened, input_px: int) -> Finding:
    pictures = np.full((1, input_px, input_px, 3), 90, np.uint8)
    spent_s = []
    for _ in range(TIMED):
        began_s = time.perf_counter()
        opened.graphs["model.onnx"].run(["descriptor"], {"pictures": pictures})
        spent_s.append(time.perf_counter() - began_s)
    one_ms = sorted(spent_s)[TIMED // 2] * 1e3
    said = f"one description takes {one_ms:.0f} ms while the doctor looks at all else"
    hz = subject.settings.needed().frame_hz if subject.settings_path else 0.0
    if hz * one_ms * FRAME_IN_DESCRIPTIONS > 1000.0:
        return warning(
            f"{said}: {hz:g} frames a second can't be had",
            f"frame_hz = {max(0.5, 1000 / one_ms / FRAME_IN_DESCRIPTIONS):.1f} in the settings, "
            "or a GPU",
            "speed",
        )
    return good(said, "speed")


CHECKS = (
    Check("model.bundle", bundle),
    Check("model.self_test", answers),
)
