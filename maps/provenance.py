"""What the imagery is, for the manifest: name, date, licence, attribution of each input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maps.source import Source
from onboard.errors import InputError
from onboard.pack_manifest import ImagerySource

UNKNOWN = "unknown"
_ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?$")


@dataclass(frozen=True)
class Provenance:
    """What a person says of the inputs: nothing, one value for all, or one for each."""

    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()


def imagery_sources(
    inputs: Sequence[Path], sources: Sequence[Sequence[Source]], said: Provenance
) -> tuple[ImagerySource, ...]:
    """One record an input. What was not said comes from the files where they have it.

    Raises InputError: a number of values that fits nothing, a date that is none.
    """
    for date in said.dates:
        if date != UNKNOWN and not _ISO_DATE.match(date):
            raise InputError(f"--date {date}: write it as 2024-10-30, 2024-10 or 2024")
    names = _spread(said.names, [p.name for p in inputs], "--source")
    dates = _spread(said.dates, [_date_of(group) for group in sources], "--date")
    licences = _spread(said.licences, [UNKNOWN] * len(inputs), "--licence")
    attributions = _spread(said.attributions, [UNKNOWN] * len(inputs), "--attribution")
    return tuple(
        ImagerySource(*row) for row in zip(names, dates, licences, attributions, strict=True)
    )


def _spread(said: tuple[str, ...], otherwise: list[str], option: str) -> list[str]:
    if not said:
        return otherwise
    if len(said) not in (1, len(otherwise)):
        raise InputError(
            f"{option}: given {len(said)} times for {len(otherwise)} inputs; give it once, or "
            "once for each"
        )
    return list(said) * (len(otherwise) // len(said))


def _date_of(group: Sequence[Source]) -> str:
    dates = sorted({source.date for source in group if source.date})
    return "/".join(dict.fromkeys((dates[0], dates[-1]))) if dates else UNKNOWN
