"""Where a frame ended, why it gave no fix, what the estimator knows and what GNSS is worth."""

from __future__ import annotations

from enum import Enum


class Stage(str, Enum):
    """Where a frame is on its way from the camera to the autopilot."""

    INPUT = "input"
    RECTIFY = "rectify"
    DESCRIBE = "describe"
    RETRIEVE = "retrieve"
    RERANK = "rerank"
    LOCATE = "locate"
    GATE = "gate"
    FUSE = "fuse"


class Reason(str, Enum):
    """Why a frame gave no fix. Every refused frame has exactly one."""

    BAD_PICTURE = "bad_picture"  # could not be decoded, or of no usable size
    TOO_DARK = "too_dark"
    BLURRED = "blurred"
    FROZEN = "frozen"  # the camera repeats its last picture
    NO_ATTITUDE = "no_attitude"
    NO_HEIGHT = "no_height"
    HEIGHT_OUT_OF_RANGE = "height_out_of_range"
    TOO_OBLIQUE = "too_oblique"  # the camera looks at or near the horizon
    VIEW_TOO_SMALL = "view_too_small"  # too little ground in the picture
    OUTSIDE_MAP = "outside_map"
    MAP_UNREADABLE = "map_unreadable"  # the disk or a tile failed in flight
    INFERENCE_FAILED = "inference_failed"  # the GPU that was asked for failed in flight
    NO_CANDIDATE = "no_candidate"
    TOO_FEW_INLIERS = "too_few_inliers"
    RESIDUAL_TOO_LARGE = "residual_too_large"
    AMBIGUOUS = "ambiguous"  # two places fit almost equally well
    WEAK_MATCH = "weak_match"  # its figures are no numbers
    SCALE_DISAGREES = "scale_disagrees"
    ROTATION_DISAGREES = "rotation_disagrees"
    FAR_FROM_PRIOR = "far_from_prior"
    INNOVATION_TOO_LARGE = "innovation_too_large"
    UNCONFIRMED = "unconfirmed"  # lost, and not yet enough frames that agree
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE_TIME = "duplicate_time"


class Mode(str, Enum):
    """What the estimator knows about the vehicle's position."""

    LOST = "lost"
    TRACKING = "tracking"
    COASTING = "coasting"


class GnssState(str, Enum):
    """What is held of the autopilot's GNSS receivers."""

    UNKNOWN = "unknown"  # nothing was heard of one yet
    GOOD = "good"
    DEGRADED = "degraded"  # has a fix of which something is amiss
    LOST = "lost"  # no fix, or silent
    JAMMED = "jammed"  # comes and goes, or says so itself
    SPOOFED = "spoofed"  # contradicts the ground, or says so itself
