"""Import TensorFlow without its start-up log lines, and on one thread where several processes share the cores.

Importing this module imports neither Keras nor TensorFlow; its functions do.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from contextlib import suppress


def load_tensorflow() -> None:
    """Import Keras and TensorFlow without their start-up log lines, with a thread more than there are cores.

    The training step keeps every core busy with one operation each; the thread more runs what lies between them.
    """
    _import_quietly()
    _set_threads(0, n_cores() + 1)


def _import_quietly() -> None:
    """Import Keras and TensorFlow without the log lines that their C++ code writes to stderr.

    TensorFlow writes them before it reads any setting that could silence them, so stderr is redirected to a file
    during the import. If the import fails, the file is printed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # The only backend that is installed with this package.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TensorFlow warns a process that traces many networks.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if sys.stderr is None:
        import keras

        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        os.dup2(log.fileno(), 2)
        failed = True
        try:
            import keras  # noqa: F401

            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                log.seek(0)
                print(log.read().decode(errors="replace"), file=sys.stderr)


def n_cores() -> int:
    """Return how many cores this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def _set_threads(within_operation: int, between_operations: int) -> None:
    """Set how many threads share an operation, and how many run operations; 0 is one for each core."""
    import tensorflow as tf

    with suppress(RuntimeError):  # raised once TensorFlow has computed something
        tf.config.threading.set_intra_op_parallelism_threads(within_operation)
        tf.config.threading.set_inter_op_parallelism_threads(between_operations)


def load_single_threaded_tensorflow() -> None:
    """Import TensorFlow with one thread, for a process that shares its cores with others.

    Results are equal to the bit only between processes with the same number of threads, which may change the last
    bits of a sum. A process in which TensorFlow has computed already keeps its threads.
    """
    # By default TensorFlow reserves all memory of a GPU; several processes may share one.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    _import_quietly()
    _set_threads(1, 1)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
