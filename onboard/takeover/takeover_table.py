"""When the receiver is deselected and when it is given back: every case.

What is done, and after how long it has been so:

| autopilot uses | our position | GNSS                        | done                      |
| -------------- | ------------ | --------------------------- | ------------------------- |
| its receiver   | trusted      | lost, jammed, spoofed       | take over      (0.2 s)    |
| its receiver   | trusted      | good, degraded, unknown     | nothing                   |
| its receiver   | not trusted  | any                         | nothing: nothing is better|
| Pilotage       | trusted      | good, and agrees with ours  | give back      (10 s)     |
| Pilotage       | trusted      | good, but contradicts ours  | hold                      |
| Pilotage       | trusted      | any other                   | hold                      |
| Pilotage       | not trusted  | good, degraded              | give back      (1 s; 4 s  |
|                |              |   after a restart: what was known of GNSS is forgotten)|
| Pilotage       | not trusted  | lost, unknown               | give back      (10 s): a  |
|                |              |   receiver that comes back serves without us         |
| Pilotage       | not trusted  | jammed, spoofed             | hold: the autopilot's own |
|                |              |   failsafe beats a false position                    |
| Pilotage       | any          | any, and disarmed           | give back      (1 s)      |
"""

from __future__ import annotations

from enum import Enum

from onboard.reasons import GnssState
from onboard.takeover.takeover_selection import Selection

TAKE_NS = 200_000_000  # two ticks; the watch has its own hysteresis
GIVE_TRUSTED_NS = 10_000_000_000
GIVE_QUICK_NS = 1_000_000_000
GIVE_RESUMED_NS = 4_000_000_000  # time to find the place again; ArduPilot's failsafe comes at 8 s
GIVE_NOTHING_NS = 10_000_000_000
BAD = frozenset({GnssState.LOST, GnssState.JAMMED, GnssState.SPOOFED})


class Wish(Enum):
    STAY = "stay"
    TAKE = "take"
    GIVE = "give"


def decide(
    selection: Selection,
    armed: bool,
    trusted: bool,
    bad: bool,
    state: GnssState,
    agrees: bool,
    resumed: bool = False,
) -> tuple[Wish, int]:
    """The table: what is wished for, and how long it must have been so (ns). bad: a state in
    which the policy offers a position in the receiver's place. resumed: by a companion that
    started anew and has had no position yet."""
    if selection is Selection.OWN:
        return (Wish.TAKE, TAKE_NS) if armed and trusted and bad else (Wish.STAY, 0)
    if selection is not Selection.PILOTAGE:
        return Wish.STAY, 0
    if not armed:
        return Wish.GIVE, GIVE_QUICK_NS
    if trusted:
        good = state is GnssState.GOOD and agrees
        return (Wish.GIVE, GIVE_TRUSTED_NS) if good else (Wish.STAY, 0)
    if state in (GnssState.GOOD, GnssState.DEGRADED):
        return Wish.GIVE, GIVE_RESUMED_NS if resumed else GIVE_QUICK_NS
    if state in (GnssState.LOST, GnssState.UNKNOWN):
        return Wish.GIVE, GIVE_NOTHING_NS
    return Wish.STAY, 0
