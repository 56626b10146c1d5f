"""Daily bars: sources, store, calendars of exchanges.

- `table`: what a price table is. `store`: one Parquet file per ticker. `parquet`: the file format.
- `sources`: the registry of sources. `fetch`: bars from a source: `yahoo/`, `csv/`, the sample. `retry`: retries.
- `update`: fetch into the store. `incremental`: which dates to fetch, and how to append them.
- `calendars`: sessions of exchanges. `built_calendars`: builds them once. `quality`: warnings.
- `reader`: bars in a config's range.
"""
