"""The prices on disk: one Parquet file per ticker, with its provenance inside.

A file is whole or absent: it is written beside its final place, flushed to the disk and renamed, under a lock
that other processes honour. What is read is checked against the hash it was written with. Nothing here fetches.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from lstm_stock.config import normalise_ticker
from lstm_stock.errors import DataError
from lstm_stock.prices import COLUMNS, PriceHistory, Provenance, price_table, table_hash, validate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from filelock import BaseFileLock

_METADATA_KEY = b"lstm_stock"
_FORMAT = 2
_READABLE_FORMATS = (1, 2)
_SUFFIX = ".parquet"
_RESERVED_ON_WINDOWS = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?")
_LOCK_SECONDS = 30.0


class Store:
    """Prices under `root/prices`.

    Args:
        root: The data folder; made at the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "prices"
        self._locks: dict[Path, BaseFileLock] = {}

    def path(self, ticker: str) -> Path:
        """Return where a ticker's file is, or would be.

        >>> Store(Path("data")).path("^gspc").as_posix()
        'data/prices/%5EGSPC.parquet'

        Raises:
            DataError: That is no ticker.
        """
        return self._folder / (_file_stem(normalise_ticker(ticker)) + _SUFFIX)

    def tickers(self) -> list[str]:
        """Return the tickers that have a file, sorted; files of other names are not ours.

        Raises:
            DataError: The folder cannot be read.
        """
        try:
            names = [entry.name for entry in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _disk_error(f"the price store {self._folder} cannot be read", error) from error
        stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        return sorted(unquote(stem) for stem in stems if _is_our_stem(stem))

    def strangers(self) -> list[Path]:
        """Return the files in the price folder that are no prices of ours: left by a killed process, or foreign.

        Raises:
            DataError: The folder cannot be read.
        """
        ours = {self.path(ticker).name for ticker in self.tickers()} | {".locks"}
        if not self._folder.exists():
            return []
        return sorted(entry for entry in self._folder.iterdir() if entry.name not in ours)

    def read(self, ticker: str) -> PriceHistory:
        """Read one ticker's prices and check that they are what was written.

        Raises:
            DataError: The ticker is not in the store, or its file is damaged.
        """
        ticker = normalise_ticker(ticker)
        path = self.path(ticker)
        try:
            raw = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise self._missing(ticker) from None
        except OSError as error:
            raise _disk_error(f"the prices of {ticker} in {path} cannot be read", error) from error
        try:
            history = _decode(raw)
            validate(history.table, ticker)
            if history.ticker != ticker:
                raise ValueError(f"it holds the prices of {history.ticker}")
            if table_hash(history.table) != history.provenance.hash:
                raise ValueError("the prices are not those that were written: their hash differs")
        except (ValueError, TypeError, DataError) as error:
            reason = error.message if isinstance(error, DataError) else " ".join(str(error).split())[:200]
            raise DataError(
                f"the file {path} is damaged or not of this program: {reason}",
                f"`lstm-stock fetch {ticker} --refresh` writes it anew",
            ) from error
        return history

    def write(self, history: PriceHistory) -> None:
        """Write one ticker's prices in place of what the store has of it; whole or not at all.

        Raises:
            DataError: The table is not valid or has no rows, or the disk refuses. The store is then as before.
            ValueError: The provenance's hash is not the table's.
        """
        ticker = normalise_ticker(history.ticker)
        path = self.path(ticker)
        validate(history.table, ticker)
        if history.provenance.hash != table_hash(history.table):
            raise ValueError(f"the provenance of {ticker} has the hash of another table")
        content = _encode(PriceHistory(ticker, history.table, history.provenance))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._lock(path):
                _replace(path, content)
        except OSError as error:
            raise _disk_error(f"the prices of {ticker} cannot be written to {self._folder}", error) from error

    @contextlib.contextmanager
    def locked(self, ticker: str, seconds: float) -> Iterator[None]:
        """Keep other processes from writing a ticker between a read and a write of ours.

        Args:
            ticker: Other tickers are not locked.
            seconds: How long to wait for another process.

        Raises:
            DataError: Another process has the lock all that time, or the folder cannot be written to.
        """
        path = self.path(ticker)
        folders = (self._folder / ".locks", self._folder, self.root)
        new = [folder for folder in folders if not folder.exists()]
        with contextlib.ExitStack() as stack:
            # When it is over, and nothing was written, nothing is left of it.
            stack.callback(_remove_empty, new)
            try:
                stack.enter_context(self._lock(path, seconds))
            except OSError as error:
                raise _disk_error(
                    f"the prices of {ticker} cannot be written to {self._folder}", error
                ) from error
            stack.callback(self._remove_lock_of_nothing, path)
            yield

    def _remove_lock_of_nothing(self, path: Path) -> None:
        if not path.exists():
            with contextlib.suppress(OSError):  # Where a file in use cannot be removed, it stays.
                self._lock_path(path).unlink()

    def _lock_path(self, path: Path) -> Path:
        return self._folder / ".locks" / f"{path.stem}.lock"

    @contextlib.contextmanager
    def _lock(self, path: Path, seconds: float | None = None) -> Iterator[None]:
        """Keep other processes from writing the same ticker; who has the lock already may take it once more."""
        from filelock import FileLock, Timeout

        lock = self._locks.setdefault(path, FileLock(self._lock_path(path)))
        seconds = _LOCK_SECONDS if seconds is None else seconds
        try:
            try:
                self._lock_path(path).parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=seconds)
            except (
                FileNotFoundError
            ):  # Another process, whose fetch failed, has just removed the empty folder.
                self._lock_path(path).parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=seconds)
        except Timeout as error:
            raise DataError(
                f"another process has been writing {path} for over {seconds:.0f} s",
                "wait until it is done, or end it",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _missing(self, ticker: str) -> DataError:
        known = self.tickers()
        near = get_close_matches(ticker, known, n=3)
        if near:
            rest = f"; did you mean {' or '.join(near)}?"
        elif known:
            rest = f"; it has {', '.join(known[:5])}" + (
                f" and {len(known) - 5} more" if len(known) > 5 else ""
            )
        else:
            rest = ", which is empty"
        return DataError(
            f"{ticker} is not in the price store {self._folder}{rest}",
            f"`lstm-stock fetch {ticker}` brings it; `--data-dir` or LSTM_STOCK_DATA chooses another store",
        )


def _file_stem(ticker: str) -> str:
    """Write a ticker so that every file system takes it; `unquote` is the way back."""
    stem = quote(ticker, safe="")
    # Windows takes CON.parquet for a device.
    return f"%{ord(stem[0]):02X}{stem[1:]}" if _RESERVED_ON_WINDOWS.fullmatch(stem) else stem


def _is_our_stem(stem: str) -> bool:
    try:
        return _file_stem(normalise_ticker(unquote(stem))) == stem
    except DataError:
        return False


def _encode(history: PriceHistory) -> bytes:
    """Turn prices into the bytes of a Parquet file; `date` is of Parquet's own type for days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = history.table
    days = pa.array(table.index.to_numpy().astype("datetime64[D]"), type=pa.date32())
    facts = {"format": _FORMAT, "ticker": history.ticker, **asdict(history.provenance)}
    arrow = pa.table({"date": days, **{name: pa.array(table[name].to_numpy()) for name in COLUMNS}})
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({_METADATA_KEY: json.dumps(facts)}), buffer)
    return buffer.getvalue()


def _decode(raw: bytes) -> PriceHistory:
    """Read the bytes of a Parquet file without pandas' help, whose metadata and types change with versions.

    Raises:
        ValueError: It is no Parquet file, or not one of ours.
        TypeError: Its provenance lacks something, or has too much.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(pa.BufferReader(raw))
        return _from_arrow(arrow)
    except (pa.ArrowException, OSError) as error:  # OSError: a page of the file cannot be decompressed.
        raise ValueError(str(error)) from error


def _from_arrow(arrow: pa.Table) -> PriceHistory:
    if sorted(arrow.column_names) != sorted(("date", *COLUMNS)):
        raise ValueError(f"its columns are `{' '.join(arrow.column_names)}`")
    facts = json.loads((arrow.schema.metadata or {}).get(_METADATA_KEY, b"null"))
    if not isinstance(facts, dict) or not isinstance(facts.get("ticker"), str):
        raise ValueError("it does not say where its prices come from")
    if facts.pop("format", None) not in _READABLE_FORMATS:
        raise ValueError("it was written by a newer version")
    ticker = facts.pop("ticker")
    for name in ("asked_again", "notes"):  # Format 1 had none of them.
        lines = facts.get(name, [])
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"its `{name}` are no list of lines")
        facts[name] = tuple(lines)
    return PriceHistory(ticker, _to_table(arrow), Provenance(**facts))


def _to_table(arrow: pa.Table) -> pd.DataFrame:
    import pyarrow as pa

    kind = arrow["date"].type
    if not pa.types.is_date(kind) and not (pa.types.is_timestamp(kind) and kind.tz is None):
        raise ValueError(f"its dates are of type {kind}")
    columns: dict[str, Any] = {name: arrow[name].cast(pa.float64()).to_numpy() for name in COLUMNS}
    return price_table(arrow["date"].cast(pa.timestamp("s")).to_numpy(), columns)


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in place of a file, or leave all as it was; the lock must be held.

    The temporary file has one fixed name, so that what a killed process left is written over by the next.
    Tickers have no `~`, and the suffix is not Parquet's: it is never taken for data.
    """
    temporary = path.with_name(f".{path.stem}~.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # The rename itself is on the disk only once the folder is.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _disk_error(what: str, error: OSError) -> DataError:
    return DataError(
        f"{what}: {error.strerror or error}",
        "free space or rights there, or choose another folder with `--data-dir` or LSTM_STOCK_DATA",
    )
