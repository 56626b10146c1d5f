"""Daily bars: where they come from, how they are stored, and when exchanges trade.

- `table`: what a price table is. `store`: one Parquet file per ticker. `parquet`: the file format.
- `sources`: where prices come from: `yahoo/`, `csv/`, the sample. `retry`: repeated requests.
- `update`: fetch into the store. `incremental`: which dates to ask for, and how to append them.
- `calendars`: sessions of exchanges. `quality`: warnings about odd bars. `reader`: bars in a config's range.
"""
