"""What flies sends nothing to anybody but the autopilot."""

import os
import subprocess
import sys

LOAD = """
import time
from onboard.describe import Describer
from onboard.model_bundle import load_bundle
Describer(load_bundle())
time.sleep(0.5)
"""


def test_onnx_runtime_keeps_no_notes_for_its_makers(tmp_path):
    """It numbers the machine and queues notes in the user's cache before it sends them."""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", LOAD], check=True, env=environment, timeout=120)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == []
