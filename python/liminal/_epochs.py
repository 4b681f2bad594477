"""What an actor saves of itself, and how its next incarnation finds it.

One folder an epoch: it is claimed by making it, so that of two incarnations the later one is known by both,
and what an earlier one still writes is never read.
"""
from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from liminal._folder import make_private

SNAPSHOT = "engine.snapshot"
DAMAGED = "damaged.snapshot"
DRAFTS = "*.new", "*.partial", "*.tmp"  # names of what is being written
_EPOCHS_KEPT = 2
_BEGINNINGS_KEPT = 16


def epoch_name(number: int) -> str:
    return f"epoch-{number:09d}"


def epochs_in(names: Iterable[str]) -> list[int]:
    return [int(name[6:]) for name in names if name.startswith("epoch-") and name[6:].isdigit()]


class Epochs:
    """The folder of one actor, with a folder for each of its incarnations. Thread-safe.

    `claimed`: the number of this one, where it was claimed elsewhere.
    """

    def __init__(self, folder: pathlib.Path, claimed: int = 0):
        self.folder = folder
        self._saving = threading.Lock()
        make_private(folder)
        self.number = max([claimed - 1, 0, *self._all()]) + 1
        while True:
            try:
                self.of(self.number).mkdir(mode=0o700)
                break
            except FileExistsError:
                self.number += 1
        sync_folder(folder)

    def _all(self) -> list[int]:
        # Asked for every request that is answered: no paths are made.
        return epochs_in(os.listdir(self.folder))

    def of(self, number: int) -> pathlib.Path:
        return self.folder / epoch_name(number)

    @property
    def mine(self) -> pathlib.Path:
        return self.of(self.number)

    def over(self) -> bool:
        """Whether a later incarnation has begun: this one's word does not count any more."""
        return max(self._all(), default=0) > self.number

    def earlier(self) -> list[int]:
        """The incarnations before this one that have a snapshot, the latest first."""
        return [number for number in sorted(self._all(), reverse=True)
                if number < self.number and (self.of(number) / SNAPSHOT).exists()]

    def restore(self, take: Callable[[dict[str, Any], bytes], None]) -> tuple[int, int]:
        """Gives `take` the header and the state of the latest snapshot that can be taken.

        One that cannot be read, or that `take` refuses by an exception, is told of and kept beside the epochs
        as ``damaged.snapshot``; the one before it is tried. Gives the epoch, 0 for none, and how many were
        refused.
        """
        refused = 0
        for number in self.earlier():
            try:
                take(*read_snapshot(self.of(number)))
                return number, refused
            except (ValueError, LookupError, TypeError, AttributeError, OSError) as wrong:
                refused += 1
                print(f"{self.of(number) / SNAPSHOT} is left aside: {wrong!r}"[:500], flush=True)
                try:
                    shutil.copy(self.of(number) / SNAPSHOT, self.folder / DAMAGED)
                except OSError:
                    continue
        return 0, refused

    def save(self, header: dict[str, Any], state: bytes) -> None:
        target = self.mine / SNAPSHOT
        partial = target.with_suffix(".partial")
        with self._saving:
            with open(partial, "wb", opener=_private) as out:
                out.write(json.dumps({**header, "crc32": zlib.crc32(state)}).encode() + b"\n" + state)
                out.flush()
                os.fsync(out.fileno())
            partial.rename(target)
            sync_folder(self.mine)
            # One that ended at once has no snapshot, and does not count.
            kept = [self.number, *self.earlier()][:_EPOCHS_KEPT]
            for number in self._all():
                if number < self.number and number not in kept:
                    shutil.rmtree(self.of(number), ignore_errors=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: pathlib.Path) -> None:
    """What was made in a folder, or renamed, outlives the machine, where the file system has a word for it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    except OSError as wrong:
        if wrong.errno != errno.EINVAL:
            raise
    finally:
        os.close(held)


def read_snapshot(folder: pathlib.Path) -> tuple[dict[str, Any], bytes]:
    """Raises ValueError or OSError for what is none."""
    head, newline, state = (folder / SNAPSHOT).read_bytes().partition(b"\n")
    header = json.loads(head)
    if not newline or not isinstance(header, dict):
        raise ValueError("the snapshot has no header")
    if header.get("crc32", zlib.crc32(state)) != zlib.crc32(state):
        raise ValueError("the snapshot's sum is another")
    return header, state


class Snapshots(threading.Thread):
    """Saves every few seconds; ends the process when a later incarnation has begun."""

    def __init__(self, epochs: Epochs, interval_s: float, save: Callable[[], None]):
        super().__init__(daemon=True, name="snapshots")
        self._epochs, self._interval_s, self._save = epochs, interval_s, save

    def run(self) -> None:
        while True:
            time.sleep(self._interval_s)
            try:
                if self._epochs.over():
                    os._exit(0)
                self._save()
            except Exception as wrong:  # a full disk may be emptied
                print(f"{self._epochs.mine} was not saved: {wrong!r}"[:500], flush=True)


class Losses:
    """What deaths took along of what had been acknowledged.

    Every incarnation begins with a number of accepted events. What one before it had acknowledged beyond that,
    as replicas remember, is lost. Goes into the snapshots, so that a loss is not forgotten with the next death.
    """

    def __init__(self, known: dict[str, Any] | None = None):
        known = known or {"begun": [], "lost": [], "before": 0, "pruned": 0}
        self._begun: dict[int, int] = {int(epoch): int(count) for epoch, count in known["begun"]}
        self._lost: dict[int, int] = {int(epoch): int(count) for epoch, count in known["lost"]}
        # Of the epochs that are not kept apart any more, and the last one of these.
        self._before, self._pruned = int(known["before"]), int(known["pruned"])

    def begin(self, epoch: int, accepted: int) -> None:
        self._begun[epoch] = accepted
        for old in sorted(self._begun)[:-_BEGINNINGS_KEPT]:
            del self._begun[old]
            self._before += self._lost.pop(old, 0)
            self._pruned = old

    def told(self, epoch: int, accepted: int) -> int:
        """So many had been acknowledged in an epoch: how many more are lost than was known."""
        later = [one for one in sorted(self._begun) if one > epoch]
        if not later or epoch <= self._pruned:
            return 0
        known = self._lost.get(epoch, 0)
        lost = max(known, accepted - self._begun[later[0]])
        if lost > known:
            self._lost[epoch] = lost
        return lost - known

    @property
    def total(self) -> int:
        return self._before + sum(self._lost.values())

    def header(self) -> dict[str, Any]:
        return {"begun": list(self._begun.items()), "lost": list(self._lost.items()),
                "before": self._before, "pruned": self._pruned}
