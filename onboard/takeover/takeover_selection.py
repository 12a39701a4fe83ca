"""What both ways of deselecting the receiver have in common."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from onboard.messages import Event


class Selection(Enum):
    """Which source the autopilot was told to use, as far as it confirmed it."""

    UNKNOWN = "unknown"  # not read yet
    OWN = "own"  # the autopilot chooses, or uses its receiver
    TAKING = "taking"
    PILOTAGE = "pilotage"
    GIVING = "giving"
    FOREIGN = "foreign"  # someone else changed it: theirs now


class Selector(Protocol):
    """`takeover_parameters.ParameterSelector`, `takeover_source_set.SourceSetSelector`."""

    selection: Selection
    failure: str | None  # why the last order has not been carried out; it goes on trying to give

    def obstacle(self) -> str | None:
        """What keeps it from taking over, in a few words; None when nothing does."""

    def remember(self) -> None:
        """The flight begins: what is to be put back goes to the disk. Raises InputError."""

    def forget(self) -> None:
        """The flight is over, and nothing is changed."""

    def take(self, now_ns: int) -> None:
        """Deselects the receiver. Raises InputError: what is to be put back can't be kept."""

    def give(self, now_ns: int) -> None:
        """Puts back what was."""

    def hear(self, event: Event) -> None: ...

    def act(self, now_ns: int) -> None: ...
