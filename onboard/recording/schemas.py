"""The topics of a recording and their JSON schemas.

Those named foxglove.* are Foxglove's own (https://docs.foxglove.dev/docs/sdk/schemas), so that
its panels show them without a plugin: Image, Map, Log. The others are plain tables for its
Raw Messages and Plot panels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_TIME = {
    "type": "object",
    "title": "time",
    "properties": {
        "sec": {"type": "integer", "minimum": 0},
        "nsec": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    },
}
_TEXT, _NUMBER, _INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def _schema(title: str, **properties: Any) -> dict[str, Any]:
    return {"title": title, "type": "object", "properties": properties}


PICTURE = _schema(
    "foxglove.CompressedImage",
    timestamp=_TIME,
    frame_id=_TEXT,
    data={"type": "string", "contentEncoding": "base64"},
    format=_TEXT,
)
PLACE = _schema(
    "foxglove.LocationFix",
    timestamp=_TIME,
    frame_id=_TEXT,
    latitude=_NUMBER,
    longitude=_NUMBER,
    altitude=_NUMBER,
    position_covariance={"type": "array", "items": _NUMBER, "minItems": 9, "maxItems": 9},
    position_covariance_type={
        "title": "foxglove.PositionCovarianceType",
        "oneOf": [
            {"title": "UNKNOWN", "const": 0},
            {"title": "APPROXIMATED", "const": 1},
            {"title": "DIAGONAL_KNOWN", "const": 2},
            {"title": "KNOWN", "const": 3},
        ],
    },
)
LOG = _schema(
    "foxglove.Log",
    timestamp=_TIME,
    level={
        "title": "foxglove.LogLevel",
        "oneOf": [
            {"title": title, "const": level}
            for level, title in enumerate(("UNKNOWN", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"))
        ],
    },
    message=_TEXT,
    name=_TEXT,
    file=_TEXT,
    line=_INTEGER,
)
FRAME = _schema(
    "pilotage.Frame",
    number=_INTEGER,
    name=_TEXT,
    stage=_TEXT,
    reason=_TEXT,
    detail=_TEXT,
    level=_INTEGER,
    agl_m=_NUMBER,
    height={"type": "object"},
    fix={"type": "object"},
    match={"type": "object"},
    candidates={"type": "array", "items": {"type": "object"}},
    latency_ms={"type": "object"},
)
STATE = _schema(
    "pilotage.State",
    mode=_TEXT,
    fix_age_s=_NUMBER,
    accuracy_m=_NUMBER,
    protection_m=_NUMBER,
    velocity_north_m_s=_NUMBER,
    velocity_east_m_s=_NUMBER,
    amsl_m=_NUMBER,
    gnss=_TEXT,
    gnss_evidence={"type": "array", "items": _TEXT},
)
HEALTH = _schema("pilotage.Health", part=_TEXT, problem=_TEXT, detail=_TEXT)
START = _schema("pilotage.Start", format=_INTEGER, settings={"type": "object"})
JOURNAL = _schema("pilotage.Journal", n=_INTEGER, step=_TEXT)


@dataclass(frozen=True)
class Topic:
    name: str
    schema: dict[str, Any]


CAMERA = Topic("/camera", PICTURE)
VIEW = Topic("/view", PICTURE)  # lossless: what the network was given
MATCH = Topic("/match", PICTURE)  # view beside the map
ESTIMATE = Topic("/estimate", PLACE)
FIX = Topic("/fix", PLACE)
GNSS = Topic("/gnss", PLACE)
GNSS_SECOND = Topic("/gnss2", PLACE)
AUTOPILOT = Topic("/autopilot", PLACE)
TEXTS = Topic("/log", LOG)
FRAMES = Topic("/frame", FRAME)
STATES = Topic("/state", STATE)
HEALTHS = Topic("/health", HEALTH)
STARTS = Topic("/pilotage/start", START)
STEPS = Topic("/pilotage/journal", JOURNAL)
TOPICS = (
    CAMERA,
    VIEW,
    MATCH,
    ESTIMATE,
    FIX,
    GNSS,
    GNSS_SECOND,
    AUTOPILOT,
    TEXTS,
    FRAMES,
    STATES,
    HEALTHS,
    STARTS,
    STEPS,
)
