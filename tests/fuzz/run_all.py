"""Runs every fuzzer for a while and says how many inputs each tried and what broke.

    python tests/fuzz/run_all.py --minutes 30 --at-once 2 --crashes DIR

The exit status is 1 when any input broke anything; such inputs are kept in DIR/<fuzzer>, and
`python tests/fuzz/<fuzzer>.py --replay FILE` shows what they do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
GRACE_S = 600.0  # for the start, and an input that hangs is a finding too


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="for each fuzzer")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"))
    parser.add_argument("only", nargs="*", help="names, as fuzz_link (default: all)")
    args = parser.parse_args()
    known = {p.stem: p for p in sorted(HERE.glob("fuzz_*.py")) if p.stem != "fuzz_runner"}
    if unknown := [name for name in args.only if name not in known]:
        parser.error(f"no fuzzer {unknown[0]}; there are {', '.join(known)}")
    chosen = args.only or list(known)
    with ThreadPoolExecutor(max(1, args.at_once)) as pool:
        statuses = list(pool.map(lambda name: _run(known[name], args), chosen))
    broken = [name for name, status in zip(chosen, statuses, strict=True) if status]
    print(f"{len(chosen)} fuzzers, broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def _run(fuzzer: Path, args: argparse.Namespace) -> int:
    seconds = args.minutes * 60.0
    folder = args.crashes / fuzzer.stem
    command = [sys.executable, str(fuzzer), "--seconds", f"{seconds:g}", "--seed", str(args.seed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [*command, "--crashes", str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_S,
        )
    except subprocess.TimeoutExpired:
        print(f"{fuzzer.stem}: hangs on an input", flush=True)
        return 1
    crashes = [line for line in done.stdout.splitlines() if line.startswith("CRASH")]
    last = (done.stdout.strip().splitlines() or ["said nothing"])[-1]
    print("\n".join([*crashes, last if done.returncode in (0, 1) else f"died: {last}"]), flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
