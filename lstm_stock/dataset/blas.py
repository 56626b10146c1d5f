"""BLAS on one thread: the same bits for any number of cores, and faster, since the matrices of a fit are small."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS, in this process, computes on one thread.

    Several threads add in an order that depends on their number, and the optimiser of a GARCH stops elsewhere.
    """
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@lru_cache(maxsize=1)  # finding the libraries of the process takes longer than a small fit
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - loads its own BLAS, which the controller must find
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
