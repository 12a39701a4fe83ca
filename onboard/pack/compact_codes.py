"""Descriptors in one byte a number: what an index keeps in memory to choose a shortlist by.

A code is the descriptor's first CODE_NUMBERS numbers, brought to unit length and rounded to a
fixed step. Comparing a million takes OpenCV 10 ms on one core; the shortlist is then compared
by the full descriptors from the disk.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CODE_NUMBERS = 64
# A number of a unit vector of n numbers has sigma 1/sqrt(n); what is further out is cut off.
CLIP_SIGMAS = 4.0
_ZERO = 128  # the byte that stands for 0


def code_numbers(dim: int) -> int:
    """How many numbers of a descriptor its code holds."""
    return min(dim, CODE_NUMBERS)


def steps_per_unit(numbers: int) -> float:
    """Steps of a byte from 0 to 1."""
    return 127.0 / min(1.0, CLIP_SIGMAS / math.sqrt(numbers))


def code_vectors(descriptors: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, C) of unit length: what `encode` rounds (a zero row stays zero)."""
    first = descriptors[:, : code_numbers(descriptors.shape[1])].astype(np.float64)
    length = np.sqrt(np.einsum("nd,nd->n", first, first))[:, None]
    return np.asarray(first / np.maximum(length, 1e-12))


def encode(descriptors: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(N, C) uint8 codes of (N, D) descriptors, C as `code_numbers` says."""
    vectors = code_vectors(descriptors)
    scaled = np.rint(vectors * steps_per_unit(vectors.shape[1])) + _ZERO
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def code_distances(codes: NDArray[np.uint8], query: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N,) estimated cosine distances of (N, C) codes from one code (C,)."""
    if not len(codes):
        return np.zeros(0, np.float32)
    # Asked for each code's nearest among one, OpenCV gives all distances.
    squared = cv2.batchDistance(codes, query[None], cv2.CV_32S, normType=cv2.NORM_L2SQR, K=1)[0]
    return _cosine(squared[:, 0], codes.shape[1])


def nearest_codes(
    codes: NDArray[np.uint8], query: NDArray[np.uint8], k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """(positions, estimated cosine distances) of the k nearest, best first, ties by position."""
    k = min(k, len(codes))
    if k == 0:
        return np.zeros(0, np.intp), np.zeros(0, np.float32)
    squared, positions = cv2.batchDistance(
        query[None], codes, cv2.CV_32S, normType=cv2.NORM_L2SQR, K=k
    )
    return positions[0].astype(np.intp), _cosine(squared[0], codes.shape[1])


def _cosine(squared: NDArray[Any], numbers: int) -> NDArray[np.float32]:
    """|a - b|^2 = 2 - 2 cos for unit vectors."""
    return (squared / (2.0 * steps_per_unit(numbers) ** 2)).astype(np.float32)
