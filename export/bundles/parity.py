"""Whether an exported graph answers like the network that it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundles.parity_views import ParityViews, Pictures, hard_pictures
from onboard.errors import InputError

Array = NDArray[np.float32]
Answers = dict[str, Array]
Run = Callable[[Pictures], Answers]  # (N,256,256,3) uint8 BGR -> outputs by name, N first

NEIGHBOURS = 10
BATCH = 16
# A black picture has maps of nothing but zeros: below this length there is no direction.
NO_DIRECTION = 1e-6
TIE = 1e-5  # of cosine; fp32's own noise orders what is closer


@dataclass(frozen=True)
class Limits:
    """max_abs: of the answers, in units of a tenth of the output's largest value where that
    exceeds 1 (logits); None: only reported. cosine: of each picture's output as one vector.
    overlap: mean share of a query's ten nearest tiles that both sides find."""

    max_abs: float | None
    cosine: float
    overlap: float


# Origin: the project's goals. int8's are those of its bundle for CPUs.
FP32_LIMITS = Limits(max_abs=1e-3, cosine=0.99999, overlap=0.98)
FP16_LIMITS = Limits(max_abs=None, cosine=0.999, overlap=0.98)
INT8_LIMITS = Limits(max_abs=None, cosine=0.95, overlap=0.97)


@dataclass(frozen=True)
class OutputParity:
    """Over all pictures, the worst: max_abs with the hard ones, cosine without."""

    max_abs: float
    cosine: float


@dataclass(frozen=True)
class Parity:
    """not_finite: names of the outputs that held a NaN or an infinity."""

    outputs: dict[str, OutputParity]
    overlap: float
    not_finite: tuple[str, ...]
    pictures: int
    views: str

    def failures(self, limits: Limits) -> list[str]:
        """One clause per figure that misses its limit; empty means that the two agree."""
        wrong = [f"output '{name}' is not finite" for name in self.not_finite]
        for name, output in self.outputs.items():
            if not output.cosine >= limits.cosine:  # NaN is no parity either
                wrong.append(f"output '{name}': cosine {output.cosine:.6f} < {limits.cosine}")
            if limits.max_abs is not None and not output.max_abs <= limits.max_abs:
                wrong.append(
                    f"output '{name}' differs from PyTorch by {output.max_abs:.2g} "
                    f"> {limits.max_abs:g}"
                )
        if not self.overlap >= limits.overlap:
            wrong.append(f"overlap@{NEIGHBOURS} of retrieval {self.overlap:.3f} < {limits.overlap}")
        return wrong

    def as_json(self) -> dict[str, Any]:
        """Rounded to what says something, for model.json and reports."""
        rounded = {
            name: {k: float(f"{v:.3g}" if k == "max_abs" else f"{v:.7f}") for k, v in
                   asdict(output).items()}
            for name, output in self.outputs.items()
        }  # fmt: skip
        return {
            "outputs": rounded,
            f"overlap_at_{NEIGHBOURS}": round(self.overlap, 4),
            "not_finite": list(self.not_finite),
            "pictures": self.pictures,
            "views": self.views,
        }


def compare(
    reference: Run,
    candidate: Run,
    views: ParityViews,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Parity:
    """Runs both on all pictures in batches of BATCH and compares. Descriptors are the output
    named `descriptor`, which both must have. progress gets (pictures done, pictures).

    Raises InputError: the candidate lacks an output of the reference, or has it in another
    shape.
    """
    g, q = len(views.gallery), len(views.queries)
    pictures = np.concatenate([views.gallery, views.queries, hard_pictures()])
    expected: list[Answers] = []
    got: list[Answers] = []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        expected.append(reference(batch))
        got.append(candidate(batch))
        _refuse_unlike(expected[-1], got[-1])
        progress(start + len(batch), len(pictures))
    outputs: dict[str, OutputParity] = {}
    not_finite = []
    for name in expected[0]:
        right = np.concatenate([e[name] for e in expected]).reshape(len(pictures), -1)
        answer = np.concatenate([a[name] for a in got]).reshape(len(pictures), -1)
        outputs[name] = output_parity(right, answer, judged=g + q)
        if not np.isfinite(answer).all():
            not_finite.append(name)
    both = [np.concatenate([x["descriptor"] for x in side]) for side in (expected, got)]
    return Parity(
        outputs,
        overlap(*((d[:g], d[g : g + q]) for d in both)),
        tuple(not_finite),
        len(pictures),
        views.source,
    )


def _refuse_unlike(expected: Answers, got: Answers) -> None:
    for name, right in expected.items():
        if name not in got:
            raise InputError(
                f"these two can't be compared: only the reference has an output '{name}'; give "
                "what the bundle was made from"
            )
        if got[name].shape != right.shape:
            raise InputError(
                f"these two can't be compared: output '{name}' is {got[name].shape[1:]}, in the "
                f"reference {right.shape[1:]}; give what the bundle was made from"
            )


def output_parity(right: Array, answer: Array, judged: int | None = None) -> OutputParity:
    """Rows of two (N,K) arrays against one another; cosine over the first `judged` rows."""
    unit = max(1.0, float(np.abs(right).max()) / 10)
    a, b = right[:judged].astype(np.float64), answer[:judged].astype(np.float64)
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a * b).sum(1) / (lengths[0] * lengths[1])
    nothing = (lengths[0] < NO_DIRECTION) & (lengths[1] < NO_DIRECTION)
    return OutputParity(
        max_abs=float(np.abs(right - answer).max()) / unit,
        cosine=float(np.where(nothing, 1.0, cosine).min()),
    )


def overlap(right: tuple[Array, Array], answer: tuple[Array, Array]) -> float:
    """Mean share of a query's NEIGHBOURS nearest tiles by the second side's descriptors that
    the first side has among its own, ties within TIE included. Each side: gallery (G,D) and
    queries (Q,D)."""
    similarity, other = (queries @ gallery.T for gallery, queries in (right, answer))
    found = np.argsort(-other, axis=1, kind="stable")[:, :NEIGHBOURS]
    last = -np.sort(-similarity, axis=1)[:, found.shape[1] - 1]
    good = np.take_along_axis(similarity, found, 1) >= last[:, None] - TIE
    return float(good.mean())
