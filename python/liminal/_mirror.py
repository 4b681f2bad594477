"""What an actor keeps in a folder of its node, in an object store too, where an incarnation on another node finds it.

Each incarnation has an epoch of its own, claimed by an object that only one can make: what an earlier one still writes
is never read. Layout: docs/formats/python-engine.md.
"""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from liminal._epochs import DRAFTS, SNAPSHOT, epoch_name, epochs_in
from liminal._folder import make_private
from liminal._journal import journal_files, journal_path
from liminal._store import Store

CLAIM = "claim"
SIGNALS = "signals"
DATABASE = "registry.db"
_EPOCHS_KEPT = 2
# What changes faster than the store takes it is tried again so often at once.
_ROUNDS = 5
_COPY_PATIENCE_S = 60
# In a process of its own: two libraries of SQLite in one know nothing of each other's locks.
_COPY_DATABASE = """
import sqlite3, sys
source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
target = sqlite3.connect(sys.argv[2])
source.backup(target)
target.execute("PRAGMA journal_mode=DELETE")
target.close()
"""


def claim(store: Store, part: str) -> int:
    """The next epoch of a part, which nobody else has."""
    number = max(epochs_in(store.names(part)), default=0) + 1
    while not store.create(f"{part}/{epoch_name(number)}/{CLAIM}"):
        number += 1
    return number


def _is_draft(path: pathlib.Path) -> bool:
    return any(path.match(draft) for draft in DRAFTS)


