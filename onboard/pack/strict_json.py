"""JSON of which nothing has two meanings: no key twice, no NaN, no endless nesting."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from onboard.pack.plain_text import check_plain

DEEPEST = 16


def parse_strictly(data: bytes, most_bytes: int) -> Any:
    """Raises ValueError: too long, not UTF-8, not JSON, a key given twice, a number that is
    none, too deep, or a string with characters that do not show as they are."""
    if len(data) > most_bytes:
        raise ValueError(f"longer than {most_bytes} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number
        )
        _look_through(value, DEEPEST)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _look_through(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str) and value:
        check_plain("a text", value)
    elif isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError("a number is too large")
    elif isinstance(value, dict):
        for key, held in value.items():
            check_plain("a key", key)
            _look_through(held, depth - 1)
    elif isinstance(value, list):
        for held in value:
            _look_through(held, depth - 1)
