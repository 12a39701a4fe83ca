"""Feeds a target with altered samples until the time is up, and keeps what makes it raise.

    python tests/fuzz/fuzz_camera_file.py --seconds 60 --seed 1 --crashes DIR

With `atheris` installed (extra `fuzz`) its coverage guides the search (`--atheris`); else samples
are cut, joined, flipped and strewn with telling bytes. A crash is written to DIR, printed, and
the exit status is 1. Targets raise nothing for whatever bytes they get; what the product raises
on purpose (InputError, ...) they catch themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

Target = Callable[[bytes], None]

TELLING = (
    *(b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80", b"\n", b"=", b'"'),
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"9" * 400, b"\xc3\x28", b"\xf0\x9f\x98\x80", b"["),
    *(b"{", b"true", b"<", b">", b"&", b"../", b"%s", b" ", b",", b"-0.0", b"1e-320"),
)
MOST_STEPS = 8  # alterations of one sample
MOST_BYTES = 200_000
MOST_MIB = 3072  # of the whole process, under atheris
# An input that takes longer is a finding too: a flight can't wait. Of the processor's time, as a
# machine may be busy with other things; whoever waits for something else may do so for longer.
SLOW_S, LONG_S = 5.0, 60.0
REPORT_S = 60.0


def fuzz(target: Target, samples: Sequence[bytes], tokens: Sequence[bytes] = ()) -> int:
    """Called by a fuzz_*.py as its main. tokens: words that the format knows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"))
    parser.add_argument("--atheris", action="store_true", help="guided by coverage")
    parser.add_argument("--replay", type=Path, help="one saved input instead")
    args = parser.parse_args()
    if args.replay:
        target(args.replay.read_bytes())
        print("no crash")
        return 0
    if args.atheris:
        return _with_atheris(target, samples, args)
    return _run(target, list(samples), [*TELLING, *tokens], args)


def _run(
    target: Target, samples: list[bytes], tokens: list[bytes], args: argparse.Namespace
) -> int:
    rng = random.Random(args.seed)
    found: set[str] = set()
    start = reported = time.monotonic()
    runs = 0
    while (now := time.monotonic()) - start < args.seconds:
        data = samples[runs] if runs < len(samples) else altered(rng, samples, tokens)
        runs += 1
        problem = _try(target, data)
        if problem:
            kind = "\n".join(problem.strip().splitlines()[-4:])[:400]
            if kind not in found:
                found.add(kind)
                args.crashes.mkdir(parents=True, exist_ok=True)
                path = args.crashes / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
                path.write_bytes(data)
                print(f"CRASH {path}\n{problem}", flush=True)
        if now - reported > REPORT_S:
            reported = now
            print(f"{runs} executions, {len(found)} kinds of crash", flush=True)
    seconds = time.monotonic() - start
    print(f"{Path(sys.argv[0]).stem}: {runs} executions in {seconds:.0f} s, {len(found)} crashes")
    return 1 if found else 0


def _try(target: Target, data: bytes) -> str:
    """The traceback, or what else went wrong; '' when all is well."""
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    try:
        target(data)
    except Exception:
        return traceback.format_exc()
    took_s, cpu_s = time.monotonic() - start_s, time.process_time() - start_cpu_s
    return f"took {cpu_s:.1f} s" if cpu_s > SLOW_S or took_s > LONG_S else ""


def altered(rng: random.Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A sample after a few random alterations."""
    data = bytearray(rng.choice(samples))
    for _ in range(rng.randint(1, MOST_STEPS)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.choice((1, 2, 4, 16, 64, 1024)))
        step = rng.randrange(8)
        if step == 0:
            data[at:end] = rng.randbytes(end - at)
        elif step == 1:
            data[at:at] = rng.choice(tokens)
        elif step == 2:
            data[at:end] = rng.choice(tokens)
        elif step == 3:
            del data[at:end]
        elif step == 4:
            data[at:at] = data[at:end] * rng.choice((1, 2, 50))
        elif step == 5:
            other = rng.choice(samples)
            cut = rng.randint(0, len(other))
            data[at:] = other[cut:]
        elif step == 6 and data:
            i = rng.randrange(len(data))
            data[i] ^= 1 << rng.randrange(8)
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data[:MOST_BYTES])


def _with_atheris(target: Target, samples: Sequence[bytes], args: argparse.Namespace) -> int:
    import atheris

    args.crashes.mkdir(parents=True, exist_ok=True)
    corpus = Path(tempfile.mkdtemp())
    for number, sample in enumerate(samples):
        (corpus / str(number)).write_bytes(sample)
    atheris.instrument_all()
    limits = (f"-max_len={MOST_BYTES}", f"-timeout={LONG_S:.0f}", f"-rss_limit_mb={MOST_MIB}")
    place = (f"-artifact_prefix={args.crashes}/", f"-seed={args.seed + 1}", str(corpus))
    atheris.Setup([sys.argv[0], f"-max_total_time={args.seconds:.0f}", *limits, *place], target)
    atheris.Fuzz()
    return 0