def _write_private(path: pathlib.Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(content)


def _journals(names: list[str]) -> dict[str, list[str]]:
    """The parts of each file of a journal, in their order."""
    found: dict[str, list[str]] = {}
    for name in names:
        file, slash, _ = name.partition("/")
        if slash and file.startswith("journal-"):
            found.setdefault(file, []).append(name)
    return found


def _fetch_epoch(store: Store, under: str, target: pathlib.Path, whole: str) -> bool:
    """Brings what an epoch holds into a folder; False when it has no `whole`, without which it is none, or changes."""
    marked = store.mark(f"{under}/{whole}")
    if marked is None:
        return False
    try:
        names = store.below(under)
        journals = _journals(names)
        for name in names:
            if name != CLAIM and not name.startswith("journal-"):
                _write_private(target / name, store.get(f"{under}/{name}"))
        for file, parts in journals.items():
            held = b""
            for part in parts:
                if int(part.rpartition("/")[2]) != len(held):
                    print(f"{store.url}: {under}/{part}: what comes before it is missing, and it is left out",
                          flush=True)
                    break
                held += store.get(f"{under}/{part}")
            _write_private(target / file, held)
    except FileNotFoundError:  # taken away by who wrote it, and who goes on
        return False
    return store.mark(f"{under}/{whole}") == marked


def fetch(store: Store, part: str, folder: pathlib.Path, before: int, whole: str = SNAPSHOT, most: int = 2) -> None:
    """Has the latest epochs before one lie in a folder, if they are whole somewhere. One that is there already was
    written here, and has all that the store has."""
    make_private(folder)
    found = 0
    for number in sorted({*epochs_in(store.names(part)), *epochs_in(os.listdir(folder))}, reverse=True):
        if number >= before or found == most:
            continue
        target = folder / epoch_name(number)
        if not (target / whole).exists():
            partial = folder / f"{epoch_name(number)}.partial"
            for _ in range(_ROUNDS):
                shutil.rmtree(partial, ignore_errors=True)
                if fetched := _fetch_epoch(store, f"{part}/{epoch_name(number)}", partial, whole):
                    break
            if not fetched:
                shutil.rmtree(partial, ignore_errors=True)
                continue
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        found += 1


class Mirror(threading.Thread):
    """Copies what changed in the folder of an epoch every few seconds; ends the process when a later one was claimed.
    """

    def __init__(self, store: Store, part: str, number: int, folder: pathlib.Path, every_s: float):
        super().__init__(daemon=True, name="mirror")
        self._store, self._part, self._number, self._folder = store, part, number, folder
        self._every_s = every_s
        self._copying = threading.Lock()
        self._whole_since = time.monotonic()  # when all that there was was in the store
        self._wrong: str | None = None
        self._sent: dict[str, tuple[int, int]] = {}  # of each file its inode and time, as it was sent
        self._pruned = False

    @property
    def under(self) -> str:
        return f"{self._part}/{epoch_name(self._number)}"

    def run(self) -> None:
        while True:
            time.sleep(self._every_s)
            try:
                if self.over():
                    os._exit(0)
                self.copy()
            except Exception:  # told by it
                continue

    def over(self) -> bool:
        """Whether a later incarnation has claimed its epoch: this one's word does not count any more."""
        return self._store.mark(f"{self._part}/{epoch_name(self._number + 1)}/{CLAIM}") is not None

    def copy(self) -> None:
        """Returns when the store has what the folder had. Raises OSError, and says it once, when it does not."""
        with self._copying:
            begun = time.monotonic()
            try:
                for _ in range(_ROUNDS):
                    if self._copy():
                        break
                else:
                    raise OSError(f"{self._store.url}: {self.under}: changes faster than the store takes it")
            except Exception as wrong:
                if self._wrong is None:
                    print(f"{self._store.url} does not have what comes now, which would be lost with this node: "
                          f"{wrong}"[:500], flush=True)
                self._wrong = str(wrong)
                raise
            if self._wrong is not None:
                print(f"{self._store.url} has everything again", flush=True)
            self._whole_since, self._wrong = begun, None

    @property
    def away(self) -> bool:
        """Whether the store did not take what was sent last."""
        return self._wrong is not None

    @property
    def behind_s(self) -> float:
        """For how long the store has not had everything."""
        return time.monotonic() - self._whole_since

    def _copy(self) -> bool:
        """Whether the folder stayed as it was meanwhile."""
        raise NotImplementedError

    def _changed(self, path: pathlib.Path) -> tuple[int, int] | None:
        """What a file is known by, when it is not as it was sent."""
        held = path.stat()
        mark = held.st_ino, held.st_mtime_ns
        return mark if self._sent.get(str(path)) != mark else None

    def _send(self, path: pathlib.Path, name: str | None = None) -> bytes | None:
        """Sends a file that changed: its content."""
        mark = self._changed(path)
        if mark is None:
            return None
        content = path.read_bytes()
        self._store.put(f"{self.under}/{name or path.relative_to(self._folder).as_posix()}", content)
        self._sent[str(path)] = mark
        return content

    def _drop(self, there: list[pathlib.Path]) -> None:
        """Takes away what was sent and is not there any more."""
        gone = set(self._sent) - {str(path) for path in there}
        self._store.remove(f"{self.under}/{pathlib.Path(path).relative_to(self._folder).as_posix()}" for path in gone)
        for path in gone:
            del self._sent[path]

    def _prune(self, whole: str) -> None:
        """Takes away the epochs that nobody will begin from: once this one is whole, all but it and the latest before
        it that is. One that ended at once has nothing but its claim."""
        if self._pruned:
            return
        kept = 1
        for number in sorted(epochs_in(self._store.names(self._part)), reverse=True):
            if number >= self._number:
                continue
            old = f"{self._part}/{epoch_name(number)}"
            if kept < _EPOCHS_KEPT and self._store.mark(f"{old}/{whole}") is not None:
                kept += 1
            else:
                self._store.remove(f"{old}/{name}" for name in self._store.below(old))
        self._pruned = True


class EpochMirror(Mirror):
    """Of an owner or the commons: snapshot, signals and journal. The journal goes in parts, as it grows."""

    def __init__(self, store: Store, part: str, number: int, folder: pathlib.Path, every_s: float):
        super().__init__(store, part, number, folder, every_s)
        self._first: int | None = None  # file of the journal that the snapshot in the store goes on with
        self._parts: dict[int, list[str]] = {}
        self._sizes: dict[int, int] = {}

    def _copy(self) -> bool:
        snapshot = self._folder / SNAPSHOT
        if not snapshot.exists():
            return True
        try:
            if self._changed(snapshot) is not None:
                signals = [path for path in sorted((self._folder / SIGNALS).rglob("*"))
                           if path.is_file() and not _is_draft(path)]
                for path in signals:
                    self._send(path)
                self._drop([*signals, snapshot])
                content = self._send(snapshot) or b"{}"
                self._first = json.loads(content.partition(b"\n")[0]).get("journal")
                self._forget_before(self._first)
                self._prune(SNAPSHOT)
            return self._first is None or self._send_journal(snapshot, self._first)
        except FileNotFoundError:  # a snapshot has it meanwhile
            return False

    def _send_journal(self, snapshot: pathlib.Path, first: int) -> bool:
        # From the last: where a file has something, those before it are complete.
        files = sorted((number for number in journal_files(self._folder) if number >= first), reverse=True)
        sizes = {number: journal_path(self._folder, number).stat().st_size for number in files}
        if self._changed(snapshot) is not None:
            return False
        for number in reversed(files):
            sent = self._sizes.get(number, 0)
            if sizes[number] <= sent:
                continue
            with open(journal_path(self._folder, number), "rb") as held:
                held.seek(sent)
                content = held.read(sizes[number] - sent)
            name = f"{self.under}/{journal_path(self._folder, number).name}/{sent:012d}"
            self._store.put(name, content)
            self._parts.setdefault(number, []).append(name)
            self._sizes[number] = sizes[number]
        return True

    def _forget_before(self, first: int | None) -> None:
        for number in [one for one in self._parts if first is None or one < first]:
            self._store.remove(self._parts[number])
            del self._parts[number]
            self._sizes.pop(number, None)


class RegistryMirror(Mirror):
    """Of the registry: files as they are, and then the database that names them, as a copy of one moment."""

    def _copy(self) -> bool:
        database = self._folder / "models" / DATABASE
        if not database.exists():
            return True
        databases = database, database.with_name(f"{DATABASE}-wal")
        changed = {path: mark for path in databases if path.exists() and (mark := self._changed(path)) is not None}
        try:
            files = list(files_of_registry(self._folder))
            for path in files:
                self._send(path)
        except FileNotFoundError:
            return False
        if changed:
            self._store.put(f"{self.under}/models/{DATABASE}", copy_of_database(database))
            self._sent.update({str(path): mark for path, mark in changed.items()})
            self._drop([*files, *databases])
        self._prune(f"models/{DATABASE}")
        return True


def files_of_registry(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """All of it but the database, locks, and what is being written."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(DATABASE) and path.name != "lock" and not _is_draft(path):
            yield path


def copy_of_database(database: pathlib.Path) -> bytes:
    """What a database holds that somebody has open, at one moment."""
    copy = database.with_name(f"copy-of-{DATABASE}.partial")
    copy.unlink(missing_ok=True)
    try:
        subprocess.run([sys.executable, "-c", _COPY_DATABASE, str(database), str(copy)], check=True,
                       timeout=_COPY_PATIENCE_S, capture_output=True)
        return copy.read_bytes()
    except subprocess.SubprocessError as wrong:
        said = (getattr(wrong, "stderr", None) or b"").decode(errors="replace").splitlines()
        raise OSError(f"{database} cannot be copied: {said[-1] if said else wrong}") from wrong
    finally:
        copy.unlink(missing_ok=True)
