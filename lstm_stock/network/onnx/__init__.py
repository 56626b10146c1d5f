"""The network as an ONNX file, which forecasts without Keras and TensorFlow.

- `session`: forecast with such a file. `plain`: refuse a file that is more than a network of standard operators.
- `export`: write one from a Keras network, and compare both. `graph`: nodes and constants of an ONNX graph.
  `layers`, `recurrent`: the ONNX nodes of each layer.

`session` and `plain` import neither Keras nor the package `onnx`.
"""
