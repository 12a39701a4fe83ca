"""What can be said of the machine's clock: small computers have none that runs while they are
off, and start in 1970 or where they were shut down."""

from __future__ import annotations

import datetime

# A clock before this was never set, and a day before it is past: 2026-11-01, when this was
# written, in Unix seconds.
UNIX_S_AT_LEAST = 1_793_491_200


def utc_day(unix_s: float) -> str:
    """ISO 8601."""
    try:
        return datetime.datetime.fromtimestamp(unix_s, datetime.timezone.utc).date().isoformat()
    except (OverflowError, OSError, ValueError):  # a clock beyond the year 9999
        return "9999-12-31"
