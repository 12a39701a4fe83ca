"""How often a progress bar is written."""

from __future__ import annotations

import sys

TERMINAL_S = 0.5
LOG_S = 10.0  # where every update stays: a journal, a file, a build server's page


def progress_s() -> float:
    """Seconds between two updates of a bar on the error output: tqdm's mininterval."""
    return TERMINAL_S if sys.stderr.isatty() else LOG_S
