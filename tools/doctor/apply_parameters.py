"""Writes the parameters that differ from the presets: on the ground, when told to, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.autopilot.parameters import ParameterState
from onboard.errors import InputError
from tools.doctor.check import NotAsked
from tools.doctor.parameter_checks import compare, held_takeover
from tools.doctor.subject import Subject

WRITE_WITHIN_S = 30.0  # with a bad link every write is repeated


@dataclass(frozen=True)
class Applied:
    """after: what the autopilot said last, None when it did not answer."""

    name: str
    before: float
    after: float | None
    state: ParameterState
    needs_reboot: bool

    @property
    def said(self) -> str:
        after = "no answer" if self.after is None else f"{self.after:g}"
        what = {
            ParameterState.WRITTEN: "read back" + (", reboot" if self.needs_reboot else ""),
            ParameterState.REFUSED: "REFUSED by the autopilot",
        }.get(self.state, "NOT CONFIRMED")
        return f"{self.name}: {self.before:g} -> {after} ({what})"


def apply_parameters(subject: Subject) -> list[Applied]:
    """Raises InputError: no link, a silent autopilot, an armed vehicle, a takeover that
    was not given back; nothing was written."""
    held = held_takeover()
    if held is not None:
        raise InputError(
            f"--apply: {held} says that a takeover was not given back; 'pilotage run' gives back "
            "what it changed, run it first"
        )
    try:
        subject.settings.get()
        session = subject.autopilot.get()
        compared = compare(subject)
    except NotAsked as e:
        raise InputError(f"--apply: {e}; connect the autopilot and name its link") from e
    before = {d.wanted.name: d for d in compared.found}
    outcomes = session.apply(compared.found, WRITE_WITHIN_S)
    return [
        Applied(name, had, o.value, o.state, before[name].wanted.needs_reboot)
        for name, o in outcomes.items()
        if (had := before[name].value) is not None
    ]
