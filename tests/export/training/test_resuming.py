"""What a killed run leaves is gone on with to the same bits, and more processes to the same sum."""

import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from export.training.checkpoint import load_checkpoint, save_checkpoint
from onboard.errors import InputError
from tests.export.training.tiny_task import CASES, KILLED_AT, STEPS, TinyTask, run_tiny

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("tiny_task.py")
ALONE = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
ENVIRONMENT = {**ALONE, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder with what each case had written when SIGKILL met it."""
    out = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, SCRIPT, "kill", out], env=ENVIRONMENT, check=True)
    return out


def flat(value, name=""):
    """Every tensor and number of a checkpoint by its place in it."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return {name: value}
    return {k: v for key, part in items for k, v in flat(part, f"{name}/{key}").items()}


def rows(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_goes_on_to_the_same_bits(case, killed, tmp_path):
    sampler, precision = CASES[case]
    out = killed / case
    assert load_checkpoint(out / "checkpoint.pt")["step"] == 18 < KILLED_AT
    resumed = flat(load_checkpoint(run_tiny(TinyTask(sampler), out, precision)))
    whole = flat(load_checkpoint(run_tiny(TinyTask(sampler), tmp_path, precision)))
    assert resumed.keys() == whole.keys() and whole["/step"] == STEPS
    for name, value in whole.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(resumed[name], value), name
        else:
            assert resumed[name] == value, name
    for log in ("log.csv", "validation.csv"):
        assert (out / log).read_bytes() == (tmp_path / log).read_bytes()
    assert {p.name for p in out.iterdir()} == {p.name for p in tmp_path.iterdir()}


def test_two_processes_equal_one_with_the_joined_batch(tmp_path):
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [sys.executable, *launch, SCRIPT, "parallel", tmp_path / "two"],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    two = load_checkpoint(tmp_path / "two" / "checkpoint.pt")
    one = load_checkpoint(run_tiny(TinyTask("similarity", dropout=0.0), tmp_path / "one"))
    for name, value in one["average"].items():
        assert torch.allclose(two["average"][name], value, atol=1e-5), name
    a, b = (rows(tmp_path / n / "log.csv") for n in ("one", "two"))
    for name in ("loss", "symmetric", "weighted", "similar"):
        assert [float(r[name]) for r in a] == pytest.approx([float(r[name]) for r in b], abs=2e-4)
    assert two["task"]["epochs"]["epoch"] == one["task"]["epochs"]["epoch"]
    with pytest.raises(InputError, match="other settings"):
        run_tiny(TinyTask("similarity", dropout=0.0), tmp_path / "two")


def test_a_gradient_that_is_no_number_reaches_no_checkpoint(tmp_path):
    class Poisoned(TinyTask):
        def losses(self, model, batch, step):
            losses, shares = super().losses(model, batch, step)
            if step == 17:  # a finite loss whose gradient is not
                losses["weighted"] = losses["weighted"] + (model.log_scale * 0).sqrt()
            return losses, shares

    with pytest.raises(InputError, match="the gradient became nan at step 17; lower"):
        run_tiny(Poisoned("exclusive"), tmp_path)
    saved = load_checkpoint(tmp_path / "checkpoint.pt")
    assert saved["step"] == 9
    assert all(torch.isfinite(v).all() for v in saved["model"].values())


def test_a_loss_that_is_no_number_is_named(tmp_path):
    class Infinite(TinyTask):
        def losses(self, model, batch, step):
            losses, shares = super().losses(model, batch, step)
            return {k: v * float("inf") for k, v in losses.items()}, shares

    with pytest.raises(InputError, match="the loss became inf at step 0"):
        run_tiny(Infinite("exclusive"), tmp_path)


def test_a_set_that_ends_early_is_no_finished_training(tmp_path):
    class Short(TinyTask):
        def batches(self, first_step):
            for _, batch in zip(range(12 - first_step), super().batches(first_step), strict=False):
                yield batch

    with pytest.raises(InputError, match="ended after 12 of 30 steps"):
        run_tiny(Short("exclusive"), tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "checkpoint.pt"
    keys = dict.fromkeys(("settings", "model", "average", "optimizer", "precision"), 0)
    save_checkpoint(path, {**keys, "step": 1})
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"checkpoint\.pt: cannot be written .* make room"):
            save_checkpoint(path, {**keys, "step": 2, "model": torch.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert load_checkpoint(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_of_another_version_is_named(tmp_path):
    run_tiny(TinyTask("exclusive"), tmp_path)
    saved = load_checkpoint(tmp_path / "checkpoint.pt")
    saved["model"].pop("rarely")
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"(?s)another version .*rarely"):
        run_tiny(TinyTask("exclusive"), tmp_path)
    del saved["average"]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="no average"):
        run_tiny(TinyTask("exclusive"), tmp_path)
