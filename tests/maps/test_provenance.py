from pathlib import Path
from types import SimpleNamespace

import pytest

from maps.provenance import Provenance, imagery_sources
from maps.sources.datum_shift import DatumShift
from onboard.errors import InputError


def source(date, name="x", licence=None, attribution=None, sigma_m=None, shift=None):
    return SimpleNamespace(
        date=date,
        name=name,
        licence=licence,
        attribution=attribution,
        sigma_m=sigma_m,
        shift=shift,
        note=None,
    )


INPUTS = [Path("a.tif"), Path("b.csv")]
GROUPS = [[source("2020-08-31", "a.tif")], [source("2021"), source(None), source("2019-05")]]


def test_what_was_not_said_comes_from_the_files():
    first, second = imagery_sources(INPUTS, GROUPS, Provenance())
    assert (first.name, first.date, first.licence) == ("a.tif", "2020-08-31", "unknown")
    assert second.date == "2019-05/2021"


def test_one_value_is_for_all_and_several_for_each():
    said = Provenance(dates=("2018",), licences=("CC0", "MIT"))
    first, second = imagery_sources(INPUTS, GROUPS, said)
    assert (first.date, second.date) == ("2018", "2018")
    assert (first.licence, second.licence) == ("CC0", "MIT")


def test_numbers_that_do_not_fit_and_dates_that_are_none():
    with pytest.raises(InputError, match="--attribution: given 3 times for 2 inputs"):
        imagery_sources(INPUTS, GROUPS, Provenance(attributions=("a", "b", "c")))
    for date in ("yesterday", "2024-13-45"):
        with pytest.raises(InputError, match=f"--date {date}: is no date"):
            imagery_sources(INPUTS, GROUPS, Provenance(dates=(date,)))


def test_what_an_input_says_of_itself_stands_and_gives_way_to_the_person():
    service = [[source("2024", "City ortho", "CC-BY-4.0", "(c) City")]]
    (found,) = imagery_sources([Path("city.toml")], service, Provenance())
    assert (found.name, found.licence, found.attribution) == ("City ortho", "CC-BY-4.0", "(c) City")
    (found,) = imagery_sources([Path("city.toml")], service, Provenance(licences=("own",)))
    assert (found.licence, found.attribution) == ("own", "(c) City")


def test_an_unknown_licence_is_pointed_out(capsys):
    imagery_sources(INPUTS, GROUPS, Provenance(licences=("CC0", "unknown")))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "b.csv: its licence is unknown" in said
    imagery_sources(INPUTS, GROUPS, Provenance(licences=("CC0",)))
    assert not capsys.readouterr().err


def test_an_old_datum_is_pointed_out_unless_the_error_is_said(capsys):
    shift = DatumShift("NAD27", 7.0)
    groups = [[source("2020", "a.tif", shift=shift)], [source("2021", "b.tif", shift=shift)]]
    imagery_sources(INPUTS, groups, Provenance(licences=("CC0",)))
    said = capsys.readouterr().err
    assert said.startswith("note: a.tif and 1 more: PROJ knows the way from NAD27 to WGS 84 to 7.0")
    assert said.count("\n") == 1 and "--map-sigma-m" in said
    imagery_sources(INPUTS, groups, Provenance(licences=("CC0",), sigmas_m=(8.0,)))
    assert not capsys.readouterr().err


def sigmas(groups, *said):
    found = imagery_sources(INPUTS, groups, Provenance(licences=("CC0",), sigmas_m=said))
    return [source.sigma_m for source in found]


def test_the_error_is_the_persons_then_the_inputs_own_and_that_of_its_worst_part():
    assert sigmas(GROUPS) == [None, None]
    assert sigmas(GROUPS, 8.0) == [8.0, 8.0]
    assert sigmas(GROUPS, 0.1, 5.0) == [0.1, 5.0]
    told = [[source("2024", sigma_m=4.0)], [source("2021", sigma_m=1.0), source(None, sigma_m=2.0)]]
    assert sigmas(told) == [4.0, 2.0] and sigmas(told, 6.0) == [6.0, 6.0]
    assert sigmas([told[0], [*told[1], source(None)]]) == [4.0, None]


@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), float("inf"), 1e9, 10.1])
def test_an_error_that_no_map_can_be_flown_with_is_one_sentence(value):
    with pytest.raises(InputError, match=r"^--map-sigma-m is .*: give .* above 0 and up to 10; .*"):
        sigmas(GROUPS, value)
    with pytest.raises(InputError, match="--map-sigma-m: given 3 times for 2 inputs"):
        sigmas(GROUPS, 1.0, 2.0, 3.0)
