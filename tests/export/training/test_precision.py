import io

import pytest
import torch

from export.training.clipping import clip_gradients
from export.training.precision import FIRST_SCALE, MixedPrecision

CPU = torch.device("cpu")


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 1))


def step(model, optimizer, precision, factor=1.0):
    torch.manual_seed(1)
    with precision.autocast():
        loss = (model(torch.randn(8, 6)) * factor).pow(2).mean()
    optimizer.zero_grad()
    precision.backward(loss)
    precision.unscale(optimizer)
    gradient = model[0].weight.grad.clone()
    precision.step(optimizer, clip_gradients(model.parameters(), None, None))
    return gradient


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_computes_in_the_dtype_and_keeps_the_weights_in_fp32(precision, dtype):
    model = network()
    with MixedPrecision(precision, CPU).autocast():
        assert model(torch.randn(2, 6)).dtype == dtype
    assert all(p.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_gradients_are_those_of_fp32_but_for_rounding(precision):
    gradients = []
    for each in ("fp32", precision):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        gradients.append(step(model, optimizer, MixedPrecision(each, CPU)))
    assert torch.allclose(*gradients, rtol=0.05, atol=0.01)
    assert not torch.equal(*gradients)


def test_an_overflow_leaves_the_step_out_and_halves_the_scale():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    precision = MixedPrecision("fp16", CPU)
    before = [p.detach().clone() for p in model.parameters()]
    step(model, optimizer, precision, factor=200.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert precision.skipped == 1
    state = precision.state_dict()
    assert state["scale"] == FIRST_SCALE / 2
    step(model, optimizer, precision, factor=0.01)
    assert precision.skipped == 1
    assert not torch.equal(before[0], model[0].weight)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_gradient_that_no_scale_helps_stops_before_the_weights(precision):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    mixed = MixedPrecision(precision, CPU)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError, match="the gradient became"):
        for _ in range(40):
            step(model, optimizer, mixed, factor=float("nan"))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_its_state_goes_through_a_checkpoint(precision):
    a, b = MixedPrecision(precision, CPU), MixedPrecision(precision, CPU)
    model = network()
    step(model, torch.optim.SGD(model.parameters(), 0.1), a, factor=300.0)
    file = io.BytesIO()
    torch.save(a.state_dict(), file)
    file.seek(0)
    b.load_state_dict(torch.load(file, weights_only=True))
    assert b.state_dict() == a.state_dict()


def test_clipping_bounds_each_value_then_the_norm():
    p = torch.nn.Parameter(torch.zeros(3))
    p.grad = torch.tensor([300.0, -400.0, 5.0])
    assert clip_gradients([p], None, 100.0) == pytest.approx(500.0, rel=1e-3)
    assert p.grad.tolist() == [100.0, -100.0, 5.0]
    clip_gradients([p], 1.0, None)
    assert float(p.grad.norm()) == pytest.approx(1.0, abs=1e-5)
    p.grad = torch.tensor([0.1, 0.2, 0.2])
    clip_gradients(iter([p]), 5.0, 100.0)
    assert p.grad.tolist() == pytest.approx([0.1, 0.2, 0.2])
