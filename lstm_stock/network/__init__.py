"""The Keras side: networks that map windows to forecast distributions.

- `architecture`: the settings of a network. `build`: its Keras model. `cells/`: one file or folder per cell.
- `heads`: the outputs per step, their loss and their distribution. `forecast`: forecasts of a trained network.
- `training`: train a network. `batches`, `callbacks`, `checkpoints`, `interrupt`: its parts.
- `tensorflow_setup`: import TensorFlow.

Importing this package does not import Keras. Nothing here reads prices, splits or scores.
"""
