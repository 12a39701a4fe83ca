"""Builds the engines of all graphs of a bundle, and keeps them when they answer rightly."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.bundles.parity import Parity
from export.bundles.parity_views import ParityViews, Pictures
from export.engines.engine_parity import engine_failures
from export.engines.source_graph import source_graph
from export.engines.tensorrt_builder import BUILDER_NAMES, BuildOptions, build_engine
from onboard.errors import BackendError, InputError
from onboard.inference.choose import open_graphs
from onboard.inference.contract import Backend, Graph
from onboard.inference.cuda_memory import cuda_device
from onboard.inference.engine_record import Built, add_to_record, state_folder
from onboard.inference.engine_stamp import EngineStamp, stamp_path, stamp_text
from onboard.inference.gpu import Gpu, first_gpu
from onboard.inference.tensorrt_api import import_tensorrt, missing_names
from onboard.inference.tensorrt_engine import TensorrtGraph
from onboard.model_bundle import Kind, ModelBundle
from onboard.whole_file import write_whole


@dataclass(frozen=True)
class EngineSet:
    """What was written into the bundle's folder."""

    paths: tuple[Path, ...]
    parity: Parity


def build_engine_set(
    bundle: ModelBundle,
    options: BuildOptions,
    views: ParityViews,
    calibration: Pictures | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> EngineSet:
    """Engines, stamps and their record; all of them or none.

    calibration: (N,256,256,3) uint8 BGR for int8; no picture of `views`, on which parity is
    measured against the bundle's own graphs.

    Raises InputError: no GPU, no TensorRT, a graph that it can't take, wrong answers, no room.
    """
    if bundle.kind is Kind.CROSS_VIEW:
        raise InputError(
            f"{bundle.path}: a cross-view bundle does not fly and gets no engine; take a flight "
            "or retrieval bundle"
        )
    gpu, trt = first_gpu(), import_tensorrt()
    if missing := missing_names(trt, BUILDER_NAMES):
        raise InputError(f"TensorRT {trt.__version__} has no {missing[0]}; use one from 8.6 to 11")
    timing_cache = state_folder() / f"timing.{gpu.slug}-{trt.__version__}.cache"
    engines: dict[str, bytes] = {}
    for name in bundle.graphs:
        path = bundle.path / name
        source = source_graph(
            path, options.precision, calibration,
            lambda done, of: progress(f"calibrating: {done}/{of} pictures"),
        )  # fmt: skip
        progress(f"{name}: parsing")
        engines[name] = build_engine(
            trt, source, str(path), options, timing_cache,
            lambda phase, name=name: progress(f"{name}: {phase}"),  # type: ignore[misc]
        )  # fmt: skip
    parity = _parity(trt, bundle, engines, options, views, progress)
    return EngineSet(_keep(bundle, engines, options, gpu, trt.__version__), parity)


def _parity(
    trt: Any,
    bundle: ModelBundle,
    engines: dict[str, bytes],
    options: BuildOptions,
    views: ParityViews,
    progress: Callable[[str], None],
) -> Parity:
    with _loaded(trt, engines) as graphs:
        reference = open_graphs(bundle, Backend.ONNXRUNTIME_CPU).graphs
        try:
            parity, failures = engine_failures(
                bundle, reference, graphs, views, options.precision,
                lambda done, of: progress(f"parity: {done}/{of} pictures"),
            )  # fmt: skip
        except BackendError as e:
            raise InputError(
                f"{bundle.path}: the new engine fails while it runs: {e}; build it with another "
                "precision or a smaller batch"
            ) from e
    if failures:
        raise InputError(
            f"{bundle.path}: no {options.precision.value} engine was written, for it answers "
            f"otherwise than the network: {'; '.join(failures)}; take another precision, or "
            "another TensorRT"
        )
    return parity


@contextlib.contextmanager
def _loaded(trt: Any, engines: dict[str, bytes]) -> Iterator[dict[str, Graph]]:
    """Engines that were built in this process, hence trusted."""
    graphs: dict[str, Graph] = {}
    try:
        device = cuda_device()
        for name, data in engines.items():
            graphs[name] = TensorrtGraph(trt, device, data, f"engine of {name}")
        yield graphs
    except BackendError as e:
        raise InputError(f"the new engines can't be loaded: {e}; free the GPU's memory") from e
    finally:
        for graph in graphs.values():
            graph.close()


def _keep(
    bundle: ModelBundle, engines: dict[str, bytes], options: BuildOptions, gpu: Gpu, version: str
) -> tuple[Path, ...]:
    """Engines first, the record last: what is not recorded is not loaded. When there is no
    room, nothing stays."""
    written: list[Path] = []
    stamps: list[EngineStamp] = []
    try:
        for name, data in engines.items():
            stamp = EngineStamp(
                graph=name,
                source_sha256=bundle.files[name],
                precision=options.precision.value,
                gpu=gpu.name,
                compute_capability=gpu.compute_capability,
                tensorrt=version,
                batch=options.batch,
                dla=options.dla,
                engine_sha256=hashlib.sha256(data).hexdigest(),
            )
            path = bundle.path / stamp.file_name
            written += [path, stamp_path(path)]
            write_whole(path, data)
            write_whole(stamp_path(path), stamp_text(stamp))
            stamps.append(stamp)
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
        for stamp in stamps:
            add_to_record(Built(stamp, now))
    except InputError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return tuple(bundle.path / stamp.file_name for stamp in stamps)
