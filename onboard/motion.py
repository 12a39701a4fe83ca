"""How far the vehicle moved between two exposures, by matching one view with the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onboard.inference import Network
from onboard.messages import TILE_PX, Description, Motion, View
from onboard.patches import fit_patches

HEATMAP_STRIDE_PX = 4
MIN_INLIERS = 10
# Of the patches both views show. Of 672 motions of rendered flights, 13 were wrong: none had
# more than 0.22; of the others 2 in a hundred had less than this.
MIN_INLIER_SHARE = 0.5
SCALE_TOLERANCE = 0.12
ROTATION_TOLERANCE = 0.15  # rad
ATTITUDE_SIGMA = 0.01  # rad, 1 sigma of the change of attitude error between two frames
YAW_SIGMA = 0.035  # rad, 1 sigma of a calibrated compass (2 deg); the same for many frames


def view_motion(
    previous: tuple[View, Description], current: tuple[View, Description], network: Network
) -> Motion | None:
    """None when the views are of different levels, overlap by less than half each way, or
    don't agree. The displacement is that of the point below the vehicle."""
    (before, before_described), (now, now_described) = previous, current
    if before.level != now.level:
        return None
    heatmap = network.heatmaps(now_described, [before_described])[0]
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    shift = np.array([column, row]) * HEATMAP_STRIDE_PX - TILE_PX // 2
    both = now.mask & _shifted_mask(before.mask, shift)
    fit = fit_patches(network, now_described, both, _shifted(before_described, shift))
    if fit is None or fit.inliers < max(MIN_INLIERS, MIN_INLIER_SHARE * fit.checked):
        return None
    if abs(fit.scale - 1) > SCALE_TOLERANCE or abs(fit.rotation) > ROTATION_TOLERANCE:
        return None
    centre = fit.transform @ (TILE_PX / 2, TILE_PX / 2, 1.0) + shift - TILE_PX / 2
    east_m = float(centre[0]) * now.east_m_per_px + now.nadir_east_m - before.nadir_east_m
    north_m = -float(centre[1]) * now.north_m_per_px + now.nadir_north_m - before.nadir_north_m
    pixel_m = np.array([now.east_m_per_px, -now.north_m_per_px])
    covariance = fit.covariance_px2 * np.outer(pixel_m, pixel_m)
    covariance = covariance + (ATTITUDE_SIGMA * now.agl_m) ** 2 * np.eye(2)
    shared_share = float(np.hypot(now.height_sigma_m / now.agl_m, YAW_SIGMA))
    return Motion(before.time_ns, now.time_ns, east_m, north_m, covariance, shared_share)


def _shifted_mask(mask: NDArray[np.bool_], shift_px: np.ndarray) -> NDArray[np.bool_]:
    """Where the picture cut shift_px further still shows ground."""
    dx, dy = (int(s) for s in shift_px)
    shifted = np.zeros_like(mask)
    to_y, to_x = slice(max(0, -dy), TILE_PX - max(0, dy)), slice(max(0, -dx), TILE_PX - max(0, dx))
    from_y = slice(max(0, dy), TILE_PX - max(0, -dy))
    from_x = slice(max(0, dx), TILE_PX - max(0, -dx))
    shifted[to_y, to_x] = mask[from_y, from_x]
    return shifted


def _shifted(described: Description, shift_px: np.ndarray) -> Description:
    """The description as if its picture had been cut shift_px further (whole cells)."""
    cells = TILE_PX // HEATMAP_STRIDE_PX
    dx, dy = (int(s) // HEATMAP_STRIDE_PX for s in shift_px)
    fine = np.zeros_like(described.fine)
    to_y, to_x = slice(max(0, -dy), cells - max(0, dy)), slice(max(0, -dx), cells - max(0, dx))
    from_y, from_x = slice(max(0, dy), cells - max(0, -dy)), slice(max(0, dx), cells - max(0, -dx))
    fine[:, to_y, to_x] = described.fine[:, from_y, from_x]
    return Description(described.descriptor, described.coarse, fine)
