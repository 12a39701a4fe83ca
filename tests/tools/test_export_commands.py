"""What is asked for wrongly is answered with one sentence, before any long work."""

import hashlib
import json
import shutil

import onnx
import pytest
import torch

from export.bundles.locator import set_batch
from onboard.model_bundle import DEFAULT_BUNDLE
from tools.cli import main

SHIPPED = str(DEFAULT_BUNDLE)


@pytest.fixture
def refused(capsys):
    def run(*argv):
        status = main([str(a) for a in argv])
        err = capsys.readouterr().err.strip()
        assert status == 2 and "Traceback" not in err
        assert len(err.splitlines()) == 1, err
        return err

    return run


def test_export_onnx(refused, tmp_path):
    out = ["--out", tmp_path / "b"]
    assert "multiples of 14" in refused(
        "export", "onnx", "random", "--model", "dinov2-s", "--size", 100, *out
    )
    assert "did you mean 'gengeo'" in refused("export", "onnx", "random", "--model", "gengo", *out)
    assert "--batch is 'many'" in refused(
        "export", "onnx", "random", "--model", "dinov2-s", "--batch", "many", *out
    )
    dino = ["random", "--model", "dinov2-s", *out]
    assert "--size 0" in refused("export", "onnx", *dino, "--size", 0)
    assert "smallest and largest" in refused("export", "onnx", *dino, "--ground-size-m", 0.8, 0.1)
    assert "smallest and largest" in refused("export", "onnx", *dino, "--ground-size-m", "nan", 1)
    weights = tmp_path / "w.pth"
    assert "no such file" in refused("export", "onnx", weights, "--model", "dinov2-s", *out)
    torch.save({"else": torch.zeros(3)}, weights)
    assert "w.pth" in refused("export", "onnx", weights, "--model", "dinov2-s", *out)
    assert not (tmp_path / "b").exists()


def test_export_parity(refused, tmp_path):
    assert "--model" in refused("export", "parity", SHIPPED, "--checkpoint", tmp_path / "w.pth")
    assert "no such backend" in refused("export", "parity", SHIPPED, "--backend", "abacus")
    assert "no such backend" in refused("export", "parity", SHIPPED, "--backend", "auto")
    assert "cannot be made" in refused(
        "export", "parity", SHIPPED, "--reference", SHIPPED, "--out", "/dev/null/report.json"
    )
    assert "one of the arguments" in refused("export", "parity", SHIPPED)


def test_export_quantize(refused, tmp_path):
    out = ["--out", tmp_path / "b"]
    assert "no such folder" in refused(
        "export", "quantize", SHIPPED, "--calibration", tmp_path / "nowhere", *out
    )
    assert "too few" in refused("export", "quantize", SHIPPED, "--pictures", 4, *out)
    assert not (tmp_path / "b").exists()


def test_export_bench(refused):
    assert "--batch is '1,x'" in refused("export", "bench", SHIPPED, "--batch", "1,x")
    assert "no such backend" in refused("export", "bench", SHIPPED, "--backend", "abacus")


def test_a_batch_that_the_graph_does_not_take_is_named(refused, tmp_path):
    fixed = tmp_path / "b"
    shutil.copytree(DEFAULT_BUNDLE, fixed)
    model = onnx.load(fixed / "model.onnx")
    set_batch(model, 1)
    onnx.save(model, fixed / "model.onnx")
    info = json.loads((fixed / "model.json").read_text())
    info["files"]["model.onnx"] = hashlib.sha256((fixed / "model.onnx").read_bytes()).hexdigest()
    (fixed / "model.json").write_text(json.dumps(info))
    said = refused("export", "bench", fixed, "--backend", "onnxruntime-cpu", "--batch", 3)
    assert "takes 1 pictures at once, not 3" in said


def test_bench_prints_a_row_and_writes_it(tmp_path, capsys):
    out = tmp_path / "rows.json"
    argv = ["export", "bench", SHIPPED, "--backend", "onnxruntime-cpu", "--batch", "2"]
    assert main([*argv, "--threads", "1", "--repeats", "3", "--out", str(out)]) == 0
    (row,) = json.loads(out.read_text())
    assert row["batch"] == 2 and row["flops_per_picture"] == 935002112
    assert 0 < row["median_ms"] <= row["p99_ms"] and row["peak_bytes"] > 1_000_000
    assert 0 < row["roofline_share"] < 3  # of a probe beside it, on a busy machine
    assert "GFLOP/s in fp32" in capsys.readouterr().out
