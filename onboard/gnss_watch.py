"""What GNSS is worth at any moment, from what the autopilot tells of its receivers."""

from __future__ import annotations

from onboard.messages import Gnss, GnssAssessment
from onboard.reasons import GnssState


class GnssWatch:
    """Handed every report in order of time; answers what is held of GNSS."""

    def __init__(self) -> None:
        self._state = GnssState.UNKNOWN
        self._since_ns = 0
        self._evidence: tuple[str, ...] = ()

    def add_gnss(self, gnss: Gnss) -> None:
        state = GnssState.GOOD if gnss.has_fix else GnssState.LOST
        if state is not self._state:
            self._state, self._since_ns = state, gnss.time_ns
            self._evidence = () if gnss.has_fix else ("no fix",)

    def assess(self, now_ns: int) -> GnssAssessment:
        return GnssAssessment(now_ns, self._state, self._since_ns, self._evidence)
