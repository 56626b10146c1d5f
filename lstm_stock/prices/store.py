"""The price store: one Parquet file per ticker and interval, with its provenance inside.

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
from lstm_stock.config.interval import DAILY, INTERVALS
from lstm_stock.errors import DataError
from lstm_stock.prices.parquet import decode_history, encode_history
from lstm_stock.prices.table import PriceHistory, table_hash, validate
from lstm_stock.readback import read_file

if TYPE_CHECKING:
    import pandas as pd
    from filelock import BaseFileLock


_SUFFIX = ".parquet"
_RESERVED_ON_WINDOWS = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?")
_LOCK_SECONDS = 30.0
_MAX_BYTES = 2**30  # of a file: ten million bars


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
    """Prices under `root/prices`: daily bars there, those of another interval in a folder of its name.

    Args:
        root: The data folder; created at the first write.
        interval: Name of the interval of the bars to read; None takes a ticker's daily bars, or, if it has none,
            those that it has.
    """

    def __init__(self, root: Path, interval: str | None = None) -> None:
        self.root = root
        self.interval = interval
        self._folder = root / "prices"
        self._locks: dict[Path, BaseFileLock] = {}

    def at(self, interval: str | None) -> Store:
        """Return the same store with the bars of an interval."""
        return Store(self.root, interval)

    def path(self, ticker: str) -> Path:
        """Return the path of a ticker's file, whether it exists or not.

        >>> Store(Path("data")).path("^gspc").as_posix()
        'data/prices/%5EGSPC.parquet'

        Raises:
            DataError: The name is no ticker.
        """
        name = _file_stem(normalise_ticker(ticker)) + _SUFFIX
        daily = self._folder_of(DAILY.name) / name
        if self.interval is not None:
            return self._folder_of(self.interval) / name
        if daily.exists() or not self._folders():
            return daily
        others = (folder / name for folder in self._folders().values())
        return next((path for path in others if path.exists()), daily)

    def tickers(self) -> list[str]:
        """Return the tickers that have a file of the store's interval, or of any, sorted.

        Raises:
            DataError: The folder cannot be read.
        """
        return sorted({ticker for ticker, _ in self.series()})

    def series(self) -> list[tuple[str, str]]:
        """Return each ticker that has a file with the interval of its bars, sorted by ticker.

        Raises:
            DataError: The folder cannot be read.
        """
        folders = {DAILY.name: self._folder, **self._folders()}
        if self.interval is not None:
            folders = {self.interval: self._folder_of(self.interval)}
        order = list(INTERVALS)
        found = [(ticker, name) for name, folder in folders.items() for ticker in _tickers_in(folder)]
        return sorted(found, key=lambda one: (one[0], order.index(one[1])))

    def interval_of(self, ticker: str) -> str:
        """Return the name of the interval of the bars that `read` returns; DataError if the ticker has no file."""
        self.require([ticker])
        folder = self.path(ticker).parent
        return DAILY.name if folder == self._folder else folder.name

    def _folder_of(self, interval: str) -> Path:
        return self._folder if interval == DAILY.name else self._folder / interval

    def _folders(self) -> dict[str, Path]:
        """Return the folders of other intervals than a day that exist."""
        names = (name for name in INTERVALS if name != DAILY.name)
        paths = {name: self._folder / name for name in names}
        # A Path raises an OSError for a name that is too long.
        return {name: path for name, path in paths.items() if os.path.isdir(path)}  # noqa: PTH112

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
        if not self._folder.exists():
            return []
        own = {self.at(interval).path(ticker) for ticker, interval in self.series()}
        folders = self._folders().values()
        own |= {self._folder / ".locks", *folders}
        return sorted(
            entry for one in (self._folder, *folders) for entry in one.iterdir() if entry not in own
        )

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
            raw = read_file(path, _MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise self._missing(ticker) from None
        except OSError as error:
            raise _disk_error(f"the prices of {ticker} in {path} cannot be read", error) from error
        try:
            history = decode_history(raw)
            validate(history.table, ticker, history.interval)
            if history.ticker != ticker:
                raise ValueError(f"it holds the prices of {history.ticker}")
            if path.parent != self._folder_of(history.interval.name):
                raise ValueError(f"it holds {history.interval.adjective} bars")
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
        path = self.at(history.interval.name).path(ticker)
        validate(history.table, ticker, history.interval)
        if history.provenance.hash != table_hash(history.table):
            raise ValueError(f"the provenance of {ticker} has the hash of another table")
        content = encode_history(PriceHistory(ticker, history.table, history.provenance))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
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
        folders = tuple(dict.fromkeys((self._folder / ".locks", path.parent, self._folder, self.root)))
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
        of_interval = "" if path.parent == self._folder else f"@{path.parent.name}"
        return self._folder / ".locks" / f"{path.stem}{of_interval}.lock"

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
        stored = [interval for one, interval in self.at(None).series() if one == ticker]
        if stored and self.interval is not None:
            listed = " and ".join(INTERVALS[name].adjective for name in stored)
            return DataError(
                f"the price store {self._folder} has no {INTERVALS[self.interval].adjective} bars of {ticker}, "
                f"only {listed} ones",
                f"`data.interval: {stored[0]}` in a config takes those; `lstm-stock fetch {ticker} --interval "
                f"{self.interval}` fetches others",
            )
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


def _tickers_in(folder: Path) -> list[str]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _disk_error(f"the price store {folder} cannot be read", error) from error
    stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
    return [unquote(stem) for stem in stems if _is_stem(stem)]


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
