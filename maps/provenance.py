"""What the imagery is, for the manifest: name, date, licence, attribution and error of each input.
What the person says comes before what the input says of itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from maps.imagery_date import ACCEPTED, is_imagery_date
from maps.sources.datum_shift import shift_notes
from maps.sources.source import Source
from onboard.errors import InputError
from onboard.pack.map_error import check_map_sigma
from onboard.pack.pack_manifest import ImagerySource
from onboard.pack.plain_text import made_plain

T = TypeVar("T")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Provenance:
    """What a person says of the inputs: nothing, one value for all, or one for each. sigmas_m: how
    far they are off, horizontally, 1 sigma per axis."""

    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()
    sigmas_m: tuple[float, ...] = ()


def imagery_sources(
    inputs: Sequence[Path], sources: Sequence[Sequence[Source]], said: Provenance
) -> tuple[ImagerySource, ...]:
    """One record an input. What was not said comes from the input where it has it. Says of
    which the licence stays unknown: a person must know whether they may fly with it; what was
    assumed of one; and, where no error is said, which lie off by their datum.

    Raises InputError: a number of values that fits nothing, a date that is none, an error that
    no map can be flown with.
    """
    for date in said.dates:
        if date != UNKNOWN and not is_imagery_date(date):
            raise InputError(f"--date {date}: is no date; write it as {ACCEPTED}")
    for sigma_m in said.sigmas_m:
        try:
            check_map_sigma("--map-sigma-m", sigma_m)
        except ValueError as e:
            raise InputError(str(e)) from e
    names = _spread(
        said.names, [_name_of(*pair) for pair in zip(inputs, sources, strict=True)], "--source"
    )
    dates = _spread(said.dates, [_date_of(group) for group in sources], "--date")
    licences = _spread(
        said.licences, [_agreed([s.licence for s in group]) for group in sources], "--licence"
    )
    attributions = _spread(
        said.attributions,
        [_agreed([s.attribution for s in group]) for group in sources],
        "--attribution",
    )
    sigmas = _spread(said.sigmas_m, [_worst_of(group) for group in sources], "--map-sigma-m")
    unsaid = (group for group, sigma_m in zip(sources, sigmas, strict=True) if sigma_m is None)
    for note in (s.note for group in sources for s in group if s.note is not None):
        print(note, file=sys.stderr)
    for note in shift_notes((s.name, s.shift) for group in unsaid for s in group):
        print(note, file=sys.stderr)
    for name in (n for n, licence in zip(names, licences, strict=True) if licence == UNKNOWN):
        print(
            f"{name}: its licence is unknown; find out whether you may use it so, and say it "
            "with --licence",
            file=sys.stderr,
        )
    return tuple(
        ImagerySource(_plain(name), _plain(date), _plain(licence), _plain(attribution), sigma_m)
        for name, date, licence, attribution, sigma_m in zip(
            names, dates, licences, attributions, sigmas, strict=True
        )
    )


def _plain(text: str) -> str:
    return made_plain(text) or UNKNOWN


def _spread(said: Sequence[T], otherwise: Sequence[T], option: str) -> Sequence[T]:
    if not said:
        return otherwise
    if len(said) not in (1, len(otherwise)):
        raise InputError(
            f"{option}: given {len(said)} times for {len(otherwise)} inputs; give it once, or "
            "once for each"
        )
    return [*said] * (len(otherwise) // len(said))


def _name_of(path: Path, group: Sequence[Source]) -> str:
    """A folder may be given as '.', a service's file has a name of its own."""
    return group[0].name if len(group) == 1 else path.name


def _agreed(values: Sequence[str | None]) -> str:
    """All that the sources of one input say, each once."""
    return "; ".join(dict.fromkeys(v for v in values if v)) or UNKNOWN


def _worst_of(group: Sequence[Source]) -> float | None:
    """None where one of them does not say."""
    said = [source.sigma_m for source in group]
    return None if None in said else max(s for s in said if s is not None)


def _date_of(group: Sequence[Source]) -> str:
    dates = sorted({source.date for source in group if source.date})
    return "/".join(dict.fromkeys((dates[0], dates[-1]))) if dates else UNKNOWN
