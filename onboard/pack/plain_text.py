"""Text that someone else wrote and that is shown in terminals, on pages and in STATUSTEXTs."""

from __future__ import annotations

import unicodedata

MOST_CHARS = 20_000  # of the names of a country's elevation files
# Controls, surrogates, line separators: they move a terminal's cursor, or no encoder takes them.
_NEVER = ("Cc", "Cs", "Zl", "Zp")
# Of the invisible formatting characters only the two that Persian and Indic writing need; others
# turn text around so that it reads as what it is not.
_JOINERS = "\u200c\u200d"


def is_plain(character: str) -> bool:
    category = unicodedata.category(character)
    return category not in _NEVER and (category != "Cf" or character in _JOINERS)


def check_plain(name: str, text: str, most: int = MOST_CHARS) -> None:
    """Raises ValueError: empty, too long, or with characters that do not show as they are."""
    if not text.strip():
        raise ValueError(f"{name} is empty")
    if len(text) > most:
        raise ValueError(f"{name} has {len(text)} characters, at most {most} are allowed")
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if not is_plain(character):
            raise ValueError(f"{name} holds the invisible character U+{ord(character):04X}")


def made_plain(text: str, most: int = MOST_CHARS) -> str:
    """The same with a space in place of each such character, and cut; '' stays ''."""
    return " ".join("".join(c if is_plain(c) else " " for c in text).split())[:most].strip()
