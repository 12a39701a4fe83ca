"""TOML files into frozen dataclasses. An unknown key is an error naming the nearest known one."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from onboard.errors import InputError, nearest_known

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


def load_settings(path: Path, kind: type[T]) -> T:
    """Reads a TOML file into `kind`, a dataclass whose fields may be dataclasses (tables).

    Raises InputError: unreadable file, bad TOML (with line), unknown key, wrong type,
    missing key, or a ValueError that the dataclass's own __post_init__ raised.
    """
    return settings_from_table(read_table(path), kind, str(path))


def read_table(path: Path) -> dict[str, Any]:
    """Parses a TOML file. Raises InputError: unreadable file, bad TOML (with line)."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); give an existing TOML file"
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: not valid TOML: {e}; correct that line") from e
    return table


def settings_from_table(table: dict[str, Any], kind: type[T], where: str) -> T:
    """The same from a parsed table; `where` (file, and table within it) opens every message."""
    assert dataclasses.is_dataclass(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = _hints(kind)
    for key in table:
        if key not in fields:
            raise InputError(f"{where}: unknown key '{key}'; {nearest_known(key, fields)}")
    values = {k: _convert(v, hints[k], f"{where}: {k}") for k, v in table.items()}
    for name, f in fields.items():
        no_default = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if no_default and name not in values:
            raise InputError(f"{where}: key '{name}' is missing; add it")
    try:
        return kind(**values)
    except ValueError as e:
        raise InputError(f"{where}: {e}") from e


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """A list may hold a hundred thousand of a kind."""
    return typing.get_type_hints(kind)


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert(value, next(a for a in args if a is not type(None)), where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a table, got {value!r}")
        return settings_from_table(value, hint, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list, got {value!r}")
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise InputError(f"{where}: expected {len(args)} values, got {len(value)}")
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        return tuple(
            _convert(v, a, f"{where}[{i}]")
            for i, (v, a) in enumerate(zip(value, kinds, strict=True))
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        known = [str(m.value) for m in hint]
        if value not in known:
            raise InputError(f"{where}: {value!r} is not one of {', '.join(known)}")
        return hint(value)
    if isinstance(value, str) and "\0" in value:  # no system call takes one
        raise InputError(f"{where}: {value!r} holds a null character; take it out")
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as e:
            raise InputError(f"{where}: more digits than a number can have") from e
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
