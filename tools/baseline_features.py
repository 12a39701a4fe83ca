"""Features of the baselines, and those of the map kept by block so that each is found once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.messages import Floats, Picture
from onboard.pack.map_pack import MapPack

BLOCK_PX = 256  # side of a map block
MARGIN_PX = 32  # seen around a block, so that features near its edge are whole
XFEAT_INPUT_PX = 640  # the ONNX file's fixed input
XFEAT_CELL_PX = 8
# Views are small for XFeat, which was made for larger pictures: enlarged by two it locates more
# of them (25 instead of 21 of 31 on a city flight), so this is what it is run with.
XFEAT_ENLARGED = 2
XFEAT_KEYPOINTS_PER_PX = 0.03  # 2,000 in a 256-px view
XFEAT_MIN_HEAT = 0.05
SIFT_CONTRAST = 0.02  # half of OpenCV's: overhead imagery is flat


@dataclass(frozen=True)
class Features:
    """xy (N, 2) in continuous picture coordinates, unit descriptors (N, D) float32; scale
    (px) and angle (degrees) are (N,), zero where the method has none."""

    xy: Floats
    descriptors: NDArray[np.float32]
    scale: Floats
    angle_deg: Floats

    def shifted(self, x: float, y: float) -> Features:
        return Features(self.xy + np.array([x, y]), self.descriptors, self.scale, self.angle_deg)

    def where(self, keep: NDArray[np.bool_]) -> Features:
        return Features(
            self.xy[keep], self.descriptors[keep], self.scale[keep], self.angle_deg[keep]
        )


Detector = Callable[[Picture], Features]


def sift_features(picture: Picture) -> Features:
    """SIFT with root normalization (RootSIFT: Arandjelovic and Zisserman, 2012)."""
    mask = np.asarray(picture.any(axis=2), np.uint8)
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    keypoints, found = cv2.SIFT.create(contrastThreshold=SIFT_CONTRAST).detectAndCompute(gray, mask)
    if found is None or not len(keypoints):
        return _none(128)
    descriptors = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    return Features(
        # OpenCV counts from the middle of the first pixel.
        np.array([k.pt for k in keypoints], np.float64) + 0.5,
        descriptors.astype(np.float32),
        np.array([k.size for k in keypoints], np.float64),
        np.array([k.angle for k in keypoints], np.float64),
    )


class XfeatDetector:
    """XFeat (Potje et al., CVPR 2024) from an ONNX file with outputs `output_feats`
    (1, h, w, 64), `output_keypoints` (1, h, w, 65: 8x8 cells and none) and `output_heatmap`
    (1, 1, h, w)."""

    def __init__(self, path: Path) -> None:
        """Raises InputError when the file is not that network."""
        import onnxruntime

        if not path.is_file():
            raise InputError(f"{path}: no such file; give XFeat's ONNX file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # onnxruntime has a class of its own for every kind of damage
            raise InputError(f"{path}: not an ONNX network that loads; get XFeat's again") from e
        names = [o.name for o in self._session.get_outputs()]
        shape = self._session.get_inputs()[0].shape
        if names[:3] != ["output_feats", "output_keypoints", "output_heatmap"] or shape != [
            *(1, 1),
            *(XFEAT_INPUT_PX, XFEAT_INPUT_PX),
        ]:
            raise InputError(
                f"{path}: input {shape}, outputs {names}: not XFeat for gray pictures of "
                f"{XFEAT_INPUT_PX}x{XFEAT_INPUT_PX}; give --xfeat-weights of that kind"
            )
        self._input = self._session.get_inputs()[0].name

    def __call__(self, picture: Picture) -> Features:
        """picture of at most 320x320; smaller ones are continued by reflection."""
        width, height = (XFEAT_ENLARGED * side for side in picture.shape[1::-1])
        seen = cv2.resize(
            np.asarray(picture.any(axis=2), np.uint8),
            (width, height),
            interpolation=cv2.INTER_NEAREST,
        )
        gray = cv2.resize(
            cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        pad = (0, XFEAT_INPUT_PX - height, 0, XFEAT_INPUT_PX - width)
        padded = np.pad(gray, (pad[:2], pad[2:]), mode="symmetric")
        feats, logits, reliability = self._session.run(None, {self._input: padded[None, None]})
        heat = _keypoint_heat(logits[0])[:height, :width] * seen
        peaks = (heat == cv2.dilate(heat, np.ones((5, 5)))) & (heat > XFEAT_MIN_HEAT)
        rows, cols = np.nonzero(peaks)
        sure = cv2.resize(reliability[0, 0], (XFEAT_INPUT_PX, XFEAT_INPUT_PX))
        score = heat[rows, cols] * sure[rows, cols]
        best = np.argsort(-score, kind="stable")[: int(XFEAT_KEYPOINTS_PER_PX * height * width)]
        rows, cols = rows[best], cols[best]
        xy: Floats = np.stack([cols, rows], axis=1).astype(np.float64) + 0.5
        sampled = _sample(np.ascontiguousarray(feats[0]), xy / XFEAT_CELL_PX - 0.5)
        none = np.zeros(len(xy))
        return Features(xy / XFEAT_ENLARGED, sampled, none, none)


class MapFeatures:
    """The map's features at a level, found block by block when first asked for and kept."""

    def __init__(self, pack: MapPack, detector: Detector) -> None:
        self._pack = pack
        self._detector = detector
        self._blocks: dict[tuple[int, int, int], Features] = {}

    def within(self, level: int, left: float, top: float, right: float, bottom: float) -> Features:
        """Those in a box of map pixels, in map pixels."""
        parts = [
            self._block(level, col, row)
            for row in range(math.floor(top / BLOCK_PX), math.floor(bottom / BLOCK_PX) + 1)
            for col in range(math.floor(left / BLOCK_PX), math.floor(right / BLOCK_PX) + 1)
        ]
        joined = Features(
            np.concatenate([p.xy for p in parts]),
            np.concatenate([p.descriptors for p in parts]),
            np.concatenate([p.scale for p in parts]),
            np.concatenate([p.angle_deg for p in parts]),
        )
        x, y = joined.xy[:, 0], joined.xy[:, 1]
        return joined.where((x >= left) & (x < right) & (y >= top) & (y < bottom))

    def _block(self, level: int, col: int, row: int) -> Features:
        key = (level, col, row)
        if key not in self._blocks:
            left, top = col * BLOCK_PX - MARGIN_PX, row * BLOCK_PX - MARGIN_PX
            side = BLOCK_PX + 2 * MARGIN_PX
            found = self._detector(self._pack.picture(level, left, top, side, side))
            x, y = found.xy[:, 0] - MARGIN_PX, found.xy[:, 1] - MARGIN_PX
            own = (x >= 0) & (x < BLOCK_PX) & (y >= 0) & (y < BLOCK_PX)
            self._blocks[key] = found.where(own).shifted(left, top)
        return self._blocks[key]


