"""The price store: one Parquet file per ticker, with its provenance inside.

Files are written atomically, under a lock that other processes honour, and checked against their hash when read.
Nothing here fetches.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from lstm_stock.atomic import write_file
from lstm_stock.config import normalise_ticker
from lstm_stock.errors import DataError
from lstm_stock.prices.parquet import decode_history, encode_history
from lstm_stock.prices.table import PriceHistory, table_hash, validate

if TYPE_CHECKING:
    import pandas as pd
    from filelock import BaseFileLock


_SUFFIX = ".parquet"
_RESERVED_ON_WINDOWS = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?")
_LOCK_SECONDS = 30.0


def data_folder(path: str | Path | None = None) -> Path:
    """Return the folder of a store: `path`, or else the environment variable `LSTM_STOCK_DATA`, or else `data`."""
    return Path(path or os.environ.get("LSTM_STOCK_DATA") or "data")


def read_bars(ticker: str, *, data_dir: str | Path | None = None) -> pd.DataFrame:
    """Return the stored daily bars of a ticker; `lstm_stock.prices`.

    Args:
        ticker: Its name, such as `AAPL`.
        data_dir: Folder of the store; None is the environment variable `LSTM_STOCK_DATA`, or `data`.

    Returns:
        One row per bar, indexed by `date` (midnight, no time zone), with the float64 columns `open high low close
        adj_close volume dividends splits`. `adj_close` is adjusted for splits and dividends, the others for
        splits; prices and `dividends` are in the currency of the ticker.

    Raises:
        DataError: The store lacks the ticker, or its file is damaged.
    """
    return Store(data_folder(data_dir)).read(ticker).table


class Store:
    """Prices under `root/prices`.

    Args:
        root: The data folder; created at the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "prices"
        self._locks: dict[Path, BaseFileLock] = {}

    def path(self, ticker: str) -> Path:
        """Return the path of a ticker's file, whether it exists or not.

        >>> Store(Path("data")).path("^gspc").as_posix()
        'data/prices/%5EGSPC.parquet'

        Raises:
            DataError: The name is no ticker.
        """
        return self._folder / (_file_stem(normalise_ticker(ticker)) + _SUFFIX)

    def tickers(self) -> list[str]:
        """Return the tickers that have a file, sorted.

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
        return sorted(unquote(stem) for stem in stems if _is_stem(stem))

    def has(self, ticker: str) -> bool:
        """Return whether a ticker has a file, readable or not; DataError if the name is no ticker."""
        try:
            return self.path(ticker).is_file()
        except OSError:
            return False

    def unknown_files(self) -> list[Path]:
        """Return the files in the price folder that are not the store's: left by a killed process, or foreign.

        Raises:
            DataError: The folder cannot be read.
        """
        own = {self.path(ticker).name for ticker in self.tickers()} | {".locks"}
        if not self._folder.exists():
            return []
        return sorted(entry for entry in self._folder.iterdir() if entry.name not in own)

    def require(self, tickers: Iterable[str]) -> None:
        """Raise a DataError for the first ticker that has no file; no file is read."""
        for ticker in tickers:
            try:
                self.path(ticker).stat()
            except (FileNotFoundError, NotADirectoryError):
                raise self._missing(normalise_ticker(ticker)) from None
            except OSError:
                pass  # `read` reports it

    def read(self, ticker: str) -> PriceHistory:
        """Read one ticker's prices and check their hash.

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
            history = decode_history(raw)
            validate(history.table, ticker)
            if history.ticker != ticker:
                raise ValueError(f"it holds the prices of {history.ticker}")
            if table_hash(history.table) != history.provenance.hash:
                raise ValueError("the prices are not those that were written: their hash differs")
        except (ValueError, TypeError, DataError) as error:
            reason = error.message if isinstance(error, DataError) else " ".join(str(error).split())[:200]
            raise DataError(
                f"the file {path} is damaged or not of this program: {reason}",
                f"`lstm-stock fetch {ticker} --refresh` replaces it",
            ) from error
        return history

    def write(self, history: PriceHistory) -> None:
        """Write one ticker's prices in place of the stored ones; on failure, these stay.

        Raises:
            DataError: The table is not valid or has no rows, or the file cannot be written.
            ValueError: The provenance's hash is not the table's.
        """
        ticker = normalise_ticker(history.ticker)
        path = self.path(ticker)
        validate(history.table, ticker)
        if history.provenance.hash != table_hash(history.table):
            raise ValueError(f"the provenance of {ticker} has the hash of another table")
        content = encode_history(PriceHistory(ticker, history.table, history.provenance))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._lock(path):
                write_file(path, content)
        except OSError as error:
            raise _disk_error(f"the prices of {ticker} cannot be written to {self._folder}", error) from error

    @contextlib.contextmanager
    def locked(self, ticker: str, seconds: float) -> Iterator[None]:
        """Lock a ticker, so that no other process writes it between a read and a write.

        Args:
            ticker: The ticker; others are not locked.
            seconds: Maximum time to wait for another process.

        Raises:
            DataError: Another process holds the lock for longer, or the folder cannot be written to.
        """
        path = self.path(ticker)
        folders = (self._folder / ".locks", self._folder, self.root)
        new = [folder for folder in folders if not folder.exists()]
        with contextlib.ExitStack() as stack:
            # Runs last: if nothing was written, no folder is left.
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
            with contextlib.suppress(OSError):  # Windows removes no file in use
                self._lock_path(path).unlink()

    def _lock_path(self, path: Path) -> Path:
        return self._folder / ".locks" / f"{path.stem}.lock"

    @contextlib.contextmanager
    def _lock(self, path: Path, seconds: float | None = None) -> Iterator[None]:
        """Lock a ticker's file; the lock is reentrant."""
        from filelock import FileLock, Timeout

        lock = self._locks.setdefault(path, FileLock(self._lock_path(path)))
        seconds = _LOCK_SECONDS if seconds is None else seconds
        try:
            try:
                self._lock_path(path).parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=seconds)
            except FileNotFoundError:  # another process, whose fetch failed, has just removed the folder
                self._lock_path(path).parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=seconds)
        except Timeout as error:
            raise DataError(
                f"another process has been writing {path} for over {seconds:.0f} s",
                "wait until it is done, or stop it",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _missing(self, ticker: str) -> DataError:
        tickers = self.tickers()
        near = get_close_matches(ticker, tickers, n=3)
        if near:
            rest = f"; did you mean {' or '.join(near)}?"
        elif tickers:
            more = f" and {len(tickers) - 5} more" if len(tickers) > 5 else ""
            rest = f"; it has {', '.join(tickers[:5])}{more}"
        else:
            rest = ", which is empty"
        return DataError(
            f"{ticker} is not in the price store {self._folder}{rest}",
            f"`lstm-stock fetch {ticker}` fetches it; `--data-dir` or LSTM_STOCK_DATA chooses another store",
        )


def _file_stem(ticker: str) -> str:
    """Encode a ticker as a file name for every file system; `unquote` decodes it."""
    stem = quote(ticker, safe="")
    # On Windows, CON.parquet is a device.
    return f"%{ord(stem[0]):02X}{stem[1:]}" if _RESERVED_ON_WINDOWS.fullmatch(stem) else stem


def _is_stem(stem: str) -> bool:
    try:
        return _file_stem(normalise_ticker(unquote(stem))) == stem
    except DataError:
        return False


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _disk_error(what: str, error: OSError) -> DataError:
    return DataError(
        f"{what}: {error.strerror or error}",
        "free space or get write access there, or choose another folder with `--data-dir` or LSTM_STOCK_DATA",
    )
