"""In which states of GNSS a position is offered, and for how long after."""

from __future__ import annotations

from onboard.flight_settings import PublishWhen
from onboard.messages import GnssAssessment
from onboard.reasons import GnssState

GOOD_FOR_NS = 5_000_000_000  # GNSS must have been good so long before the offer is withdrawn
CALLING = {
    PublishWhen.ALWAYS: frozenset(GnssState),
    PublishWhen.ON_LOSS: frozenset(  # a receiver that was never heard is lost, too
        {GnssState.LOST, GnssState.JAMMED, GnssState.SPOOFED, GnssState.UNKNOWN}
    ),
    PublishWhen.ON_SPOOF: frozenset({GnssState.SPOOFED}),
}


class Policy:
    """Whether the state of GNSS calls for a position; once it did, until GNSS has been good
    for GOOD_FOR_NS."""

    def __init__(self, when: PublishWhen) -> None:
        self._when = when
        self._wanted = False
        self._good_since_ns: int | None = None

    def wants(self, now_ns: int, gnss: GnssAssessment) -> bool:
        if self._when is PublishWhen.ALWAYS:
            return True
        if gnss.state in CALLING[self._when]:
            self._wanted, self._good_since_ns = True, None
        elif gnss.state is not GnssState.GOOD:
            self._good_since_ns = None
        elif self._good_since_ns is None:
            self._good_since_ns = now_ns
        elif now_ns - self._good_since_ns >= GOOD_FOR_NS:
            self._wanted = False
        return self._wanted
