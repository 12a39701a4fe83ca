"""When imagery was taken, as a person or a service's file may say it."""

from __future__ import annotations

import datetime
import re

ACCEPTED = "2024-10-30, 2024-10 or 2024"
_FORM = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def is_imagery_date(text: str) -> bool:
    """Whether it is a day, a month or a year that the calendar has."""
    if not _FORM.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return True
