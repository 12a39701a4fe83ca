"""Which day it is at least, where the machine's clock may be wrong.

A clock that was never set, or was set back, can't make a map live for ever: days on which
signatures were issued that were believed have come, and so have days on which maps were flown. A
clock that runs ahead can't end all other maps either: where maps are signed, a day of issue beyond
a sound clock counts for that map alone; here, a day counts only of a clock by which a map with an
end was in force, so at most that end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onboard.pack.pack_signature import Signed
from onboard.system_clock import UNIX_S_AT_LEAST, utc_day

SOFTWARE_DAY = utc_day(UNIX_S_AT_LEAST)


@dataclass(frozen=True)
class MapDay:
    """For one map. clock: today by this machine's clock; kept: the newest day that had come when
    maps were taken here ('' where none was), in the list of accepted maps. All UTC."""

    signed: Signed
    clock: str
    kept: str
    accepted: Path | None

    @property
    def is_sound(self) -> bool:
        """Whether the clock shows a day that may be today."""
        return self.clock >= max(self.kept, SOFTWARE_DAY)

    @property
    def day(self) -> str:
        """Today, by whatever says the latest day."""
        return max(self.clock, self.kept, self.signed.issued, SOFTWARE_DAY)

    @property
    def in_force(self) -> bool:
        return self.signed.expires is None or self.day <= self.signed.expires

    @property
    def by(self) -> tuple[str, str]:
        """Who says the day, and what a person can do who knows better."""
        if self.clock == self.day:
            return "this machine's clock", ", or set the clock if that is wrong"
        if self.signed.issued == self.day:
            return "its own signature", ""
        if self.kept == self.day:
            return f"the list {self.accepted}", ", or correct 'certain_day' in it if that is wrong"
        return "this software", ""

    @property
    def to_keep(self) -> str:
        """The day that has come once this map proved good."""
        believed = issued = self.signed.issued
        if self.is_sound:
            is_bound = self.signed.expires is not None and self.in_force
            believed = self.clock if is_bound else min(issued, self.clock)
        return max(self.kept, believed)

    @property
    def doubt(self) -> str:
        """What is wrong with the clock, as a sentence's end; '' where nothing shows."""
        if self.clock == self.day:
            return ""
        judged = "expiry not judged by a sound clock: " if self.signed.expires else ""
        by, _ = self.by
        says = f"this machine's clock says {self.clock}, {by} {self.day}"
        return f"; {judged}{says}; set what is wrong"
