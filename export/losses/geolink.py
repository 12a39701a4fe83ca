"""GeoLink's losses between drone views, satellite pictures and point clouds (its section 3).

Row i of every (N,D) feature is location i. Features are of unit length, as InfoNCE needs them;
where the paper is silent the same ones serve all four losses.
"""

from __future__ import annotations

import torch
from torch import Tensor

from export.losses.infonce import symmetric_infonce
from export.networks.vclub import VClub

# GeoLink's total is L_cc + L_rd + L_ga + 4 L_sc (section 3.5, lambda in section 4)
WEIGHTS = {"cc": 1.0, "rd": 1.0, "ga": 1.0, "sc": 4.0}


def cross_view_loss(
    drone: Tensor, satellite: Tensor, cloud: Tensor | None, log_scale: Tensor
) -> Tensor:
    """L_cc, equation 6: InfoNCE of every two of the three views, both ways. cloud None leaves
    the plain drone-satellite loss."""
    loss = symmetric_infonce(drone, satellite, log_scale)
    if cloud is None:
        return loss
    return (
        loss
        + symmetric_infonce(drone, cloud, log_scale)
        + symmetric_infonce(satellite, cloud, log_scale)
    )


def self_contrast_loss(
    drone: Tensor, satellite: Tensor, cloud: Tensor | None, log_scale: Tensor
) -> Tensor:
    """L_sc, equation 7: InfoNCE within each view, every sample its own positive. cloud None
    leaves the two pictures'."""
    views = (drone, satellite) if cloud is None else (drone, satellite, cloud)
    return torch.stack([symmetric_infonce(x, x, log_scale) for x in views]).sum()


def relation_distillation_loss(drone: Tensor, satellite: Tensor, cloud: Tensor) -> Tensor:
    """L_rd, equations 11-14: both 2-D views take on the relations of the point clouds, which
    get no gradient (chosen: a teacher). Affinities sum to 1 over N(N-1) pairs, so that this is
    of the order N^-4 as the paper writes it: 1e-6 for a batch of 16 beside InfoNCE's 1."""
    return relation_difference(drone, cloud.detach()) + relation_difference(
        satellite, cloud.detach()
    )


def relation_difference(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of two sets' pairwise distances, each divided by its sum.

    Raises ValueError for fewer than two samples, which have no relation.
    """
    n = len(student)
    if n < 2:
        raise ValueError(f"{n} sample has no relations; a batch needs two or more")
    difference = _affinities(student) - _affinities(teacher)
    return difference.square().sum() / (n * (n - 1))


def structure_loss(
    drone: Tensor, satellite: Tensor, cloud: Tensor, by_drone: VClub, by_satellite: VClub
) -> Tensor:
    """L_ga, equation 10: what the views and the cloud say in common, bounded from above; the
    estimators are held as they are."""
    return by_drone.frozen_bound(cloud, drone) + by_satellite.frozen_bound(cloud, satellite)


def estimators_loss(
    drone: Tensor, satellite: Tensor, cloud: Tensor, by_drone: VClub, by_satellite: VClub
) -> Tensor:
    """What trains both estimators, and nothing else."""
    return by_drone.estimator_loss(cloud, drone) + by_satellite.estimator_loss(cloud, satellite)


def _affinities(features: Tensor) -> Tensor:
    """(N,D) -> the N(N-1) distances of different samples over their sum. Only those are taken
    a root of: on the diagonal its slope is infinite."""
    n = len(features)
    others = ~torch.eye(n, dtype=torch.bool, device=features.device)
    square = (features[:, None] - features[None]).square().sum(2)[others]
    distance = square.clamp(min=1e-12).sqrt()
    return distance / distance.sum()
