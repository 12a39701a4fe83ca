"""The benchmark of a frame's way, on a small real flight."""

import re
import time

from tools.cli import main
from tools.flight_bench import Stopwatch, _TimedGraph


class Sleeps:
    """A graph that takes 20 ms without a processor."""

    input_names = ("pictures",)

    def run(self, outputs, inputs):
        time.sleep(0.02)
        return [outputs, inputs]


def test_only_the_graphs_time_is_the_networks():
    stopwatch = Stopwatch()
    graph = _TimedGraph(Sleeps(), stopwatch)
    assert graph.run(["a"], {"b": 1}) == [["a"], {"b": 1}]
    assert graph.input_names == ("pictures",)
    time.sleep(0.05)
    wall_ms, thread_ms = stopwatch.take_ms()
    assert wall_ms >= 20.0
    assert thread_ms < 15.0
    assert stopwatch.take_ms() == (0.0, 0.0)


def test_it_prints_what_a_frame_costs_and_judges_it(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight")
    camera = str(tmp_path / "cam.toml")
    argv = ["bench", "flight", str(flight), "--map", str(small_area.pack), "--camera", camera]
    status = main([*argv, "--rounds", "2", "--width-px", "480"])
    said = capsys.readouterr().out
    found = re.search(r"beyond the network +([\d.]+) +([\d.]+)", said)
    median_ms, p99_ms = float(found[1]), float(found[2])
    assert 0.1 < median_ms <= p99_ms
    assert status == (0 if median_ms <= 10.0 and p99_ms <= 25.0 else 1)
    assert "reached" in said if status == 0 else "missed" in said
    assert "5 frames" in said
    for stage in ("describe", "rerank", "locate", "fuse", "motion"):
        assert stage in said


def test_too_few_frames_are_told(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    camera = str(tmp_path / "cam.toml")
    argv = ["bench", "flight", str(flight), "--map", str(small_area.pack), "--camera", camera]
    assert main([*argv, "--rounds", "1"]) == 2
    assert "too few" in capsys.readouterr().err
