"""What the builder is asked for, from TensorRT 8.6 to 11, as far as it can be told without one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from export.engines.tensorrt_builder import (
    BUILDER_NAMES,
    BuildOptions,
    Precision,
    _parse,
    _profile,
    _progress_monitor,
    builder_flags,
    is_weakly_typed,
    network_flags,
)
from onboard.errors import InputError
from onboard.inference.tensorrt_api import missing_names
from tests.onboard.trt_module import bindings

FLIGHT = (1, 1, 16)
ONE = (1, 1, 1)


def version(trt):
    return tuple(int(x) for x in trt.__version__.split(".")[:2])


def test_the_names_in_use_are_there():
    assert missing_names(bindings(), BUILDER_NAMES) == []


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("dla", [False, True])
def test_flags_are_those_of_the_version(precision, dla):
    trt = bindings()
    options = BuildOptions(precision, ONE if dla else FLIGHT, dla)
    weak = version(trt) < (10, 0) or (dla and version(trt) < (11, 0))
    assert is_weakly_typed(trt, options) is weak
    kinds = trt.NetworkDefinitionCreationFlag
    wanted = kinds.EXPLICIT_BATCH if weak else kinds.STRONGLY_TYPED
    assert network_flags(trt, options) == 1 << int(wanted)
    names = {str(flag).split(".")[-1] for flag in builder_flags(trt, options)}
    assert ("GPU_FALLBACK" in names) is dla
    assert ("FP16" in names) is (weak and precision is not Precision.FP32)
    assert ("INT8" in names) is (weak and precision is Precision.INT8)


def test_progress_is_passed_on():
    trt = bindings()
    if not hasattr(trt, "IProgressMonitor"):
        pytest.skip("TensorRT 8.6 does not report progress")
    said = []
    monitor = _progress_monitor(trt, said.append)
    monitor.phase_start("Timing", None, 3)
    assert monitor.step_complete("Timing", 0)
    monitor.phase_finish("Timing")
    assert said == ["Timing 0/3", "Timing 1/3"]


def test_a_profile_leaves_only_the_batch_free():
    shapes = {}
    builder = SimpleNamespace(
        create_optimization_profile=lambda: SimpleNamespace(
            set_shape=lambda name, low, best, high: shapes.update({name: (low, best, high)})
        )
    )

    def network(*shapes_of_inputs):
        tensors = [SimpleNamespace(name=f"in{i}", shape=s) for i, s in enumerate(shapes_of_inputs)]
        return SimpleNamespace(num_inputs=len(tensors), get_input=lambda i: tensors[i])

    options = BuildOptions(Precision.FP16, (1, 2, 16))
    _profile(builder, network((1, 64, 32, 32), (-1, 64, 32, 32)), "rerank.onnx", options)
    assert shapes == {"in1": tuple((n, 64, 32, 32) for n in (1, 2, 16))}
    with pytest.raises(InputError, match=r"rerank\.onnx: input 'in0' has a free size"):
        _profile(builder, network((-1, -1, 256, 3)), "rerank.onnx", options)


def parser_error(number):
    return SimpleNamespace(
        node_name=lambda: f"/block/{number}",
        node_operator=lambda: "Resize",
        desc=lambda: "Assertion failed:\n  mode == cubic",
    )


@pytest.mark.parametrize(("count", "more"), [(1, ""), (5, " and 2 more")])
def test_the_parsers_errors_name_their_nodes_in_one_sentence(count, more):
    errors = [parser_error(i) for i in range(count)]
    parser = SimpleNamespace(
        parse=lambda model: False, num_errors=count, get_error=lambda i: errors[i]
    )
    trt = SimpleNamespace(__version__="10.3.0", OnnxParser=lambda network, log: parser)
    options = BuildOptions(Precision.FP16, FLIGHT)
    with pytest.raises(InputError) as caught:
        _parse(trt, None, SimpleNamespace(error=""), b"", "model.onnx", options)
    said = str(caught.value)
    assert said.startswith("model.onnx: TensorRT 10.3.0 can't take this graph: node /block/0 (Res")
    assert f"mode == cubic{more}; export the bundle again" in said and "\n" not in said


def test_8_6_knows_the_nodes_number_only():
    error = SimpleNamespace(node=lambda: 7, desc=lambda: "unsupported")
    parser = SimpleNamespace(parse=lambda m: False, num_errors=1, get_error=lambda i: error)
    trt = SimpleNamespace(__version__="8.6.1", OnnxParser=lambda network, log: parser)
    options = BuildOptions(Precision.FP16, FLIGHT)
    with pytest.raises(InputError, match="node number 7: unsupported"):
        _parse(trt, None, SimpleNamespace(error=""), b"", "model.onnx", options)
