"""TensorFlow's manners: loaded without its greeting, and kept to one thread where many processes work.

Nothing here is imported by `--help`: TensorFlow itself loads only when a function is called.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from contextlib import suppress


def load_tensorflow() -> None:
    """Import Keras and TensorFlow without the greeting that their C++ code writes to stderr.

    The greeting comes before TensorFlow reads any setting that could silence it, so stderr is held back while
    the import lasts, and shown after all if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Another backend that the user has set for other work of theirs is not installed with this package.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Each network is a function of its own to TensorFlow, which warns a process that trains many of them.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if sys.stderr is None:
        import keras

        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        failed = True
        try:
            import keras  # noqa: F401

            failed = False
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            if failed:
                held_back.seek(0)
                print(held_back.read().decode(errors="replace"), file=sys.stderr)


def load_single_threaded_tensorflow() -> None:
    """Import TensorFlow for a process that shares its cores with others like it: one thread for everything.

    The number of threads may change the last bits of a sum, so results are equal to the bit only where it is.
    A process in which TensorFlow has computed already keeps the threads it has.
    """
    # Several processes on one GPU: none may take all of its memory at once, as TensorFlow does by default.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    load_tensorflow()
    import tensorflow as tf

    with suppress(RuntimeError):  # TensorFlow's answer once it has computed something
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
