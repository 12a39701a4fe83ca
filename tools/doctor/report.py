"""What the doctor says: a list for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from tools.doctor.check import Finding, Outcome
from tools.doctor.run_checks import Checked, passed

if TYPE_CHECKING:
    from tools.doctor.apply_parameters import Applied

SCHEMA = 1  # counts up when a key changes its meaning or goes
MARKS = {
    Outcome.PASS: ("ok", "32"),
    Outcome.WARN: ("warn", "33"),
    Outcome.FAIL: ("FAIL", "31"),
    Outcome.SKIP: ("-", "2"),
}


def as_text(
    results: Sequence[Checked],
    seconds: float,
    applied: Sequence[Applied] = (),
    colour: bool = False,
) -> str:
    """What was written, then a line a finding, its mend below."""
    rows = [(name_of(r, f), f) for r in results for f in r.findings]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"wrote {a.said}" for a in applied]
    for name, finding in rows:
        mark, code = MARKS[finding.outcome]
        shown = f"\x1b[{code}m{mark:<4}\x1b[0m" if colour else f"{mark:<4}"
        lines.append(f"{shown}  {name:<{width}}  {finding.said}")
        if finding.mend and finding.outcome is not Outcome.PASS:
            lines.append(f"{'':<{width + 8}}-> {finding.mend}")
    counts = Counter(f.outcome for _, f in rows)
    said = ", ".join(f"{counts[o]} {o.value}" for o in Outcome)
    counted = f"{len(rows)} checks in {seconds:.1f} s: {said}"
    return "\n".join([*lines, counted, _verdict(results)])


def _verdict(results: Sequence[Checked]) -> str:
    """With the names of what keeps from flying, or else of what makes it worse."""
    outcome = Outcome.WARN if passed(results) else Outcome.FAIL
    named = [name_of(r, f) for r in results for f in r.findings if f.outcome is outcome]
    if outcome is Outcome.FAIL:
        return f"NOT fit to fly: {', '.join(named)}"
    return f"fit to fly, except: {', '.join(named)}" if named else "fit to fly"


def as_json(results: Sequence[Checked], seconds: float, applied: Sequence[Applied] = ()) -> str:
    """{schema, pilotage, passed, seconds, counts: {pass, warn, fail, skip}, applied: [{name,
    before, after, state}], checks: [{name, outcome, said, mend, seconds}]}; the checks in a
    fixed order."""
    findings = [(r, f) for r in results for f in r.findings]
    counts = Counter(f.outcome for _, f in findings)
    return json.dumps(
        {
            "schema": SCHEMA,
            "pilotage": _version(),
            "passed": passed(results),
            "seconds": round(seconds, 2),
            "counts": {o.value: counts[o] for o in Outcome},
            "applied": [
                {"name": a.name, "before": a.before, "after": a.after, "state": a.state.value}
                for a in applied
            ],
            "checks": [
                {
                    "name": name_of(r, f),
                    "outcome": f.outcome.value,
                    "said": f.said,
                    "mend": f.mend,
                    "seconds": round(r.seconds, 3),
                }
                for r, f in findings
            ],
        },
        indent=1,
        ensure_ascii=False,
    )


def name_of(result: Checked, finding: Finding) -> str:
    """As 'parameters.GPS2_TYPE'."""
    return result.check.name + (f".{finding.part}" if finding.part else "")


def _version() -> str:
    try:
        return metadata.version("pilotage")
    except metadata.PackageNotFoundError:
        return "unknown"
