"""The same training in several variants and seeds, and a table of what each variant gives."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.training.tasks.catalogue import make_task, task_settings
from export.training.trainer import train
from onboard.errors import InputError
from onboard.settings import read_table
from onboard.whole_file import write_whole

RESULT = "result.json"
SETTINGS = "settings.txt"  # that the result belongs to


@dataclass(frozen=True)
class Variant:
    """settings: keys that replace those of the configuration's [base] table."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Ablation:
    """base: one task's configuration, as for `pilotage train`. variants and seeds: every
    combination is one run of the same budget."""

    path: Path
    base: dict[str, Any]
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """figures: figure -> one value a finished seed."""

    variant: str
    figures: dict[str, list[float]]


def load_ablation(path: Path) -> Ablation:
    """TOML with `seeds`, a table [base], and [[variant]] tables (name, and the keys that differ).

    Raises InputError: unreadable, another key, a name given twice, settings that don't fit.
    """
    table = read_table(path)
    unknown = set(table) - {"seeds", "base", "variant"}
    if unknown or not all(table.get(k) for k in ("seeds", "base", "variant")):
        raise InputError(f"{path}: an ablation has the keys seeds, base and variant, and no others")
    _check_types(path, table)
    variants: list[Variant] = []
    for i, entry in enumerate(table["variant"]):
        settings = dict(entry)
        name = settings.pop("name", None)
        if not isinstance(name, str) or name in [v.name for v in variants]:
            raise InputError(f"{path}: variant[{i}] needs a name of its own; add one")
        if "/" in name:
            raise InputError(f"{path}: variant[{i}]: '{name}' names a folder; leave the / out")
        variants.append(Variant(name, settings))
    ablation = Ablation(path, table["base"], tuple(variants), tuple(table["seeds"]))
    for variant in variants:
        _settings(ablation, variant, ablation.seeds[0])
    return ablation


def run_ablation(ablation: Ablation, out: Path, only_seed: int | None = None) -> None:
    """Trains what `out` does not hold yet; each run's last validation goes to its result.json.

    Raises InputError: a result of other settings, and as `train` does.
    """
    for seed in ablation.seeds if only_seed is None else (only_seed,):
        for variant in ablation.variants:
            folder = _folder(out, variant, seed)
            settings = _settings(ablation, variant, seed)
            if (folder / RESULT).exists():
                _refuse_other(folder, repr(settings))
                (folder / "checkpoint.pt").unlink(missing_ok=True)
                continue
            print(f"== {variant.name}, seed {seed}", flush=True)
            train(make_task(settings), settings.run, repr(settings), folder)
            with (folder / "validation.csv").open(newline="", encoding="utf-8") as f:
                *_, last = csv.DictReader(f)
            figures = {k: float(v) for k, v in last.items() if k != "step"}
            write_whole(folder / SETTINGS, repr(settings))
            write_whole(folder / RESULT, json.dumps(figures, indent=1))
            (folder / "checkpoint.pt").unlink()


def results(ablation: Ablation, out: Path) -> list[Row]:
    """One row a variant that has finished runs."""
    rows = []
    for variant in ablation.variants:
        figures: dict[str, list[float]] = {}
        for seed in ablation.seeds:
            path = _folder(out, variant, seed) / RESULT
            if path.exists():
                for k, v in _read_result(path).items():
                    figures.setdefault(k, []).append(v)
        if figures:
            rows.append(Row(variant.name, figures))
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: mean and sample deviation over the seeds, and how many there were. Shares in
    percent."""
    if not rows:
        return "no run has finished"
    columns = list(rows[0].figures)
    lines = [
        "| " + " | ".join(["variant", "seeds", *columns]) + " |",
        "| " + " | ".join("---" for _ in range(len(columns) + 2)) + " |",
    ]
    for row in rows:
        seeds = len(next(iter(row.figures.values())))
        cells = [_spread(name, row.figures.get(name, [])) for name in columns]
        lines.append("| " + " | ".join([row.variant, str(seeds), *cells]) + " |")
    return "\n".join(lines)


def _check_types(path: Path, table: dict[str, Any]) -> None:
    seeds, base, variants = table["seeds"], table["base"], table["variant"]
    if not isinstance(seeds, list) or not all(type(s) is int for s in seeds):
        raise InputError(f"{path}: seeds must be whole numbers, as seeds = [1, 2, 3]")
    if not isinstance(variants, list) or not all(isinstance(v, dict) for v in variants):
        raise InputError(f"{path}: variant must be tables; head each with [[variant]]")
    tables = {"base": base} | {
        f"variant[{i}].run": v.get("run", {}) for i, v in enumerate(variants)
    }
    if isinstance(base, dict):
        tables["base.run"] = base.get("run", {})
    for where, value in tables.items():
        if not isinstance(value, dict):
            raise InputError(f"{path}: {where} must be a table of settings")


def _refuse_other(folder: Path, settings: str) -> None:
    """A result whose settings were not kept passes."""
    try:
        kept = (folder / SETTINGS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if kept != settings:
        raise InputError(
            f"{folder}: holds the result of other settings; give another --out, or remove it"
        )


def _read_result(path: Path) -> dict[str, float]:
    try:
        return {str(k): float(v) for k, v in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError, TypeError) as e:
        raise InputError(f"{path}: not a run's figures; remove it to train the run again") from e


def _spread(name: str, values: list[float]) -> str:
    if not values:
        return "-"
    unit = 1.0 if name.endswith("_m") else 100.0
    spread = f" ± {statistics.stdev(values) * unit:.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values) * unit:.1f}{spread}"


def _settings(ablation: Ablation, variant: Variant, seed: int) -> Any:
    where = f"{ablation.path}: variant '{variant.name}'"
    merged = {**ablation.base, **variant.settings}
    merged["run"] = {**merged.get("run", {}), "seed": seed}
    return task_settings(merged, where)


def _folder(out: Path, variant: Variant, seed: int) -> Path:
    return out / f"{variant.name.replace(' ', '-')}-{seed}"
