"""Finds the scheduler and its workers, and lets only those work that are as they must be."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import distributed
from distributed.comm.core import CommClosedError

from maps.cluster.environment import Environment, difference, environment
from maps.cluster.workbench import Job, Workbench, refusal
from onboard.errors import InputError

Client = Any  # Dask's own types say nothing of most calls
CONNECT_S = 8.0  # a scheduler in the same network answers within 0.1 s
FIRST_WORKER_S = 20.0  # workers may just be starting
GOES_ON = "give the same command again, it goes on from the finished cells in the store"
LOST = f"the scheduler was lost; start it, then {GOES_ON}"


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """address: as tcp://host:8786. Raises InputError: nobody there, another Dask or Pilotage
    on the scheduler; within: it was lost."""
    parts = urlsplit(address)
    try:
        good = parts.scheme in ("tcp", "tls", "ucx", "ws", "wss") and parts.hostname and parts.port
    except ValueError:
        good = False
    if not good:
        raise InputError(f"--cluster {address}: write it as tcp://HOST:8786")
    _quiet()
    try:
        make: Any = distributed.Client
        client: Client = make(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as e:
        raise InputError(
            f"--cluster {address}: no scheduler answers there within {CONNECT_S:.0f} s; start one "
            "with 'dask scheduler', or correct the address"
        ) from e
    except (ValueError, ImportError, RuntimeError) as e:
        raise InputError(
            f"--cluster {address}: what answers there cannot be spoken to ({_first_line(e)}); "
            "give the scheduler the same versions of dask and distributed as here"
        ) from e
    try:
        _check_scheduler(client, address)
        yield client
    except CommClosedError as e:
        raise InputError(LOST) from e
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            client.close(timeout=2)


def check_workers(client: Client, job: Job) -> int:
    """The number of workers there. Raises InputError naming the first that may not work on the
    job, or when there is none."""
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER_S)
    except TimeoutError as e:
        address = client.scheduler.address
        raise InputError(
            f"--cluster {address}: the scheduler has no workers; start some with "
            f"'dask worker {address} --nthreads 1', one for each core"
        ) from e
    environments = client.run(environment, on_error="return")
    for worker, theirs in sorted(environments.items()):
        if not isinstance(theirs, Environment):
            raise InputError(_without_pilotage(_name(client, worker), theirs))
        other = difference(theirs, environment())
        if other is not None:
            raise InputError(f"{_name(client, worker)} {other}; give all the same")
    for worker, reason in sorted(client.run(refusal, job, on_error="return").items()):
        if reason is not None:
            raise InputError(f"{_name(client, worker)} {reason}")
    return len(environments)


def odd_processors(client: Client) -> set[str]:
    """The workers' kinds of processor and this one's, where there are several: their last bits
    may differ."""
    kinds = {e.processor for e in client.run(environment).values()} | {environment().processor}
    return kinds if len(kinds) > 1 else set()


@contextlib.contextmanager
def made_ready(client: Client, job: Job) -> Iterator[None]:
    """Every worker has the job's workbench, also those that join later."""
    client.register_plugin(Workbench(job), name=job.name)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.unregister_worker_plugin(job.name)


def _quiet() -> None:
    """What Dask would log on losing a worker or the scheduler is said here, in one sentence."""
    for name in [*logging.root.manager.loggerDict]:
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _check_scheduler(client: Client, address: str) -> None:
    try:
        theirs = client.run_on_scheduler(environment)
    except Exception as e:  # whatever was raised over there
        raise InputError(_without_pilotage(f"the scheduler at {address}", e)) from e
    other = difference(theirs, environment())
    if other is not None:
        raise InputError(f"the scheduler at {address} {other}; give all the same")


def _without_pilotage(name: str, error: object) -> str:
    if "ModuleNotFoundError" in repr(error) or isinstance(error, ImportError):
        return (
            f"{name} lacks a package of this Pilotage ({_first_line(error)}); install the same "
            "Pilotage there: in its folder, pip install -e '.[maps,cluster,opencv]'"
        )
    return f"{name} cannot work for this Pilotage ({_first_line(error)}); install the same there"


def _name(client: Client, worker: str) -> str:
    known = client.scheduler_info(n_workers=-1)["workers"].get(worker, {})
    return f"worker {known.get('name', worker)} on {known.get('host', worker)}"


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [repr(error)])[0]
