"""Independent calls on several workers: loky processes of this machine, or a Dask cluster.

A call is a function of a module and one argument that can be pickled. Nothing here knows what is called.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import takewhile
from typing import Any, Literal, TypeVar

from lstm_stock.errors import ConfigError

BackendName = Literal["loky", "dask"]

CONNECT_SECONDS = 10
"""How long the scheduler of a cluster may take to answer."""

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
"""Environment of the workers: with one thread, BLAS adds in the same order on every machine."""

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True)
class Engine:
    """The workers.

    Attributes:
        backend: `loky` is processes of this machine, `dask` a Dask cluster.
        jobs: Number of workers to start; a running cluster keeps its own number.
        cluster: Address of a running Dask cluster; None starts one on this machine.
    """

    backend: BackendName
    jobs: int
    cluster: str | None = None


class WorkerKilledError(ConfigError):
    """A worker process was killed."""


def run_calls(
    engine: Engine, function: Callable[[A], T], arguments: Iterable[A], in_order: bool = False
) -> Generator[T]:
    """Call `function` with each argument; yield each result once it is there, or `in_order` of the arguments.

    Arguments are drawn from the iterable as workers get free. No call runs in this process. The first exception of
    a call ends all calls, and so does closing the generator.

    Raises:
        ConfigError: The backend is not installed, or its cluster does not answer.
        WorkerKilledError: A worker was killed.
    """
    try:
        with _started(engine) as (executor, n_workers):
            # Dask calls in a thread; threads of its own draw from Python's random numbers, which a call seeds.
            call = function if engine.backend == "loky" else partial(call_in_new_process, function)
            pending: list[Future[T]] = []
            for argument in arguments:
                pending.append(executor.submit(partial(call, argument)))
                if len(pending) == 2 * n_workers:  # a free worker finds the next call waiting
                    yield from _take_results(pending, in_order)
            while pending:
                yield from _take_results(pending, in_order)
    except BrokenProcessPool as error:
        raise WorkerKilledError(
            "a worker process was killed, perhaps because memory ran out",
            "choose fewer `--jobs`; finished work is kept",
        ) from error


def _take_results(pending: list[Future[T]], in_order: bool) -> Iterator[T]:
    """Wait for the first call to end, or `in_order` for the oldest; remove and yield what there is."""
    if in_order:
        wait(pending[:1])
        done = list(takewhile(Future.done, pending))
    else:
        done = list(wait(pending, return_when=FIRST_COMPLETED).done)
    pending[:] = [future for future in pending if future not in done]
    while done:
        yield done.pop(0).result()


def call_in_new_process(function: Callable[[A], T], argument: A) -> T:
    """Call `function` in a process that is started for this call.

    Raises:
        BrokenProcessPool: The process was killed.
    """
    # `multiprocessing` allows no children to a daemon, as a Dask worker is; `_become_worker` ends this one.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    with _processes(1) as executor:
        return executor.submit(function, argument).result()


@contextmanager
def _started(engine: Engine) -> Iterator[tuple[Executor, int]]:
    """Start or connect the workers, yield them with their number, and end them."""
    if engine.backend == "dask":
        with _dask_client(engine) as client:
            executor: Executor = client.get_executor(pure=False)
            try:
                yield executor, sum(client.ncores().values())
            finally:
                executor.shutdown(wait=False)
        return
    if engine.cluster is not None:
        raise ConfigError(f"a cluster ({engine.cluster}) needs `--backend dask`", "add `--backend dask`")
    with _processes(engine.jobs) as executor:
        yield executor, engine.jobs


@contextmanager
def _processes(n: int) -> Iterator[Executor]:
    from joblib.externals.loky import ProcessPoolExecutor

    executor: Any = ProcessPoolExecutor(
        n, initializer=_become_worker, initargs=(os.getpid(),), env=ONE_THREAD
    )
    try:
        yield executor
    finally:
        executor.shutdown(kill_workers=True)


def _become_worker(parent: int) -> None:
    """Ignore Ctrl-C, and end within a second of the parent, which loky's workers survive when it is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask_client(engine: Engine) -> Iterator[Any]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "`--backend dask` needs dask, which is not installed",
            "`pip install 'lstm-stock[dask]'`, or leave `--backend` out to use this machine's cores",
        ) from error
    with ExitStack() as stack:
        address: Any = engine.cluster
        try:
            if address is None:
                local = distributed.LocalCluster(
                    n_workers=engine.jobs,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.ERROR,
                )
                address = stack.enter_context(local)
            client = stack.enter_context(distributed.Client(address, timeout=CONNECT_SECONDS))
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"the dask cluster {engine.cluster or 'on this machine'} cannot be used: {reason}",
                "check its address and that it runs, or leave `--cluster` out to start one on this machine"
                if engine.cluster
                else "leave `--backend` out to use this machine's cores without dask",
            ) from error
        yield client
