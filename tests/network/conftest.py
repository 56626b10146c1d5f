"""Settings of TensorFlow for the tests of this folder."""

from __future__ import annotations

import pytest

from tests import reused_networks


@pytest.fixture(autouse=True, scope="module")
def without_graph_optimizer():
    with reused_networks.without_graph_optimizer():
        yield
