import dataclasses
import itertools

import numpy as np
import pytest
import torch

from export.losses.infonce import symmetric_infonce
from export.networks.edge_branches import Aggregator, edge_branch
from export.networks.unifygeo_edge import UnifyGeoEdge
from export.points.ply import PointCloud
from export.points.reconstruction import save_reconstruction
from export.points.survey import Survey
from export.samplers.exclusive import Samples
from export.training.run_settings import Run
from export.training.tasks.catalogue import make_task, task_settings
from export.training.tasks.geolink_survey import (
    GeoLinkLoss,
    GeoLinkSurveySettings,
    GeoLinkSurveyTask,
)
from export.training.trainer import train
from onboard.errors import InputError

ALL = tuple(GeoLinkLoss)


@pytest.fixture(scope="module")
def settings(rendered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("for_task")
    xyz = rendered.truth.points.xyz
    strip = PointCloud(xyz[np.abs(xyz[:, 1]) < 3.6])
    save_reconstruction(dataclasses.replace(rendered.truth, points=strip), folder)
    survey = Survey(folder, rendered.photographs, cell_m=6.0, picture_px=64, fewest_points=256)
    run = Run(steps=4, warm_up_steps=1, validate_every_steps=4, checkpoint_every_steps=2)
    return GeoLinkSurveySettings("test", run, survey, ALL, batch_locations=2, club_hidden=16)


def losses_of(task: GeoLinkSurveyTask) -> dict[str, torch.Tensor]:
    batch = next(iter(task.batches(0)))
    return task.losses(task.model, batch, 0)[0]


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ((), {"cc"}),
        (("cc",), {"cc"}),
        (("sc",), {"cc", "sc"}),
        (("cc", "sc"), {"cc", "sc"}),
        (("cc", "rd"), {"cc", "rd"}),
        (("cc", "ga"), {"cc", "ga", "estimators"}),
        (("cc", "sc", "ga", "rd"), {"cc", "sc", "ga", "rd", "estimators"}),
    ],
)
def test_every_loss_is_switched_by_itself(settings, on, names):
    task = GeoLinkSurveyTask(
        dataclasses.replace(settings, losses=tuple(GeoLinkLoss(name) for name in on))
    )
    found = losses_of(task)
    assert set(found) == names <= set(task.loss_weights)
    assert hasattr(task.model, "experts") == ("cc" in on)
    if not on:
        batch = next(iter(task.batches(0)))
        pictures = torch.from_numpy(np.concatenate((batch.views, batch.maps)))
        drone, satellite = task.model.network.descriptors(pictures).chunk(2)
        assert found["cc"] == symmetric_infonce(drone, satellite, task.model.log_scale)


def test_estimators_and_encoders_do_not_train_one_another(settings):
    task = GeoLinkSurveyTask(settings)
    clubs = [p for c in (task.model.by_drone, task.model.by_satellite) for p in c.parameters()]
    encoders = [*task.model.network.global_branch.parameters(), *task.model.experts.parameters()]
    found = losses_of(task)
    found["estimators"].backward(retain_graph=True)
    assert all(p.grad is None for p in encoders) and all(p.grad is not None for p in clubs)
    task.model.zero_grad(set_to_none=True)
    found["ga"].backward()
    assert all(p.grad is None for p in clubs)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in encoders)


def test_every_parameter_of_a_group_is_taught(settings):
    task = GeoLinkSurveyTask(settings)
    parameters = [p for g in task.parameter_groups() for p in g["params"]]
    sum(task.loss_weights[k] * v for k, v in losses_of(task).items()).backward()
    assert all(p.grad is not None for p in parameters)


def test_without_the_3d_branch_the_descriptors_are_the_same(settings, tmp_path):
    task = GeoLinkSurveyTask(settings)
    train(task, settings.run, repr(settings), tmp_path)
    model = task.model.eval()
    flown = {
        k.removeprefix("network."): v
        for k, v in model.state_dict().items()
        if k.startswith("network.")
    }
    assert len(flown) < len(model.state_dict())
    bare = UnifyGeoEdge(edge_branch(Aggregator.MIXER, settings.survey.picture_px)).eval()
    bare.load_state_dict(flown)
    pictures = torch.from_numpy(next(iter(task.batches(0))).views)
    with torch.no_grad():
        assert torch.equal(bare.descriptors(pictures), model.network.descriptors(pictures))
    assert {"recall_1", "recall_5", "map_to_view_recall_1"} == set(task.validate(model))
    assert (tmp_path / "validation.csv").read_text().startswith("step,recall_1")


def test_a_batch_follows_from_its_step_alone(settings):
    one, other = GeoLinkSurveyTask(settings), GeoLinkSurveyTask(settings)
    whole, late = list(one.batches(0)), list(other.batches(2))
    assert len(whole) == 4 and len(late) == 2
    for a, b in zip(whole[2:], late, strict=True):
        assert np.array_equal(a.views, b.views) and np.array_equal(a.features, b.features)
    assert not np.array_equal(whole[0].views, whole[1].views)


def test_cells_of_a_batch_do_not_overlap(settings):
    task = GeoLinkSurveyTask(settings)
    where = task._train.position_m
    for number, (a, b) in itertools.product(range(5), [(0, 1)]):
        for batch in task._epoch(number):
            assert np.abs(where[batch[a]] - where[batch[b]]).max() > 5.9


def test_more_cells_than_fit_side_by_side_are_refused(settings):
    with pytest.raises(InputError, match="no 40 cells that don't overlap"):
        GeoLinkSurveyTask(dataclasses.replace(settings, batch_locations=40))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"losses": ["ga"]}, "need cc"),
        ({"losses": ["dd"]}, "not one of cc, sc, ga, rd"),
        ({"batch_locations": 1}, "batch_locations"),
        ({"survey": {"reconstruction": "a", "photographs": "b", "picture_px": 50}}, "picture_px"),
        ({"survey": {"reconstruction": "a", "photographs": "b"}}, None),
    ],
)
def test_settings_that_cannot_be_are_refused(change, says):
    survey = {"reconstruction": "a", "photographs": "b"}
    table = {"task": "geolink-survey", "model_id": "x", "run": {"steps": 1}, "survey": survey}
    if says is None:
        with pytest.raises(InputError, match="pilotage pointcloud"):
            make_task(task_settings({**table, **change}, "c.toml"))
    else:
        with pytest.raises(InputError, match=says):
            task_settings({**table, **change}, "c.toml")


def test_processes_share_a_batch_whose_cells_do_not_overlap(settings, monkeypatch):
    """Each would take what lies beside the other's cells for a negative."""
    task = GeoLinkSurveyTask(dataclasses.replace(settings, losses=()))
    beside = tuple(frozenset({i - 1, i + 1}) for i in range(20))
    monkeypatch.setattr(task, "_samples", Samples(np.arange(20), beside))
    monkeypatch.setenv("WORLD_SIZE", "2")
    halves = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        halves.append(task._epoch(0))
    assert len(halves[0]) == len(halves[1]) > 0
    for a, b in zip(*halves, strict=True):
        cells = np.sort(np.concatenate((a, b)))
        assert len(a) == len(b) == settings.batch_locations
        assert (np.diff(cells) > 1).all()
