"""A graph in ONNX Runtime: on the CPU, or by its CUDA or TensorRT execution provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from onboard.errors import BackendError, InputError
from onboard.inference.batches import fixed_batch, run_in_pieces
from onboard.inference.contract import Backend, Tensor
from onboard.inference.gpu import first_gpu

LOG_FATAL_ONLY = 4  # ONNX Runtime's own warnings are no sentences for a pilot
PROVIDERS = {
    Backend.ONNXRUNTIME_CPU: "CPUExecutionProvider",
    Backend.ONNXRUNTIME_CUDA: "CUDAExecutionProvider",
    Backend.ONNXRUNTIME_TENSORRT: "TensorrtExecutionProvider",
}
# The provider's engines are built anew each time and never cached on the disk: an engine is
# code, and only those that this machine recorded are loaded (`pilotage export engine`).
# TF32 rounds the operands of fp32 products to ten bits: off, so that fp32 means fp32.
PROVIDER_OPTIONS: dict[Backend, dict[str, Any]] = {
    Backend.ONNXRUNTIME_CPU: {},
    Backend.ONNXRUNTIME_CUDA: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    Backend.ONNXRUNTIME_TENSORRT: {"trt_engine_cache_enable": "0"},
}


class OnnxRuntimeGraph:
    """The contract `Graph`. threads: None takes all cores.

    Raises InputError when the graph can't be loaded or the provider can't be had.
    """

    def __init__(self, path: Path, backend: Backend, threads: int | None = None) -> None:
        provider = PROVIDERS[backend]
        if backend is not Backend.ONNXRUNTIME_CPU:
            _require(provider)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = LOG_FATAL_ONLY
        # Four sessions' threads that spin while they wait take the cores from one another: a
        # frame took 1.75 times as long on two cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=[(provider, PROVIDER_OPTIONS[backend])]
            )
        except Exception as e:  # ONNX Runtime raises classes of its own without a common parent
            raise InputError(
                f"{path}: ONNX Runtime can't load it ({_line(e)}); get the bundle again"
            ) from e
        used = self._session.get_providers()
        if used[0] != provider:  # it goes on with the CPU and says so in its log only
            raise InputError(
                f"ONNX Runtime can't start {provider} and would take {used[0]}; check that its "
                "CUDA and cuDNN (and TensorRT) libraries are those that onnxruntime-gpu wants, "
                "or set the backend to onnxruntime-cpu"
            )
        self._inputs = tuple(x.name for x in self._session.get_inputs())
        self._fixed = fixed_batch([x.shape for x in self._session.get_inputs()])
        self._outputs = tuple(x.name for x in self._session.get_outputs())

    @property
    def input_names(self) -> tuple[str, ...]:
        return self._inputs

    @property
    def output_names(self) -> tuple[str, ...]:
        return self._outputs

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """As the contract says; outputs that are not asked for are not computed."""
        if self._session is None:
            raise BackendError("the graph is closed")
        if self._fixed is not None and all(n in inputs for n in self._inputs):
            return run_in_pieces(
                self._run_once, outputs, inputs, self._inputs, self._fixed, fixed=True
            )
        return self._run_once(outputs, inputs)

    def _run_once(self, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        try:
            answers: list[Tensor] = self._session.run(list(outputs), dict(inputs))
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument as e:
            raise ValueError(_line(e)) from e
        except ValueError:  # a name that the graph does not have
            raise
        except Exception as e:  # classes of its own without a common parent
            raise BackendError(f"ONNX Runtime failed: {_line(e)}") from e
        return answers

    def close(self) -> None:
        self._session = None


def has_provider(backend: Backend) -> bool:
    """Whether the installed ONNX Runtime was built with a backend's provider."""
    return PROVIDERS[backend] in onnxruntime.get_available_providers()


def _require(provider: str) -> None:
    if provider not in onnxruntime.get_available_providers():
        raise InputError(
            f"the installed ONNX Runtime {onnxruntime.__version__} has no {provider}; install "
            "onnxruntime-gpu in place of onnxruntime, or set the backend to onnxruntime-cpu"
        )
    first_gpu()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
