"""What the stages hand to one another: frozen records, named by the field's terms.

Time is integer nanoseconds of one monotonic clock; a record belongs to the moment of
exposure or measurement, never to the moment it was computed. Angles are radians
(roll, pitch, yaw: aerospace order Z-Y-X, NED, true north); latitude and longitude are
WGS84 degrees. Covariances are 2x2 in east-north metres squared.

Picture coordinates are continuous, x right (east in a view), y down (south in a view):
the pixel in column c, row r covers [c, c+1) x [r, r+1). Map coordinates are the same
thing over the whole world at one level: Web Mercator pixels with 256 * 2**level to a side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onboard.reasons import GnssState, Mode, Reason, Stage
from onboard.telemetry_messages import (
    AirData,
    Attitude,
    AutopilotPosition,
    CommandAck,
    EkfStatus,
    Gnss,
    GnssIntegrity,
    Height,
    LocalOrigin,
    ParameterValue,
    SensorHealth,
    VehicleState,
)

Picture = NDArray[np.uint8]  # (H, W, 3) BGR
Floats = NDArray[np.float64]

TILE_PX = 256  # side of a tile and of a view
TILE_STRIDE_PX = 128  # 50 % overlap


@dataclass(frozen=True)
class Frame:
    """One exposure. image is (H, W, 3) uint8 BGR, or None when it could not be decoded."""

    time_ns: int
    image: Picture | None
    name: str = ""
    camera_id: str = "camera"


@dataclass(frozen=True)
class Prior:
    """Where the vehicle may be: a circular normal around a position."""

    lat_deg: float
    lon_deg: float
    sigma_m: float


@dataclass(frozen=True)
class View:
    """The north-up metric picture of the ground, pixel for pixel at the map's ground size.

    picture is (256, 256, 3) BGR; pixels without ground are exactly (0, 0, 0) and False in
    mask, ground pixels are never (0, 0, 0). The view's centre, at (128, 128), is the ground
    point under the picture's centre. nadir_east_m, nadir_north_m lead from that point to
    the point below the vehicle; agl_m is the vehicle's height above that point's ground, which
    over slopes is not the ground below the vehicle.
    """

    time_ns: int
    picture: Picture
    mask: NDArray[np.bool_]
    level: int
    east_m_per_px: float
    north_m_per_px: float
    nadir_east_m: float
    nadir_north_m: float
    agl_m: float
    height_sigma_m: float


@dataclass(frozen=True)
class RecordedFrame:
    """A frame as a recording keeps it: the view that came of it, or why there was none."""

    time_ns: int
    view: View | None
    refusal: Refusal | None
    name: str = ""
    camera_id: str = "camera"


@dataclass(frozen=True)
class TileId:
    """A 256-px tile at a level; col and row count steps of 128 px, so tiles overlap by half.

    Its upper left corner lies at map pixel (128 * col, 128 * row). Those with even col and
    row are the XYZ tiles (col / 2, row / 2).
    """

    level: int
    col: int
    row: int

    @property
    def origin_px(self) -> tuple[int, int]:
        """Map pixel (x, y) of the upper left corner."""
        return self.col * TILE_STRIDE_PX, self.row * TILE_STRIDE_PX

    @property
    def centre_px(self) -> tuple[int, int]:
        """Map pixel (x, y) of the centre."""
        x, y = self.origin_px
        return x + TILE_PX // 2, y + TILE_PX // 2

    def __str__(self) -> str:
        return f"{self.level}/{self.col}/{self.row}"


@dataclass(frozen=True)
class Description:
    """What the network says about one picture.

    descriptor: (D,) float32, unit length, its first 64 numbers usable alone after
    normalizing. coarse: (Cc, 32, 32) and fine: (Cf, 64, 64) float32 feature maps. The length
    of a cell along the first axis is its reliability (0.1..1), zero where there is no ground.
    """

    descriptor: NDArray[np.float32]
    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A tile that may show the view. distance is cosine distance of the descriptors;
    log_prior the prior's log-probability of the view's centre lying in the tile's middle,
    up to a constant (0 without a prior)."""

    tile: TileId
    distance: float
    log_prior: float = 0.0


