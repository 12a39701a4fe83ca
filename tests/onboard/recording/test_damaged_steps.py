"""Steps of a forged or damaged recording; found by tests/fuzz/fuzz_logs.py."""

import json

import pytest

from onboard.errors import InputError
from onboard.recording.reader import _step

VIEW = json.dumps({"data": "iVBORw0KGgo="}).encode()


@pytest.mark.parametrize(
    "text",
    [
        '{"step": "ticked", "now_ns": 1e400}',
        '{"step": "begun", "time_ns": Infinity, "number": 0, "name": "", "camera_id": ""}',
        '{"step": "begun", "time_ns": 0, "number": -1e999, "name": "", "camera_id": ""}',
        '{"step": "lost", "count": NaN}',
        '{"step": "done", "number": 0, "refusal": {"stage": "x", "reason": "y", "time_ns": 1}}',
        '{"step": "moved", "number": 0, "view": {"time_ns": 1e999}}',
        '{"step": "moved", "number": 7, "view": {}}',
        '{"step": "handled", "event": {"kind": "Attitude", "time_ns": 1e999}}',
        '{"step": "sent", "name": "x", "bytes": "="}',
        '{"step": ["ticked"]}',
    ],
)
def test_each_is_one_sentence(text):
    with pytest.raises(InputError, match=r"a\.mcap: step 3"):
        _step(json.loads(text), {0: VIEW}, "a.mcap: step 3")
