"""The camera as a TOML file tells it: lens, and how it hangs on the vehicle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from onboard.messages import Floats
from onboard.telemetry_messages import Attitude

ASPECT_TOLERANCE = 0.01  # pictures may differ this much from uniform scaling (rounding, cropping)
MIN_SIDE_PX = 16
MAX_SIDE_PX = 65_535  # the most that a JPEG can have
MAX_FOCAL_PX = 1e6
MIN_FOCAL_PX = 0.1
# Optical axes (x right, y down, z along the optical axis) in the frame of a camera that looks
# forward (x forward, y right, z down).
_FORWARD_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Mounting:
    """The camera's attitude (aerospace order Z-Y-X), pitch -90 looking straight down with the
    picture's up towards the nose.

    stabilised false: relative to whatever the Attitude events describe: the body of a fixed
    camera, or a gimbal that reports its own attitude (then all three angles are near 0).
    stabilised true: a gimbal that holds roll and pitch against the horizon by itself; the
    angles are relative to the world, turned only by the Attitude events' yaw.
    sigma_deg: how well the camera's true direction is known, one sigma per axis, the
    attitude's own error included.
    """

    stabilised: bool = False
    roll_deg: float = 0.0
    pitch_deg: float = -90.0
    yaw_deg: float = 0.0
    sigma_deg: float = 1.0

    def __post_init__(self) -> None:
        for name in ("roll_deg", "pitch_deg", "yaw_deg", "sigma_deg"):
            value = getattr(self, name)
            if not math.isfinite(value) or abs(value) > 360.0:
                raise ValueError(f"mounting.{name} is {value}; give an angle in degrees")
        if self.sigma_deg <= 0.0:
            raise ValueError(f"mounting.sigma_deg is {self.sigma_deg}; give a value above 0")


GIMBAL_REPORTS_ATTITUDE = Mounting(pitch_deg=0.0)  # Attitude events are the camera's own


@dataclass(frozen=True)
class Camera:
    """Pinhole with Brown-Conrady distortion (k1, k2, p1, p2, k3), as OpenCV has it.

    Either fx (and fy, when pixels are not square) in pixels or horizontal_fov_deg; cx, cy are
    the middle of the picture when left out. attitude_delay_s: how long after the moment they
    describe the Attitude events are stamped.
    """

    width_px: int
    height_px: int
    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    horizontal_fov_deg: float | None = None
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    mounting: Mounting = field(default_factory=Mounting)
    attitude_delay_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("width_px", "height_px"):
            if not MIN_SIDE_PX <= getattr(self, name) <= MAX_SIDE_PX:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; give {MIN_SIDE_PX} to {MAX_SIDE_PX}"
                )
        if (self.fx is None) == (self.horizontal_fov_deg is None):
            raise ValueError("give either fx (pixels) or horizontal_fov_deg, one of the two")
        fov_deg = self.horizontal_fov_deg
        if fov_deg is not None and not 1.0 <= fov_deg < 170.0:
            raise ValueError(f"horizontal_fov_deg is {fov_deg}; give a value from 1 to 170")
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if value is not None and not MIN_FOCAL_PX <= value <= MAX_FOCAL_PX:
                raise ValueError(f"{name} is {value}; give a focal length in pixels above 0")
        for name, side in (("cx", self.width_px), ("cy", self.height_px)):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= side:
                raise ValueError(f"{name} is {value}; give a pixel inside the picture, 0 to {side}")
        if not all(math.isfinite(k) for k in self.distortion):
            raise ValueError("distortion holds a value that is not a number; give k1,k2,p1,p2,k3")
        if not math.isfinite(self.attitude_delay_s) or abs(self.attitude_delay_s) > 2.0:
            raise ValueError(f"attitude_delay_s is {self.attitude_delay_s}; give -2 to 2 seconds")

    @property
    def focal_px(self) -> tuple[float, float]:
        """(fx, fy)."""
        fov_deg = self.horizontal_fov_deg
        fx = self.fx or self.width_px / 2 / math.tan(math.radians(fov_deg or 0.0) / 2)
        return fx, self.fy or fx

    @property
    def principal_px(self) -> tuple[float, float]:
        """(cx, cy), in the continuous coordinates of `messages`: the middle is width / 2."""
        return (
            self.width_px / 2 if self.cx is None else self.cx,
            self.height_px / 2 if self.cy is None else self.cy,
        )

    @property
    def matrix(self) -> Floats:
        """(3,3) from the optical frame to homogeneous picture coordinates."""
        (fx, fy), (cx, cy) = self.focal_px, self.principal_px
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def for_size(self, width_px: int, height_px: int) -> Camera:
        """The same camera for pictures scaled as a whole.

        Raises ValueError when the sides' ratio differs: then it was cropped or is another mode.
        """
        if (width_px, height_px) == (self.width_px, self.height_px):
            return self
        sx, sy = width_px / self.width_px, height_px / self.height_px
        if abs(sx / sy - 1.0) > ASPECT_TOLERANCE:
            raise ValueError(
                f"the picture is {width_px}x{height_px}, the camera file says "
                f"{self.width_px}x{self.height_px}: not the same picture scaled; "
                "give a camera file for this picture mode"
            )
        (fx, fy), (cx, cy) = self.focal_px, self.principal_px
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            fx=fx * sx,
            fy=fy * sy,
            cx=cx * sx,
            cy=cy * sy,
            horizontal_fov_deg=None,
        )

    def ned_from_optical(self, attitude: Attitude) -> Floats:
        """(3,3) rotation from the optical frame to north-east-down."""
        m = self.mounting
        mounted = rotation_matrix(*np.radians([m.roll_deg, m.pitch_deg, m.yaw_deg]))
        if m.stabilised:
            vehicle = rotation_matrix(0.0, 0.0, attitude.yaw)
        else:
            vehicle = rotation_matrix(attitude.roll, attitude.pitch, attitude.yaw)
        ned: Floats = vehicle @ mounted @ _FORWARD_FROM_OPTICAL
        return ned


def rotation_matrix(roll: float, pitch: float, yaw: float) -> Floats:
    """(3,3) from a body frame (forward, right, down) to its parent, Z-Y-X order, rad."""
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
