"""Everything that needs a GPU, in one go: engines of every precision, their parity, and how
fast they are beside ONNX Runtime."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from export.bundles.bench import BenchRow, all_threads, bench
from export.bundles.parity import Parity
from export.bundles.parity_views import ParityViews
from export.engines.engine_set import build_engine_set
from export.engines.tensorrt_builder import BuildOptions, Precision
from onboard.errors import BackendError, InputError
from onboard.inference.contract import Backend
from onboard.inference.engine_stamp import SUFFIX
from onboard.inference.gpu import first_gpu
from onboard.model_bundle import ModelBundle, load_bundle

BASELINES = (Backend.ONNXRUNTIME_CPU, Backend.ONNXRUNTIME_CUDA)
SPEED_UP_GOAL = 4.0  # fp16 engine over ONNX Runtime's CUDA provider in fp32, one picture


@dataclass(frozen=True)
class Checked:
    """A backend, or an engine's precision. refused: why there is nothing else here."""

    name: str
    rows: tuple[BenchRow, ...] = ()
    parity: Parity | None = None
    refused: str = ""


def versions() -> dict[str, str]:
    """Device and versions. Raises InputError: no GPU."""
    gpu = first_gpu()
    return {
        "GPU": f"{gpu.name}, compute capability {gpu.compute_capability}",
        "CUDA of the driver": gpu.driver,
        "TensorRT": _version("tensorrt", "__version__"),
        "pycuda": _version("pycuda", "VERSION_TEXT"),
        "ONNX Runtime": f"{onnxruntime.__version__} "
        f"({', '.join(onnxruntime.get_available_providers())})",
    }


def check_baselines(
    bundle: ModelBundle, batches: Sequence[int], repeats: int, say: Callable[[str], None]
) -> list[Checked]:
    """ONNX Runtime on the CPU and by CUDA."""
    checked = []
    for backend in BASELINES:
        say(f"timing {backend.value}")
        checked.append(_timed(backend.value, bundle.path, backend, batches, repeats))
    return checked


def check_engines(
    bundle: ModelBundle,
    folder: Path,
    views: ParityViews,
    batches: Sequence[int],
    repeats: int,
    say: Callable[[str], None],
) -> list[Checked]:
    """Builds, compares and times every precision in a copy of the bundle under `folder`, so
    that the bundle stays as it is. int8 is calibrated on every other picture of the gallery,
    and all are compared on the rest. Raises InputError: no room for the copy.
    """
    copy = folder / "bundle"
    try:
        shutil.copytree(bundle.path, copy, ignore=shutil.ignore_patterns(f"*{SUFFIX}*"))
    except OSError as e:
        raise InputError(f"{copy}: cannot be written ({e}); free or choose a place") from e
    copied = load_bundle(copy, for_flight=False)
    unseen = ParityViews(views.gallery[1::2], views.queries, views.source)
    checked = []
    for precision in Precision:
        name = f"{Backend.TENSORRT.value} {precision.value}"
        options = BuildOptions(precision, (1, 1, max(batches)))
        try:
            done = build_engine_set(copied, options, unseen, views.gallery[::2], say)
        except InputError as e:
            checked.append(Checked(name, refused=str(e)))
            continue
        say(f"timing {name}")
        timed = _timed(name, copy, Backend.TENSORRT, batches, repeats)
        checked.append(Checked(name, timed.rows, done.parity, timed.refused))
    return checked


def speed_up(checked: Sequence[Checked]) -> float | None:
    """The fp16 engine over ONNX Runtime's CUDA provider, one picture; None when one of them
    was not timed."""
    medians = {c.name: row.median_ms for c in checked for row in c.rows if row.batch == 1}
    slow = medians.get(Backend.ONNXRUNTIME_CUDA.value)
    fast = medians.get(f"{Backend.TENSORRT.value} {Precision.FP16.value}")
    return slow / fast if slow and fast else None


def table(checked: Sequence[Checked], peak_tflops: float | None = None) -> str:
    """Markdown. peak_tflops: of the data sheet, for the share of it."""
    lines = [
        "| what | batch | median ms | P99 ms | pictures/s | TFLOP/s | of peak | worst cosine "
        "| overlap@10 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for c in checked:
        if not c.rows:
            lines.append(f"| {c.name} | not measured: {c.refused} | | | | | | | |")
        for row in c.rows:
            tflops = row.gflops_per_s / 1e3
            share = f"{tflops / peak_tflops:.1%}" if peak_tflops else ""
            cosine = overlap = ""
            if c.parity is not None:
                cosine = f"{min(o.cosine for o in c.parity.outputs.values()):.6f}"
                overlap = f"{c.parity.overlap:.3f}"
            lines.append(
                f"| {c.name} | {row.batch} | {row.median_ms:.3f} | {row.p99_ms:.3f} "
                f"| {row.pictures_per_s:.0f} | {tflops:.3g} | {share} | {cosine} | {overlap} |"
            )
    return "\n".join(lines) + "\n"


def _timed(
    name: str, path: Path, backend: Backend, batches: Sequence[int], repeats: int
) -> Checked:
    try:
        rows = tuple(bench(path, backend, n, all_threads(), repeats)[0] for n in batches)
    except (InputError, BackendError) as e:
        return Checked(name, refused=str(e))
    return Checked(name, rows)


def _version(module: str, attribute: str) -> str:
    try:
        return str(getattr(importlib.import_module(module), attribute))
    except (ImportError, OSError, AttributeError) as e:
        return f"not usable ({e})"
