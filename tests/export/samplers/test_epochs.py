import io
from itertools import islice

import numpy as np
import pytest
import torch

from export.samplers.epochs import Epochs
from export.samplers.neighbours import neighbour_batches
from onboard.errors import InputError
from tests.export.samplers.lone_samples import one_to_one

SAMPLES = one_to_one(np.repeat(np.arange(11), 2))  # epochs of unlike length


def plan(epoch, neighbours):
    if neighbours is None:
        neighbours = np.full((22, 1), -1, np.int32)
    return neighbour_batches(SAMPLES, neighbours, 4, 5, epoch, selected=4)


def learned(weights):
    """A search whose answer depends on the weights of the moment, here the step."""

    def search(epoch, table):
        if epoch % 2:
            return table
        return np.random.default_rng(weights["step"]).integers(0, 11, (22, 6), dtype=np.int32)

    return search


def run(epochs, first, last, weights):
    """Takes the batches of steps first .. last-1, as a training loop does."""
    taken = []
    for _, batches in epochs.remaining(first):
        for batch in batches:
            taken.append(batch.tolist())
            weights["step"] = first + len(taken)
            if len(taken) == last - first:
                return taken


@pytest.mark.parametrize("killed_at", range(1, 24))
def test_a_resumed_run_sees_the_same_batches(killed_at):
    weights = {"step": 0}
    whole = run(Epochs(plan, learned(weights)), 0, 30, weights)
    weights = {"step": 0}
    epochs = Epochs(plan, learned(weights))
    assert run(epochs, 0, killed_at, weights) == whole[:killed_at]
    file = io.BytesIO()
    torch.save(epochs.state_dict(), file)
    file.seek(0)
    resumed = Epochs(plan, learned(weights))
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert run(resumed, killed_at, 30, weights) == whole[killed_at:]


@pytest.mark.parametrize("step", [0, 1, 5, 17, 40])
def test_without_a_search_the_step_is_enough(step):
    whole = run(Epochs(plan), 0, 50, {})
    assert run(Epochs(plan), step, 50, {}) == whole[step:]


def test_epochs_come_in_order_and_differ():
    numbers, first = zip(*islice(Epochs(plan).remaining(0), 4), strict=True)
    assert numbers == (0, 1, 2, 3)
    assert len({str(batches) for batches in first}) == 4


def test_a_learned_table_must_not_be_forgotten():
    with pytest.raises(RuntimeError, match="state must be loaded"):
        next(Epochs(plan, learned({"step": 3})).remaining(3))


def test_a_set_too_small_for_a_batch_is_named():
    with pytest.raises(InputError, match=r"epoch 0 .* fills no batch"):
        next(Epochs(lambda epoch, _: []).remaining(0))
