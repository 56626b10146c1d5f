"""Run what cannot be interrupted where it can be left behind.

A request in curl's hands does not hear Ctrl-C before its timeout. In a thread of its own, it is the thread that
waits for it, and who called can leave at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """One thread that does one job after the other, and does not keep the program from ending."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def run(self, job: Callable[[], T]) -> T:
        """Do a job in the thread, and return or raise what it did.

        Raises:
            KeyboardInterrupt: Ctrl-C, at once; the job is left to its fate.
        """
        future: Future[T] = Future()
        self._jobs.put((future, job))
        return future.result()

    def _work(self) -> None:
        while True:
            future, job = self._jobs.get()
            try:
                future.set_result(job())
            except BaseException as error:  # It is raised again where it belongs.
                future.set_exception(error)
