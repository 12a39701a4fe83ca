"""Runs checks at the same time, for the time that there is: each gets a thread, most of them
wait for a disk, a camera or an autopilot."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from onboard.errors import InputError
from tools.doctor.check import Check, Finding, NotAsked, Outcome, failure, from_error, skipped
from tools.doctor.subject import Subject

DEADLINE_S = 10.0


@dataclass(frozen=True)
class Checked:
    """What one check found, and the time it took."""

    check: Check
    findings: tuple[Finding, ...]
    seconds: float


def run_checks(
    checks: Sequence[Check], subject: Subject, deadline_s: float = DEADLINE_S
) -> list[Checked]:
    """In the order given. One that does not answer in time is a failure, and so is one that
    breaks: nothing is raised."""
    began_s = time.monotonic()
    done: queue.SimpleQueue[tuple[int, Checked]] = queue.SimpleQueue()

    def run(number: int, check: Check) -> None:
        found = look(check, subject)
        done.put((number, Checked(check, tuple(found), time.monotonic() - began_s)))

    for number, check in enumerate(checks):
        # Daemons: a driver that hangs for good does not keep the doctor from answering.
        threading.Thread(target=run, args=(number, check), name=check.name, daemon=True).start()
    answers: dict[int, Checked] = {}
    while len(answers) < len(checks):
        left_s = began_s + deadline_s - time.monotonic()
        try:
            number, checked = done.get(timeout=max(0.001, left_s))
        except queue.Empty:
            break
        answers[number] = checked
    late = failure(
        f"gave no answer within {deadline_s:.0f} s", "run the doctor again when the machine is idle"
    )
    return [
        answers.get(number, Checked(check, (late,), deadline_s))
        for number, check in enumerate(checks)
    ]


def look(check: Check, subject: Subject) -> list[Finding]:
    """What one check finds; what it raises becomes a finding, too."""
    try:
        found = check.look(subject)
    except NotAsked as e:
        return [skipped(str(e))]
    except InputError as e:
        return [from_error(e)]
    except Exception as e:
        said = f"the check itself failed: {type(e).__name__}: {e}".replace("\n", " ")
        return [failure(said, "report this with the output of 'pilotage doctor --json'")]
    return found if isinstance(found, list) else [found]


def passed(results: Sequence[Checked]) -> bool:
    """Whether nothing keeps from flying."""
    return not any(f.outcome is Outcome.FAIL for r in results for f in r.findings)
