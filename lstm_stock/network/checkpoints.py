"""What a training needs to go on after a kill, kept after every epoch: one file a network, without pickle.

Nothing here knows Keras: a state is arrays and plain values, and goes in and out bit for bit.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import error
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lstm_stock.atomic import WorkDir

_FACTS = "facts"

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """One network of a training, after some epoch.

    Attributes:
        is_done: Whether its training is over.
        facts: Plain values: the history so far, what the callbacks count.
        arrays: Lists of arrays by name: weights, what the optimizer and the callbacks remember.
    """

    is_done: bool
    facts: dict[str, Any]
    arrays: dict[str, Arrays]


class Checkpoints:
    """The states of the networks of one training.

    Args:
        kept: Where they are kept.
        on_note: Called with a sentence when a state cannot be kept; the training goes on without.
        anew: Begin anew, whatever is kept. A state that is further than the new ones stays until they are: it is
            of the same training, which would come to it again.
    """

    def __init__(self, kept: WorkDir, on_note: Callable[[str], None], anew: bool = False) -> None:
        self._kept = kept
        self._on_note = on_note
        self._works = True
        self._anew = anew
        self._ahead: dict[int, tuple[bool, int]] = {}
        if anew:
            states = {member: self._read(member) for member in self._members()}
            self._ahead = {member: _progress(state) for member, state in states.items() if state is not None}

    @property
    def n_epochs(self) -> int:
        """How many epochs are kept, of all networks together."""
        states = (self._read(member) for member in self._members())
        return sum(len(state.facts["rows"]) for state in states if state is not None)

    def _members(self) -> list[int]:
        files = self._kept.path.glob("network-*.npz")
        return [int(number) for file in files if (number := file.stem.rpartition("-")[2]).isdigit()]

    def clear(self) -> None:
        """Forget all states: the run is saved."""
        self._kept.clear()

    def read(self, member: int) -> State | None:
        """Return the last state of a network; None if there is none, if it cannot be read, or to begin anew."""
        return None if self._anew else self._read(member)

    def _read(self, member: int) -> State | None:
        try:
            # Opened here: what is damaged would be left open by NumPy.
            with self._file(member).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                facts = json.loads(str(file[_FACTS]))
                arrays = {
                    name: [file[f"{name}-{i}"] for i in range(n)] for name, n in facts["lengths"].items()
                }
            return State(bool(facts["is_done"]), facts["facts"], arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, error, zlib.error):
            return None

    def write(self, member: int, state: State) -> None:
        """Keep the state of a network in place of its last one, unless that is of a later epoch."""
        if not self._works or self._ahead.get(member, (False, 0)) > _progress(state):
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
            self._kept.write(self._file(member).name, lambda file: np.savez(file, **flat))
        except OSError as refused:
            self._works = False
            self._on_note(
                f"no checkpoint could be kept ({refused.strerror or refused}): after a kill this training would "
                "begin again"
            )

    def _file(self, member: int) -> Path:
        return self._kept.path / f"network-{member:02}.npz"


def _progress(state: State) -> tuple[bool, int]:
    """Return what is greater of a state that is further."""
    return state.is_done, len(state.facts["rows"])
