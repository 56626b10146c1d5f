"""An L2 penalty that moves the weights and does not show in the loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lstm_stock")
class SilentL2(keras.regularizers.Regularizer):  # type: ignore[misc]
    """The gradient of `strength * sum(w^2)` without its value, which is always 0.

    Keras adds the penalties of the weights to `loss` and to `val_loss`. Early stopping would then choose the epoch
    with the best sum of forecast and penalty, and losses with and without a penalty would not compare. This one is
    subtracted from itself with its gradient stopped, so that training is that of the penalised loss, while what is
    written down, and what decides when to stop, is the loss of the forecast alone.
    """

    def __init__(self, strength: float) -> None:
        self.strength = float(strength)

    def __call__(self, x: Any) -> Any:
        """Return 0, with a gradient of `2 * strength * x`."""
        penalty = self.strength * ops.sum(ops.square(x))
        return penalty - ops.stop_gradient(penalty)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"strength": self.strength}
