"""An ONNX graph -> a serialized TensorRT engine, from TensorRT 8.6 to 11.

Precision stands in the graph (explicit Casts, Q/DQ) and the network is strongly typed: one
path from 10.3 to 11. Where there is no strong typing (8.6) or the DLA wants weak typing
(10.x), builder flags allow the same precisions instead, and parity decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.inference.tensorrt_api import make_log
from onboard.whole_file import make_folder, write_whole

WORKSPACE_BYTES = 2 << 30  # scratch memory that a kernel may ask for; an Orin Nano has 8 GB in all
MAX_NAMED_ERRORS = 3  # of the parser, in one sentence

BUILDER_NAMES = {
    "Builder": (
        "build_serialized_network",
        "create_builder_config",
        "create_network",
        "create_optimization_profile",
        "num_DLA_cores",
    ),
    "IBuilderConfig": (
        "DLA_core",
        "add_optimization_profile",
        "clear_flag",
        "create_timing_cache",
        "default_device_type",
        "get_timing_cache",
        "set_flag",
        "set_memory_pool_limit",
        "set_timing_cache",
    ),
    "BuilderFlag": ("GPU_FALLBACK", "TF32"),
    "DeviceType": ("DLA",),
    "INetworkDefinition": ("get_input", "num_inputs"),
    "IOptimizationProfile": ("set_shape",),
    "ITensor": ("name", "shape"),
    "ITimingCache": ("serialize",),
    "MemoryPoolType": ("WORKSPACE",),
    "OnnxParser": ("get_error", "num_errors", "parse", "set_flag"),
    "ParserError": ("desc",),
}

log = logging.getLogger(__name__)


class Precision(str, Enum):
    """What the heavy part of the graph is computed in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True)
class BuildOptions:
    """batch: smallest, best, largest. A DLA takes one size only, and in flight that is 1; other
    batches run one by one."""

    precision: Precision
    batch: tuple[int, int, int]
    dla: bool = False

    def __post_init__(self) -> None:
        assert not self.dla or self.batch == (1, 1, 1)


def build_engine(
    trt: Any,
    model: bytes,
    name: str,
    options: BuildOptions,
    timing_cache: Path,
    progress: Callable[[str], None] = lambda phase: None,
) -> bytes:
    """Takes minutes. Timings of kernels are kept in `timing_cache`, so that a build that was
    killed goes on nearly where it stopped. name: of the graph, for messages.

    Raises InputError: the parser or the builder refuses the graph, no DLA.
    """
    trt_log = make_log(trt)
    builder = trt.Builder(trt_log)
    if options.dla and not builder.num_DLA_cores:
        raise InputError("--dla: this machine (or this TensorRT) has no DLA; leave --dla out")
    network = builder.create_network(network_flags(trt, options))
    _parse(trt, network, trt_log, model, name, options)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    for flag in builder_flags(trt, options):
        config.set_flag(flag)
    if options.precision is Precision.FP32:  # TF32 would round products to ten bits
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.dla:
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = 0
    profile = _profile(builder, network, name, options)
    if profile is not None:
        config.add_optimization_profile(profile)
    _load_timings(config, timing_cache)
    if hasattr(trt, "IProgressMonitor"):  # from 9 on
        config.progress_monitor = _progress_monitor(trt, progress)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise InputError(
            f"{name}: TensorRT {trt.__version__} can't build an engine of it "
            f"({trt_log.error or 'it does not say why'}); close what else uses the GPU's memory, "
            "or take another precision"
        )
    _save_timings(config, timing_cache)
    return bytes(plan)


def network_flags(trt: Any, options: BuildOptions) -> int:
    """Bits of create_network: strongly typed where that exists and the DLA allows it."""
    flags = trt.NetworkDefinitionCreationFlag
    if not is_weakly_typed(trt, options):
        return 1 << int(flags.STRONGLY_TYPED)
    return 1 << int(flags.EXPLICIT_BATCH)


def builder_flags(trt: Any, options: BuildOptions) -> list[Any]:
    """What the config is allowed; precisions only where the network is weakly typed."""
    flags = [trt.BuilderFlag.GPU_FALLBACK] if options.dla else []
    if is_weakly_typed(trt, options):
        if options.precision is not Precision.FP32:
            flags.append(trt.BuilderFlag.FP16)
        if options.precision is Precision.INT8:
            flags.append(trt.BuilderFlag.INT8)
    return flags


def is_weakly_typed(trt: Any, options: BuildOptions) -> bool:
    """8.6 knows nothing else; a DLA wants it until 11, which dropped the flags."""
    strong = hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")
    return not strong or (options.dla and hasattr(trt.BuilderFlag, "FP16"))


def _parse(
    trt: Any, network: Any, trt_log: Any, model: bytes, name: str, options: BuildOptions
) -> None:
    parser = trt.OnnxParser(network, trt_log)
    adjust = getattr(getattr(trt, "OnnxParserFlag", None), "ADJUST_FOR_DLA", None)
    if options.dla and adjust is not None:
        parser.set_flag(adjust)
    if parser.parse(model):
        return
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    said = "; ".join(_say(e) for e in errors[:MAX_NAMED_ERRORS]) or trt_log.error
    more = f" and {len(errors) - MAX_NAMED_ERRORS} more" if len(errors) > MAX_NAMED_ERRORS else ""
    raise InputError(
        f"{name}: TensorRT {trt.__version__} can't take this graph: {said}{more}; export the "
        "bundle again, or use a newer TensorRT"
    )


def _say(error: Any) -> str:
    """'node /block/Resize (Resize): ...'; 8.6 knows the node's number only."""
    if hasattr(error, "node_name"):
        where = f"{error.node_name()} ({error.node_operator()})"
    else:
        where = f"number {error.node()}"
    return f"node {where}: {' '.join(error.desc().split())}"


def _profile(builder: Any, network: Any, name: str, options: BuildOptions) -> Any:
    """The batch is the only dimension that is free in Pilotage's graphs; None where it isn't."""
    profile, any_free = builder.create_optimization_profile(), False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        shape = tuple(tensor.shape)
        if -1 in shape[1:]:
            raise InputError(
                f"{name}: input '{tensor.name}' has a free size {shape} beside the batch; export "
                "the bundle with 'pilotage export onnx'"
            )
        if shape[0] == -1:
            profile.set_shape(tensor.name, *((n, *shape[1:]) for n in options.batch))
            any_free = True
    return profile if any_free else None


def _load_timings(config: Any, path: Path) -> None:
    """Timings of another GPU or version are passed over."""
    try:
        known = path.read_bytes()
    except OSError:
        known = b""
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, False):
        log.info("%s: of another GPU or TensorRT; timing anew", path)
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _save_timings(config: Any, path: Path) -> None:
    make_folder(path.parent)
    write_whole(path, bytes(config.get_timing_cache().serialize()))


def _progress_monitor(trt: Any, progress: Callable[[str], None]) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the base is known at run time
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            progress(f"{phase_name} 0/{num_steps}")

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(f"{phase_name} {step + 1}/{self._steps.get(phase_name, 0)}")
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()
