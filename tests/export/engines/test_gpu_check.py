"""The table of a GPU's figures, and what a machine without one is told."""

from __future__ import annotations

import pytest

from export.bundles.bench import BenchRow
from export.bundles.parity import OutputParity, Parity
from export.engines import gpu_check
from export.engines.gpu_check import Checked, check_baselines, speed_up, table
from onboard.errors import InputError
from onboard.inference.contract import Backend
from onboard.inference.gpu import first_gpu
from onboard.model_bundle import load_bundle
from tools.cli import main


def row(batch, median_ms):
    return BenchRow(
        backend="some",
        batch=batch,
        median_ms=median_ms,
        p99_ms=2 * median_ms,
        pictures_per_s=1000 * batch / median_ms,
        peak_bytes=0,
        flops_per_picture=1,
        bytes_per_picture=1,
        gflops_per_s=495_000.0,
        roofline_share=None,
    )


PARITY = Parity({"descriptor": OutputParity(0.01, 0.99951)}, 0.99, (), 20, "blocks")
CUDA = Checked("onnxruntime-cuda", (row(1, 4.0), row(16, 9.0)))
FP16 = Checked("tensorrt fp16", (row(1, 0.5),), PARITY)


def test_speed_up_is_that_of_one_picture():
    assert speed_up([CUDA, FP16]) == 8.0
    assert speed_up([CUDA]) is None
    assert speed_up([Checked("onnxruntime-cuda", refused="none"), FP16]) is None


def test_every_row_is_in_the_table_and_refusals_say_why():
    lines = table([CUDA, FP16, Checked("tensorrt int8", refused="no TensorRT")], 990.0).splitlines()
    assert len(lines) == 2 + 2 + 1 + 1
    assert len({line.count("|") for line in lines}) == 1
    assert "| tensorrt fp16 | 1 | 0.500 | 1.000 | 2000 | 495 | 50.0% | 0.999510 | 0.990 |" in lines
    assert "no TensorRT" in lines[-1]


def no_gpu():
    try:
        first_gpu()
    except InputError:
        return True
    return False


@pytest.mark.skipif(not no_gpu(), reason="this machine has a GPU")
def test_without_a_gpu_it_ends_with_one_sentence(tmp_path, capsys):
    assert main(["export", "gpu-check", "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert "no GPU can be used" in err and err.count("\n") == 1 and out == ""
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_timed_is_a_row_of_its_own(monkeypatch):
    def bench(path, backend, batch, threads, repeats):
        if backend is Backend.ONNXRUNTIME_CUDA:
            raise InputError("no provider")
        return row(batch, 30.0), None

    monkeypatch.setattr(gpu_check, "bench", bench)
    said = []
    cpu, cuda = check_baselines(load_bundle(), [1, 16], 2, said.append)
    assert [r.batch for r in cpu.rows] == [1, 16] and not cpu.refused
    assert not cuda.rows and cuda.refused == "no provider"
    assert said == ["timing onnxruntime-cpu", "timing onnxruntime-cuda"]
