"""Many independent calls on several workers: joblib, on processes of this machine or on a cluster it is handed.

Nothing here knows what is called. A call must be a function of a module and arguments that can be sent to another
process; results come back in the order in which they are done.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal, TypeVar

from lstm_stock.atomic import write_file
from lstm_stock.errors import ConfigError

BackendName = Literal["loky", "dask", "ray"]

CONNECT_SECONDS = 10
"""How long the scheduler of a cluster may take to answer."""

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True)
class Engine:
    """Who does the work.

    Attributes:
        backend: `loky` is processes of this machine; `dask` and `ray` are those engines.
        jobs: Workers to start here; a cluster that runs already has as many as it has.
        cluster: Address of a running cluster, for `dask` and `ray`; None starts one on this machine.
    """

    backend: BackendName
    jobs: int
    cluster: str | None = None


def n_cores() -> int:
    """Return how many cores this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def run_calls(engine: Engine, function: Callable[[A], T], arguments: Iterable[A]) -> Generator[T]:
    """Call `function` with each argument and yield the results as they come, in no order.

    Arguments are drawn from the iterable as workers get free. No call runs in this process or in a thread of a
    cluster's worker, but in a process that does nothing else: the threads of a cluster's worker draw from Python's
    random numbers, too, and would change those that a call has seeded. The first exception of a call ends all, and
    so does closing the iterator.

    Raises:
        ConfigError: The backend is not installed, its cluster does not answer, or a worker was ended from outside.
    """
    try:
        yield from _run_calls(engine, function, arguments)
    except BrokenProcessPool as error:
        raise ConfigError(
            "a worker was ended from outside, perhaps for want of memory",
            "choose fewer `--jobs`; what is done is kept",
        ) from error


def _run_calls(engine: Engine, function: Callable[[A], T], arguments: Iterable[A]) -> Iterator[T]:
    from joblib import Parallel, delayed, effective_n_jobs

    with _started(engine) as n_jobs:
        if engine.backend == "loky" and n_jobs == 1:
            yield from _run_in_one_process(function, arguments)
            return
        if engine.backend == "loky":
            calls = (delayed(function)(argument) for argument in arguments)
        else:
            calls = (delayed(call_in_new_process)(function, argument) for argument in arguments)
        # One call at a time for each worker: what is done must be told at once, so that it can be kept.
        if engine.backend != "ray":
            yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(calls)
            return
        # Ray's backend tells nothing before all is done: as many calls as there are workers, then the next.
        while wave := list(islice(calls, effective_n_jobs(n_jobs))):
            yield from Parallel(n_jobs=n_jobs, batch_size=1)(wave)


def _run_in_one_process(function: Callable[[A], T], arguments: Iterable[A]) -> Iterator[T]:
    """Make the calls one after another in one process beside this one; joblib would make them in this one."""
    from joblib.externals.loky import ProcessPoolExecutor

    executor: Any = ProcessPoolExecutor(max_workers=1, initializer=_become_worker, initargs=(os.getpid(),))
    try:
        for argument in arguments:
            yield executor.submit(function, argument).result()
    finally:
        executor.shutdown(kill_workers=True)


def call_in_new_process(function: Callable[[A], T], argument: A) -> T:
    """Call `function` in a process that is started for this call; what it raises is raised here.

    A plain one: the workers of a cluster may be daemons, which `multiprocessing` forbids to have children.

    Raises:
        RuntimeError: The process ended without an answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "question", Path(folder) / "answer"
        question.write_bytes(bytes(ForkingPickler.dumps((function, argument))))
        code = f"from {__name__} import answer_call; answer_call({str(folder)!r}, {os.getpid()})"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if not answer.exists():
            raise RuntimeError(f"a worker ended with {ended.returncode}: {ended.stderr[-2000:]}")
        result: T | Exception = ForkingPickler.loads(answer.read_bytes())
    if isinstance(result, Exception):
        raise result
    return result


def answer_call(folder: str, parent: int) -> None:
    """Be the process that `call_in_new_process` starts: read the call from `folder`, write the answer there."""
    _become_worker(parent)
    function, argument = ForkingPickler.loads((Path(folder) / "question").read_bytes())
    try:
        result = function(argument)
    except Exception as error:
        result = error
    write_file(Path(folder) / "answer", bytes(ForkingPickler.dumps(result)), fsync=False)


@contextmanager
def _started(engine: Engine) -> Iterator[int]:
    """Connect to the engine for as long as this lasts; gives the `n_jobs` to ask joblib for."""
    from joblib import parallel_config

    if engine.cluster is not None and engine.backend == "loky":
        raise ConfigError(
            f"a cluster ({engine.cluster}) needs a backend that has clusters", "add `--backend dask` or `ray`"
        )
    with ExitStack() as stack:
        n_jobs = engine.jobs
        settings: dict[str, Any] = {}
        if engine.backend == "loky":
            settings = {"initializer": _become_worker, "initargs": (os.getpid(),)}
        elif engine.backend == "dask":
            stack.enter_context(_dask_client(engine))
            n_jobs = -1  # as many as the cluster has
        else:
            stack.enter_context(_ray(engine))
            n_jobs = -1
        stack.enter_context(parallel_config(backend=engine.backend, **settings))
        yield n_jobs


def _become_worker(parent: int) -> None:
    """Leave Ctrl-C to the process that started this one, and end soon after that one ends, however it does."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask_client(engine: Engine) -> Iterator[Any]:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise _missing("dask") from error
    with ExitStack() as stack:
        address: Any = engine.cluster
        if address is None:
            local = distributed.LocalCluster(
                n_workers=engine.jobs,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.ERROR,
            )
            address = stack.enter_context(local)
        try:
            client = distributed.Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise _no_answer(engine, error) from error
        yield stack.enter_context(client)


@contextmanager
def _ray(engine: Engine) -> Iterator[None]:
    try:
        ray: Any = import_module("ray")
        ray_joblib: Any = import_module("ray.util.joblib")
    except ImportError as error:
        raise _missing("ray") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if engine.cluster is None:
            ray.init(num_cpus=engine.jobs, include_dashboard=False, **quiet)
        else:
            ray.init(address=engine.cluster, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise _no_answer(engine, error) from error
    try:
        ray_joblib.register_ray()
        yield
    finally:
        ray.shutdown()


def _missing(backend: str) -> ConfigError:
    return ConfigError(
        f"`--backend {backend}` needs {backend}, which is not installed",
        f"`pip install 'lstm-stock[{backend}]'`, or leave `--backend` out to use this machine's cores",
    )


def _no_answer(engine: Engine, error: Exception) -> ConfigError:
    reason = " ".join(str(error).split())[:200]
    return ConfigError(
        f"the {engine.backend} cluster {engine.cluster or 'on this machine'} cannot be used: {reason}",
        "check its address and that it runs, or leave `--cluster` out to start one on this machine",
    )
