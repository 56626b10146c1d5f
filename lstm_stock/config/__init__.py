"""YAML to a frozen, typed `Config`, every fault with its line.

- `load`: reads a file and overrides into a `Config`; the packaged configs.
- `schema`: `Config` and its JSON Schema. `sections`: its sections. `fields`: the types of single settings.
- `registry`, `cells`, `heads`, `features`: the names that a config may choose from.
- `size`: the number of parameters of a network.
- `tickers`: ticker names and files of them.
- `raw`: settings as the user gave them, with their lines. `yaml_reader`, `yaml_writer`: YAML text.

Nothing here imports numpy.
"""

from lstm_stock.config.load import (
    dump_yaml,
    load_config,
    load_saved_config,
    packaged_config,
    packaged_config_names,
)
from lstm_stock.config.schema import Config, json_schema, require_market
from lstm_stock.config.sections import (
    CalibrationName,
    CellName,
    DataConfig,
    EarlyStoppingConfig,
    FeatureName,
    HeadName,
    ModelConfig,
    MonitorName,
    ReduceLrConfig,
    ScalerName,
    SplitConfig,
    TargetName,
    TargetScaleName,
    TrainingConfig,
    WindowConfig,
)
from lstm_stock.config.tickers import normalise_ticker

__all__ = [
    "CalibrationName",
    "CellName",
    "Config",
    "DataConfig",
    "EarlyStoppingConfig",
    "FeatureName",
    "HeadName",
    "ModelConfig",
    "MonitorName",
    "ReduceLrConfig",
    "ScalerName",
    "SplitConfig",
    "TargetName",
    "TargetScaleName",
    "TrainingConfig",
    "WindowConfig",
    "dump_yaml",
    "json_schema",
    "load_config",
    "load_saved_config",
    "normalise_ticker",
    "packaged_config",
    "packaged_config_names",
    "require_market",
]
