"""Variants and seeds as runs that go on after a kill, and what the table says of them."""

import json

import pytest
import torch

from export.training.ablation import Row, load_ablation, results, run_ablation, table
from onboard.errors import InputError
from tests.export.training.miniature_pairs import miniature_pairs

CONFIG = """
seeds = [1, 2]
[base]
task = "overhead-descriptor"
model_id = "small"
[base.run]
steps = 2
validate_every_steps = 2
[base.pairs]
data = "{data}"
batch_pairs = 2
picture_px = 128
[[base.pairs.source]]
name = "set"
kind = "photographs"
path = "set"
weight = 1.0
licence = "CC0"
ground_size_m = 0.25
[[base.held_out]]
queries = 2
ground_size_m = 0.25
[base.held_out.source]
name = "set"
kind = "photographs"
path = "set"
weight = 1.0
licence = "CC0"
ground_size_m = 0.25
[[variant]]
name = "average"
aggregator = "average"
[[variant]]
name = "SALAD"
aggregator = "salad"
"""


@pytest.fixture
def config(tmp_path):
    torch.set_num_threads(1)
    miniature_pairs(tmp_path / "pictures", 128)
    path = tmp_path / "ablation.toml"
    path.write_text(CONFIG.format(data=tmp_path / "pictures"))
    return path


def test_finished_runs_are_kept_and_the_rest_is_trained(config, tmp_path, capsys):
    ablation = load_ablation(config)
    out = tmp_path / "out"
    for name in ("average-1", "average-2", "SALAD-1"):
        (out / name).mkdir(parents=True)
        (out / name / "result.json").write_text(json.dumps({"recall_1": 0.5}))
    run_ablation(ablation, out)
    assert capsys.readouterr().out.count("==") == 1
    figures = json.loads((out / "SALAD-2" / "result.json").read_text())
    assert 0 <= figures["recall_1"] <= figures["recall_5"] <= 1
    assert not (out / "SALAD-2" / "checkpoint.pt").exists()
    rows = results(ablation, out)
    assert [r.variant for r in rows] == ["average", "SALAD"]
    assert rows[1].figures["recall_1"] == [0.5, figures["recall_1"]]


def test_a_result_of_other_settings_is_refused(config, tmp_path):
    out = tmp_path / "out"
    run_ablation(load_ablation(config), out, only_seed=1)
    run_ablation(load_ablation(config), out, only_seed=1)
    config.write_text(config.read_text().replace("steps = 2", "steps = 3"))
    with pytest.raises(InputError, match=r"average-1: holds the result of other settings"):
        run_ablation(load_ablation(config), out, only_seed=1)


def test_a_damaged_result_is_named(config, tmp_path):
    (tmp_path / "average-1").mkdir()
    (tmp_path / "average-1" / "result.json").write_text('{"recall_1": ')
    with pytest.raises(InputError, match=r"result\.json: not a run's figures"):
        results(load_ablation(config), tmp_path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('seeds = 1\nvariant = [{name = "a"}]\nbase = {task = "t"}', "seeds must be"),
        ('seeds = ["a"]\nvariant = [{name = "a"}]\nbase = {task = "t"}', "seeds must be"),
        ('seeds = [1]\nvariant = "a"\nbase = {task = "t"}', "variant must be tables"),
        ('seeds = [1]\nvariant = [{name = "a"}]\nbase = "t"', "base must be a table"),
        ('seeds = [1]\nvariant = [{name = "a"}]\nbase = {run = 3}', r"base\.run must be"),
        ('seeds = [1]\nvariant = [{name = "a", run = 3}]\nbase = {a = 1}', r"\[0\]\.run must be"),
        ('seeds = [1]\nvariant = [{name = "a/b"}]\nbase = {a = 1}', "names a folder"),
    ],
)
def test_wrong_kinds_of_values_are_named(tmp_path, text, named):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=named):
        load_ablation(path)


def test_the_table_gives_mean_and_sample_deviation():
    rows = [Row("a", {"recall_1": [0.4, 0.6], "error_m": [1.0, 3.0]}), Row("b", {"recall_1": [1]})]
    lines = table(rows).splitlines()
    assert lines[2] == "| a | 2 | 50.0 ± 14.1 | 2.0 ± 1.4 |"
    assert lines[3] == "| b | 1 | 100.0 | - |"
    assert table([]) == "no run has finished"


def test_bad_configurations_are_named(config, tmp_path):
    text = config.read_text()
    for old, new, sentence in (
        ('aggregator = "salad"', 'aggregator = "salat"', r"variant 'SALAD'.*'salat' is not one of"),
        ('aggregator = "salad"', 'agregator = "salad"', "did you mean 'aggregator'"),
        ('name = "SALAD"', 'name = "average"', r"variant\[1\] needs a name of its own"),
        ("seeds = [1, 2]", "seed = [1, 2]", "keys seeds, base and variant"),
        (
            'task = "overhead-descriptor"',
            'task = "overhead-descriptors"',
            "did you mean 'overhead-descriptor'",
        ),
    ):
        assert old in text
        config.write_text(text.replace(old, new))
        with pytest.raises(InputError, match=sentence):
            load_ablation(config)
