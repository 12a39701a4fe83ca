"""How much faster two workers make a map than one, on this machine.

python -m tools.map.cluster_bench            # made-up imagery
python -m tools.map.cluster_bench banepa     # or any that 'map build' takes

Each worker is a process of one thread. Efficiency is T1 / (2 T2), from the best of a few
runs in turn; it means something on a machine with two free cores. The same of processor time,
with the busier worker's as T2, leaves waiting out and holds on a busy machine, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import distributed
import numpy as np

from maps.cells.lay import LayTask, lay_task
from maps.cells.recipe import Opened, Recipe, open_recipe
from maps.cells.run_here import Tally
from maps.cells.store import CellStore
from maps.cells.update import begin_update, end_update
from maps.cluster.run_there import cluster_at
from maps.estimate import measure_described_per_s
from maps.plan import parse_levels
from maps.provenance import Provenance, imagery_sources
from maps.sources.open_imagery import open_imagery
from onboard.errors import InputError
from onboard.messages import TILE_PX
from onboard.model_bundle import load_bundle
from onboard.pack.pack_manifest import PackModel

GOAL = 0.85
CELLS, PATCH_TILES = 12, 8  # made-up imagery: so many cells with so many tiles to a side
FIRST_TILE = (32 * 6000 + 8, 32 * 3000 + 8)  # of level 18, in the first cell's middle


def write_patches(folder: Path) -> Path:
    """An XYZ folder of level 18 with a textured patch in the middle of each of a row of cells."""
    random = np.random.default_rng(1)
    noise = random.normal(size=(PATCH_TILES * TILE_PX,) * 2 + (3,)).astype(np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 30, 225, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    picture = smooth.astype(np.uint8)
    for cell in range(CELLS):
        for i in range(PATCH_TILES):
            column = folder / "18" / str(FIRST_TILE[0] + 32 * cell + i)
            column.mkdir(parents=True)
            for j in range(PATCH_TILES):
                tile = picture[j * TILE_PX : (j + 1) * TILE_PX, i * TILE_PX : (i + 1) * TILE_PX]
                turned = np.ascontiguousarray(np.rot90(tile, cell))
                cv2.imwrite(str(column / f"{FIRST_TILE[1] + j}.jpg"), turned)
    return folder


def opened_imagery(paths: list[Path], levels: tuple[int, ...]) -> Opened:
    bundle = load_bundle()
    inputs = tuple(paths)
    recipe = Recipe(
        inputs=inputs,
        crs=None,
        levels=levels,
        area_wkt=None,
        imagery=imagery_sources(inputs, open_imagery(inputs), Provenance()),
        model=PackModel(bundle.id, bundle.sha256, bundle.descriptor_dim),
        model_folder=bundle.path,
    )
    return open_recipe(recipe)


def timed(
    workers: int, opened: Opened, tasks: list[LayTask], folder: Path
) -> tuple[float, float, Tally]:
    """Seconds from the first task to the last, and of the busiest worker's processor; workers
    already know the model and the files."""
    make: Any = distributed.LocalCluster
    meet: Any = distributed.Client
    with make(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        protocol="tcp",
        dashboard_address=None,
        env={"OMP_NUM_THREADS": "1"},
    ) as cluster:
        store = CellStore(str(folder))
        with (
            store.locked(),
            cluster_at(cluster.scheduler_address, opened, store, tasks) as run,
        ):
            begin_update(store, opened, False)
            client = meet(cluster)
            before = client.run(time.process_time)
            begin = time.perf_counter()
            tally = run()
            seconds = time.perf_counter() - begin
            after = client.run(time.process_time)
            client.close()
            end_update(store, opened, tally.laid)
    return seconds, max(after[worker] - before[worker] for worker in before), tally


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("imagery", nargs="*", type=Path)
    parser.add_argument("--levels", default="17-18")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    best: dict[int, float] = {}
    busiest: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="pilotage-") as name:
        paths = args.imagery or [write_patches(Path(name) / "xyz")]
        opened = opened_imagery(paths, parse_levels(args.levels))
        tasks = [lay_task(opened, cell) for cell in opened.cells()]
        bare = measure_described_per_s(opened.bundle)
        print(f"{len(tasks)} cells; the bare network does {bare.value:.1f} tiles/s on a core")
        for number in range(args.runs):
            for workers in (1, 2):
                folder = Path(name) / f"store{number}-{workers}"
                seconds, cpu_s, tally = timed(workers, opened, tasks, folder)
                best[workers] = min(seconds, best.get(workers, seconds))
                busiest[workers] = min(cpu_s, busiest.get(workers, cpu_s))
                rate = tally.described / seconds
                print(f"{workers} workers: {tally.described} tiles in {seconds:.1f} s, "
                      f"{rate:.1f} tiles/s, {cpu_s:.1f} s of the busiest worker's processor",
                      flush=True)  # fmt: skip
    efficiency = best[1] / (2 * best[2])
    print(
        f"efficiency {efficiency:.2f} (goal {GOAL}), "
        f"{busiest[1] / (2 * busiest[2]):.2f} of processor time"
    )
    return 0 if efficiency >= GOAL else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as e:
        sys.exit(str(e))
