"""Settings of TensorFlow for the tests of this folder."""

from __future__ import annotations

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def without_graph_optimizer():
    """Skip the graph optimizer, which takes longer than it saves for networks as small as these."""
    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})
