from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.settings import load_settings, settings_from_table


class Colour(str, Enum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    size_m: float
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    count: int
    inner: Inner = Inner(1.0)
    pair: tuple[int, int] | None = None
    many: tuple[Inner, ...] = ()
    colour: Colour = Colour.RED
    folder: Path | None = None
    on: bool = False

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count must not be negative")


def read(tmp_path: Path, text: str) -> Outer:
    path = tmp_path / "a.toml"
    path.write_text(text)
    return load_settings(path, Outer)


def test_tables_lists_and_paths(tmp_path):
    text = (
        'count = 3\npair = [1, 2]\nfolder = "a/b"\non = true\n'
        '[inner]\nsize_m = 2\n[[many]]\nsize_m = 1.5\nname = "y"\n'
    )
    assert read(tmp_path, text) == Outer(
        3, Inner(2.0), (1, 2), (Inner(1.5, "y"),), folder=Path("a/b"), on=True
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("coutn = 3", "unknown key 'coutn'; did you mean 'count'"),
        ("zzzz = 3", "unknown key 'zzzz'; known are count, inner"),
        (f"count = 3\n[inner]\nsize_m = 1{400 * '0'}", "size_m: more digits"),
        ("count = 3\n[inner]\nsize = 1", "a.toml: inner: unknown key 'size'.*size_m"),
        ('count = "three"', "count: expected int, got 'three'"),
        ("count = true", "count: expected int"),
        ("count = 3\ninner = 4", "inner: expected a table"),
        ("count = 3\npair = [1]", "pair: expected 2 values, got 1"),
        ("count = 3\npair = 1", "pair: expected a list"),
        ('count = 3\ncolour = "blue"', "'blue' is not one of red"),
        ("count = 3\n[[many]]\nname = 'y'", r"many\[0\]: key 'size_m' is missing"),
        ("on = true", "key 'count' is missing"),
        ("count = -1", "count must not be negative"),
        ("count = = 1", r"a\.toml: not valid TOML.*line 1"),
    ],
)
def test_one_clear_sentence(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, text)


def test_a_null_character_that_no_file_name_can_hold():
    for key, hint in (("path", Path), ("text", str)):
        record = dataclass(type("Record", (), {"__annotations__": {key: hint}}))
        with pytest.raises(InputError, match=rf"f: {key}: 'a\\x00b' holds a null character"):
            settings_from_table({key: "a\0b"}, record, "f")


def test_absent_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_settings(tmp_path / "none.toml", Outer)
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not valid TOML"):
        load_settings(tmp_path / "b.toml", Outer)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["count", "inner", "pair", "many", "colour", "folder", "on", "other"])


@given(st.dictionaries(KEYS, VALUES))
def test_any_table_gives_settings_or_a_sentence(table):
    try:
        assert isinstance(settings_from_table(table, Outer, "t"), Outer)
    except InputError as e:
        assert str(e).startswith("t")
