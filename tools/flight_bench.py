"""`pilotage bench flight`: what a frame costs on its way to the autopilot, beyond the network."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from onboard.companion import Companion
from onboard.errors import InputError
from onboard.flight import Equipment, NoLink, make_flight
from onboard.flight_settings import FlightSettings
from onboard.inference import Network
from onboard.inference.contract import Graph
from onboard.messages import Event, Frame, FrameResult
from tools.flight_inputs import add_flight_arguments, open_flight_inputs, refuse_wrong_map
from tools.photo_folder import photo_events

HELP = (
    "Flies a folder of photographs as fast as it goes and prints what a frame costs beyond the "
    "network's inference, from the decoded picture to the message, and its ratio to the "
    "inference in the same run. Exit status 1 when a goal is missed."
)
WIDTH_PX = 1280  # of the pictures, as a camera in flight gives them
WARM_UP = 3  # frames that load tiles and tables for the first time
MEDIAN_GOAL_MS, P99_GOAL_MS = 10.0, 25.0
NETWORK, FRAME, MESSAGE, PROCESSOR = "network", "frame", "message", "processor"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, help="folder of photographs")
    add_flight_arguments(parser)
    parser.add_argument("--width-px", type=int, default=WIDTH_PX, help="pictures are scaled to it")
    parser.add_argument("--rounds", type=int, default=3, help="how often the folder is flown")


def run(args: argparse.Namespace) -> int:
    if args.width_px < 64 or args.rounds < 1:
        raise InputError("give --width-px of 64 or more and --rounds of 1 or more")
    inputs = open_flight_inputs(args.photos, args)
    stopwatch = time_network(inputs.describer.network)
    settings = FlightSettings(map=inputs.pack.path)
    equipment = Equipment(settings, inputs.camera, inputs.pack, inputs.describer, None)
    events = [
        _scaled(event, args.width_px)
        for event in photo_events(inputs.flight.photos, inputs.by_gimbal)
    ]
    rows: list[dict[str, float]] = []
    stages: list[Mapping[str, float]] = []
    for _ in range(args.rounds):  # a new companion each time: its clock must not go back
        companion = make_flight(equipment, lambda _: None, NoLink()).companion
        for row, result in timed_flight(companion, events, stopwatch):
            rows.append(row)
            stages.append(result.latency_ms)
    refuse_wrong_map(inputs)
    if len(rows) <= WARM_UP:
        raise InputError(f"{args.photos}: {len(rows)} frames are too few; give more --rounds")
    return _print(rows[WARM_UP:], stages[WARM_UP:])


class Stopwatch:
    """Milliseconds in the network's graphs since it was taken last: of the wall's clock, and of
    this thread's processor time."""

    def __init__(self) -> None:
        self._wall_ns = self._thread_ns = 0

    def add(self, wall_ns: int, thread_ns: int) -> None:
        self._wall_ns += wall_ns
        self._thread_ns += thread_ns

    def take_ms(self) -> tuple[float, float]:
        wall_ns, thread_ns = self._wall_ns, self._thread_ns
        self._wall_ns = self._thread_ns = 0
        return wall_ns * 1e-6, thread_ns * 1e-6


class _TimedGraph:
    def __init__(self, graph: Graph, stopwatch: Stopwatch) -> None:
        self._graph = graph
        self._stopwatch = stopwatch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
        wall_ns, thread_ns = time.perf_counter_ns(), time.thread_time_ns()
        try:
            return self._graph.run(outputs, inputs)
        finally:
            self._stopwatch.add(time.perf_counter_ns() - wall_ns, time.thread_time_ns() - thread_ns)


def time_network(network: Network) -> Stopwatch:
    """From now on the time in its graphs is counted; what is laid out for them is not theirs."""
    stopwatch = Stopwatch()
    opened = network._opened
    graphs: dict[str, Any] = {n: _TimedGraph(g, stopwatch) for n, g in opened.graphs.items()}
    network._opened = dataclasses.replace(opened, graphs=graphs)
    return stopwatch


def timed_flight(
    companion: Companion, events: Sequence[Event], stopwatch: Stopwatch
) -> Iterator[tuple[dict[str, float], FrameResult]]:
    """Of each frame the network's milliseconds, the frame's beyond it, and the message's."""
    for event in events:
        begin_ns, thread_ns = time.perf_counter_ns(), time.thread_time_ns()
        stopwatch.take_ms()
        result = companion.handle(event)
        if result is None:
            continue
        done_ns = time.perf_counter_ns()
        companion.tick(event.time_ns)
        sent_ns = time.perf_counter_ns()
        network_ms, network_thread_ms = stopwatch.take_ms()
        thread_ms = (time.thread_time_ns() - thread_ns) * 1e-6
        yield (
            {
                NETWORK: network_ms,
                FRAME: (done_ns - begin_ns) * 1e-6 - network_ms,
                MESSAGE: (sent_ns - done_ns) * 1e-6,
                PROCESSOR: thread_ms - network_thread_ms,
            },
            result,
        )


def _print(rows: Sequence[dict[str, float]], stages: Sequence[Mapping[str, float]]) -> int:
    network = np.array([row[NETWORK] for row in rows])
    beyond = np.array([row[FRAME] + row[MESSAGE] for row in rows])
    print(f"{len(rows)} frames, in ms: median, 99th percentile")
    for name, values in (
        ("network", network),
        ("beyond the network", beyond),
        ("  processor time of it", np.array([row[PROCESSOR] for row in rows])),
        ("  of these, the message", np.array([row[MESSAGE] for row in rows])),
    ):
        print(f"  {name:<26}{np.median(values):8.2f}{np.percentile(values, 99):8.2f}")
    print("stages, the network's share included")
    for stage in sorted({s for latency in stages for s in latency}):
        values = np.array([latency[stage] for latency in stages if stage in latency])
        print(f"  {stage:<26}{np.median(values):8.2f}{np.percentile(values, 99):8.2f}")
    print(f"beyond / network: {np.median(beyond) / max(1e-9, np.median(network)):.3f}")
    good = np.median(beyond) <= MEDIAN_GOAL_MS and np.percentile(beyond, 99) <= P99_GOAL_MS
    print(f"goal: {MEDIAN_GOAL_MS:g} and {P99_GOAL_MS:g} ms: {'reached' if good else 'missed'}")
    return 0 if good else 1


def _scaled(event: Event, width_px: int) -> Event:
    if not isinstance(event, Frame) or event.image is None:
        return event
    height, width = event.image.shape[:2]
    size = (width_px, round(height * width_px / width))
    small = cv2.resize(event.image, size, interpolation=cv2.INTER_AREA)
    return dataclasses.replace(event, image=np.asarray(small, np.uint8))