def _none(dimension: int) -> Features:
    return Features(
        np.zeros((0, 2)), np.zeros((0, dimension), np.float32), np.zeros(0), np.zeros(0)
    )


def _keypoint_heat(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 65) -> (8h, 8w): softmax over a cell's pixels and 'none', unfolded."""
    exponent = np.exp(logits - logits.max(axis=2, keepdims=True))
    share = (exponent / exponent.sum(axis=2, keepdims=True))[:, :, :64]
    h, w = share.shape[:2]
    cells = share.reshape(h, w, XFEAT_CELL_PX, XFEAT_CELL_PX).transpose(0, 2, 1, 3)
    heat: NDArray[np.float32] = cells.reshape(h * XFEAT_CELL_PX, w * XFEAT_CELL_PX)
    return heat


def _sample(feats: NDArray[np.float32], xy: NDArray[np.float64]) -> NDArray[np.float32]:
    """Bicubic at cell coordinates between unit vectors, then unit length again."""
    if not len(xy):
        return np.zeros((0, feats.shape[2]), np.float32)
    feats = feats / np.maximum(np.linalg.norm(feats, axis=2, keepdims=True), 1e-6)
    at = xy.astype(np.float32)[None]
    sampled = np.concatenate(
        [
            cv2.remap(
                feats[:, :, c : c + 4],
                at[..., 0],
                at[..., 1],
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )[0]
            for c in range(0, feats.shape[2], 4)
        ],
        axis=1,
    )
    unit: NDArray[np.float32] = sampled / np.maximum(
        np.linalg.norm(sampled, axis=1, keepdims=True), 1e-6
    )
    return unit
