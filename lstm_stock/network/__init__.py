"""The Keras side: a cell that maps windows to one vector under a head that outputs a distribution.

- `build`: the Keras model of an `Architecture`. `architecture`: its settings. `cells/`: one file per cell.
- `heads`: from the vector to a distribution, and the loss. `token`, `sampling`: the language model of returns.
- `training`: fit a network. `batches`, `callbacks`, `checkpoints`: its parts.
- `tensorflow_setup`: import TensorFlow.

Importing this package does not import Keras. Nothing here reads prices, splits or scores.
"""
