"""Checkpoints of a training: the state of each member after one of its last epochs, a file each, without pickle.

A state is arrays and plain values and is restored bit for bit. Nothing here knows Keras: `callbacks` makes states
and `training` resumes from them.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import error
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lstm_stock.atomic import WorkDir
from lstm_stock.readback import open_file, parse_json

WRITING_SHARE = 0.02
"""Largest share of the time of a training that goes into writing its states."""

_FACTS = "facts"

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class MemberState:
    """One member of a training after some epoch.

    Attributes:
        is_done: Whether its training is finished.
        facts: Plain values: the history so far, the counters of the callbacks.
        arrays: Lists of arrays by name: the variables of network and optimizer, the best weights so far.
    """

    is_done: bool
    facts: dict[str, Any]
    arrays: dict[str, Arrays]


class Checkpoints:
    """Reads and writes the states of the members of one training.

    A killed training loses the epochs since the last write: `1 / WRITING_SHARE` times the cost of a write, and the
    epoch under way.

    Args:
        work_dir: The locked folder that holds the files.
        on_note: Called with a sentence when a state cannot be written; the training continues without checkpoints.
        restart: Train from the first epoch. A state on disk is replaced only once the new training has reached its
            epoch: both are the same training.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        work_dir: WorkDir,
        on_note: Callable[[str], None],
        restart: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._work_dir = work_dir
        self._on_note = on_note
        self._clock = clock
        self._held: tuple[int, MemberState] | None = None
        self._next_write = -math.inf
        self._is_writable = True
        self._restart = restart
        self._on_disk: dict[int, tuple[bool, int]] = {}
        if restart:
            states = {member: self._read(member) for member in self._members()}
            self._on_disk = {
                member: _progress(state) for member, state in states.items() if state is not None
            }

    @property
    def n_epochs(self) -> int:
        """Number of epochs on disk, of all members together."""
        states = (self._read(member) for member in self._members())
        return sum(n_epochs_of(state.facts["rows"]) for state in states if state is not None)

    def clear(self) -> None:
        """Delete all states."""
        self._work_dir.clear()

    def read(self, member: int) -> MemberState | None:
        """Return the last state of a member; None without one, if it is unreadable, or after `restart`."""
        return None if self._restart else self._read(member)

    def keep(self, member: int, state: MemberState) -> None:
        """Write the state after an epoch, or hold it until `flush` if the last write is too recent.

        The first state of a member is always written.
        """
        self._held = member, state
        if self._clock() >= self._next_write:
            self.flush()

    def flush(self) -> None:
        """Write the state that is held, if there is one: the training ends."""
        if self._held is not None:
            self.write(*self._held)

    def write(self, member: int, state: MemberState) -> None:
        """Replace the state of a member, unless the one on disk is of a later epoch."""
        self._held = None
        start = self._clock()
        self._write(member, state)
        end = self._clock()
        self._next_write = -math.inf if state.is_done else end + (end - start) * (1 / WRITING_SHARE - 1)

    def _write(self, member: int, state: MemberState) -> None:
        if not self._is_writable or self._on_disk.get(member, (False, 0)) > _progress(state):
            return
        facts = {
            "is_done": state.is_done,
            "facts": state.facts,
            "lengths": {name: len(arrays) for name, arrays in state.arrays.items()},
        }
        flat: dict[str, Any] = {_FACTS: np.array(json.dumps(facts))}
        for name, arrays in state.arrays.items():
            flat |= {f"{name}-{i}": array for i, array in enumerate(arrays)}
        try:
            self._work_dir.write(self._file(member).name, lambda file: np.savez(file, **flat))
        except OSError as refused:
            self._is_writable = False
            self._on_note(
                f"cannot write checkpoints ({refused.strerror or refused}): if this training is killed, it has to "
                "start again"
            )

    def _members(self) -> list[int]:
        files = self._work_dir.path.glob("network-*.npz")
        return [int(number) for file in files if (number := file.stem.rpartition("-")[2]).isdigit()]

    def _read(self, member: int) -> MemberState | None:
        try:
            # NumPy would leave a damaged file open.
            with open_file(self._file(member)) as raw, np.load(raw, allow_pickle=False) as file:
                facts = parse_json(dict[str, Any], str(file[_FACTS]).encode())
                arrays = {
                    name: [file[f"{name}-{i}"] for i in range(n)] for name, n in facts["lengths"].items()
                }
            return MemberState(bool(facts["is_done"]), facts["facts"], arrays)
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, MemoryError),
            *(BadZipFile, error, zlib.error),
        ):
            return None

    def _file(self, member: int) -> Path:
        return self._work_dir.path / f"network-{member:02}.npz"


def n_epochs_of(rows: Sequence[Mapping[str, float]]) -> int:
    """Return the number of epochs in the history of one member, which may begin with an epoch 0."""
    return int(rows[-1]["epoch"]) if rows else 0


def _progress(state: MemberState) -> tuple[bool, int]:
    """Return a key that orders the states of a member by progress."""
    return state.is_done, n_epochs_of(state.facts["rows"])