@dataclass(frozen=True)
class Match:
    """Where a view lies in the map, and how well it fits there.

    view_to_map is the 2x3 similarity from view to map pixels at `level`. scale and rotation
    (rad, clockwise as seen on the picture) are what the similarity has beyond pure shift:
    1 and 0 when height and yaw were right. inliers of `checked` patches agree with it,
    with root mean square residual_px. covariance_px2 is that of the view's centre in map
    pixels (x, y). runner_up is the score of the best clearly different place as a share of
    this one's (0..1).
    """

    tile: TileId
    level: int
    view_to_map: Floats
    score: float
    runner_up: float
    scale: float
    rotation: float
    inliers: int
    checked: int
    residual_px: float
    covariance_px2: Floats


@dataclass(frozen=True)
class Motion:
    """How far the ground point below the vehicle moved between two exposures, seen by
    matching views. covariance is 2x2 east-north m2; shared_share the part of the way (1 sigma)
    by which motions in a row err alike, from height and yaw."""

    from_ns: int
    to_ns: int
    east_m: float
    north_m: float
    covariance: Floats
    shared_share: float = 0.0


@dataclass(frozen=True)
class Fix:
    """The vehicle's position at the moment of exposure, and the ground point the picture's
    centre shows. covariance is 2x2 east-north m2; protection_m bounds the error."""

    time_ns: int
    lat_deg: float
    lon_deg: float
    centre_lat_deg: float
    centre_lon_deg: float
    covariance: Floats
    protection_m: float
    source: str
    inliers: int


@dataclass(frozen=True)
class Refusal:
    """Why a frame gave no fix: the stage that said no, the reason, the figures behind it."""

    time_ns: int
    stage: Stage
    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Estimate:
    """The estimator's state at time_ns. Velocities are m/s; covariance is that of the
    position, fix_age_s the time since one was taken in; velocity_sigma_m_s None if unmeasured.
    protection_m: the radius that the error exceeds at most once in a thousand times.
    carried_by_gnss: the position rests on GNSS, as no fix has come for some seconds."""

    time_ns: int
    lat_deg: float
    lon_deg: float
    velocity_north_m_s: float
    velocity_east_m_s: float
    covariance: Floats
    velocity_sigma_m_s: float | None
    fix_age_s: float
    mode: Mode
    amsl_m: float | None = None
    amsl_sigma_m: float | None = None
    protection_m: float | None = None
    carried_by_gnss: bool = False


@dataclass(frozen=True)
class GnssAssessment:
    """What is held of the receivers, since when, and each piece of evidence in a few words
    with its figure. Of all receivers that the autopilot has, Pilotage's own left out."""

    time_ns: int
    state: GnssState
    since_ns: int
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeightUsed:
    """The height above ground that a frame was seen with, where the map tells of terrain, before
    what matches taught is added. ground_amsl_m: of the ground below the vehicle, None where
    unknown; bias_m: the vehicle's height above sea level minus the true one and the terrain's
    error, as far as known; rangefinder_differs_m: how much more the terrain says than the
    rangefinder, None without either; problem: a clause, empty when all is well."""

    agl_m: float
    sigma_m: float
    source: str
    ground_amsl_m: float | None = None
    bias_m: float | None = None
    rangefinder_differs_m: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class FrameResult:
    """All that came of one frame, for the report and the recorder. Exactly one of fix and
    refusal is set. latency_ms maps a stage's value to the time it took. height: None where the
    map tells of no terrain."""

    frame_name: str
    time_ns: int
    fix: Fix | None
    refusal: Refusal | None
    estimate: Estimate | None = None
    view: View | None = None
    match: Match | None = None
    candidates: tuple[Candidate, ...] = ()
    latency_ms: dict[str, float] = field(default_factory=dict)
    height: HeightUsed | None = None


Event = (
    Frame
    | RecordedFrame
    | Attitude
    | Height
    | Gnss
    | EkfStatus
    | SensorHealth
    | GnssIntegrity
    | AirData
    | VehicleState
    | AutopilotPosition
    | LocalOrigin
    | ParameterValue
    | CommandAck
)
