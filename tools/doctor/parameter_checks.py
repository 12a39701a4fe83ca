"""The autopilot's parameters against the presets of the outputs that are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onboard.autopilot.parameters import ParameterState
from onboard.autopilot.preset import Difference, Preset, best, choose, differences
from onboard.inference.engine_record import state_folder
from onboard.runtime.open_flight import TAKEOVER_FILE
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.link_checks import speaking, version_of
from tools.doctor.subject import Subject

READ_WITHIN_S = 5.5  # of the doctor's ten seconds, behind the first heartbeat
APPLY = "pilotage doctor ... --apply"


@dataclass(frozen=True)
class Compared:
    """unread: parameters that gave no answer in the time that there was."""

    presets: tuple[Preset, ...]
    found: tuple[Difference, ...]
    unread: tuple[str, ...]
    count: int


def compare(subject: Subject) -> Compared:
    """Reads what the presets name. Raises NotAsked: no autopilot, or none with a preset."""
    session = speaking(subject)
    vehicle, version = session.vehicle(), version_of(session)
    assert vehicle is not None
    outputs = subject.settings.needed().publish.outputs
    release = version[:2] if version else None
    choice = choose(vehicle.autopilot, vehicle.kind, release, outputs)
    if not choice:
        wanted_outputs = ", ".join(o.value for o in outputs)
        said = f"{vehicle.autopilot} {vehicle.kind}"
        raise NotAsked(f"no preset for {wanted_outputs} on {said}")
    names = sorted({name for preset in choice for name in preset.names})
    outcomes = session.parameters(names, READ_WITHIN_S)
    values = {
        n: o.value for n, o in outcomes.items() if o.is_done and o.value is not None
    }  # fmt: skip
    unread = {n for n, o in outcomes.items() if o.state is ParameterState.WAITING}
    presets = best(choice, values)
    found = {
        d.wanted.name: d
        for preset in presets
        for d in differences(preset, values)
        if d.wanted.name not in unread
    }
    wanted = {name for preset in presets for name in preset.names}
    return Compared(presets, tuple(found.values()), tuple(sorted(unread & wanted)), len(wanted))


def parameters(subject: Subject) -> list[Finding]:
    """Each that differs, and why it matters."""
    compared = compare(subject)
    titles = "; ".join(preset.title for preset in compared.presets)
    findings = [_finding(d) for d in compared.found]
    if compared.unread:
        said = f"{', '.join(compared.unread)} gave no answer in time"
        findings.append(warning(said, "a faster link, or the doctor again", "unread"))
    right = compared.count - len(compared.found) - len(compared.unread)
    findings.append(good(f"{right} of {compared.count} parameters are right for {titles}"))
    return findings


def _finding(difference: Difference) -> Finding:
    wanted = difference.wanted
    reboot = ", then reboot the autopilot" if wanted.needs_reboot else ""
    mend = f"{wanted.name} = {wanted.value:g}{reboot} ({APPLY} writes all)"
    if difference.value is None:
        return warning(
            f"{difference.said} (absent ones may appear after a reboot)", mend, wanted.name
        )
    return failure(difference.said, mend, wanted.name)


def takeover(_: Subject) -> Finding:
    """A flight that ended amid a takeover left the autopilot changed."""
    held = held_takeover()
    if held is None:
        return good("no takeover is left over")
    return failure(
        f"{held} says that a flight ended during a takeover: parameters are not the pilot's own",
        "pilotage run FLIGHT.toml gives back what was changed",
    )


def held_takeover() -> Path | None:
    """The file that a takeover leaves while it lasts."""
    path = state_folder() / TAKEOVER_FILE
    return path if path.exists() else None


CHECKS = (
    Check("parameters", parameters),
    Check("takeover.given_back", takeover),
)
