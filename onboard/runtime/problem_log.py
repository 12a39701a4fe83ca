"""Says in the service's log when a part of the flight fails and when it works again."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

LASTS_S = 3.0  # shorter is a part that is just starting, or one frame too few


class ProblemLog:
    """One line when a problem has lasted, one when it is over, however often it is noted."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._told: set[str] = set()

    def note(self, part: str, problem: str, now_s: float) -> None:
        """problem: '' while the part works; its figures may change while it lasts."""
        if not problem:
            self._since_s.pop(part, None)
            if part in self._told:
                self._told.remove(part)
                log.info("%s: works again", part)
        elif now_s - self._since_s.setdefault(part, now_s) >= LASTS_S and part not in self._told:
            self._told.add(part)
            log.warning("%s: %s", part, problem)
