"""What a check is and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from onboard.errors import InputError

if TYPE_CHECKING:
    from tools.doctor.subject import Subject


class Outcome(str, Enum):
    """FAIL keeps from flying, WARN makes it worse, SKIP could not be asked."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """said: one sentence. mend: the command or the line that mends it, '' where none is needed.
    part: what of the check it is about, where a check finds several things."""

    outcome: Outcome
    said: str
    mend: str = ""
    part: str = ""


@dataclass(frozen=True)
class Check:
    """name: group and subject, as 'map.hashes'. of_flight: makes sense with a flight's settings
    only. look may raise InputError (a failure in a sentence) and NotAsked (skipped)."""

    name: str
    look: Callable[[Subject], Finding | list[Finding]]
    of_flight: bool = False


class NotAsked(Exception):
    """The check has nothing to look at; why, in a sentence."""


def good(said: str, part: str = "") -> Finding:
    return Finding(Outcome.PASS, said, part=part)


def warning(said: str, mend: str, part: str = "") -> Finding:
    return Finding(Outcome.WARN, said, mend, part)


def failure(said: str, mend: str, part: str = "") -> Finding:
    return Finding(Outcome.FAIL, said, mend, part)


def skipped(said: str) -> Finding:
    return Finding(Outcome.SKIP, said)


def from_error(error: InputError) -> Finding:
    """An InputError says what is wrong and, behind its last semicolon, what to do."""
    said, _, mend = str(error).rpartition("; ")
    return failure(said, mend) if said else failure(mend, "correct what is named there")
