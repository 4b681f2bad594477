"""What an owner took since its last snapshot, for the incarnation after its death (docs/formats/python-engine.md)."""
from __future__ import annotations

import os
import pathlib
import struct
import threading
import zlib
from collections.abc import Iterator

from liminal._epochs import sync_folder

# Of a record: the length of its content, the CRC-32 of kind and content, the kind.
_HEAD = struct.Struct("<IIc")
# Of files that no snapshot has made needless yet: a disk that takes no snapshots is not filled by this.
BYTES_MAX = 256 * 2**20


class Journal:
    """Records in files of an epoch's folder, another file after each snapshot. Thread-safe.

    `append` only remembers; `sync` returns when a record is on the disk, one write for everybody who waits. A disk
    that refuses keeps nobody: it is said once, and until a snapshot begins another file nothing is written.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._changed = threading.Condition()  # of what follows
        self._pending: list[bytes] = []
        # Files that another followed, with what is still to be written into them.
        self._ending: list[tuple[int, int, list[bytes]]] = []
        self._appended = self._synced = self._refused = 0  # records
        self._writing = False
        self._number = 0  # of the file
        self._file: int | None = None  # none while the disk refuses
        self._next: int | None = None  # made by `prepare`
        self._sizes: dict[int, int] = {}

    def prepare(self) -> None:
        """Makes the file that `begin` turns to: what waits for a disk is done here. By one thread at a time."""
        if self._next is not None:
            return
        with self._changed:
            path, waiting = journal_path(self._folder, self._number + 1), sum(self._sizes.values())
        try:
            if waiting > BYTES_MAX:
                raise OSError(f"{BYTES_MAX} bytes wait for a snapshot")
            self._next = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            sync_folder(self._folder)
        except OSError as wrong:
            _tell(path, wrong)
            if self._next is not None:
                os.close(self._next)
                self._next = None

    def begin(self) -> int:
        """Turns to the next file, for what comes after a snapshot: its number. Waits for no disk."""
        with self._changed:
            if self._file is not None:
                self._ending.append((self._file, self._number, self._pending))
                self._pending = []
            self._number += 1
            self._file, self._next = self._next, None
            if self._file is not None:
                self._sizes[self._number] = 0
            return self._number

    @property
    def writes(self) -> bool:
        """Whether there is a file."""
        with self._changed:
            return self._file is not None

    def forget_before(self, number: int) -> None:
        """A snapshot has what is in the files before this one."""
        with self._changed:
            if not self._writing:  # else who writes next closes them
                for file, _, _ in self._ending:
                    os.close(file)
                self._ending = []
            old = [one for one in self._sizes if one < number]
            for one in old:
                del self._sizes[one]
        for one in old:
            journal_path(self._folder, one).unlink(missing_ok=True)

    def append(self, kind: bytes, content: bytes) -> int:
        """Adds a record, to be written by the next `sync`; what `sync` is to be asked for."""
        with self._changed:
            self._appended += 1
            if self._file is not None:
                self._pending += (_HEAD.pack(len(content), zlib.crc32(content, zlib.crc32(kind)), kind), content)
            else:
                self._refused = self._appended
            return self._appended

    @property
    def appended(self) -> int:
        with self._changed:
            return self._appended

    def sync(self, record: int) -> bool:
        """Returns when a record, and all before it, will outlive this process and its machine, or when the disk
        refused it, then or right after it: False."""
        with self._changed:
            while self._synced < record:
                if self._writing:
                    self._changed.wait()
                else:
                    self._write()
            return record > self._refused

    def _write(self) -> None:
        """Writes what waits. With the condition held, which others have while the disk works."""
        upto, ending, current = self._appended, self._ending, (self._file, self._number, self._pending)
        self._pending, self._ending = [], []
        written = [one for one in (*ending, current) if one[0] is not None]
        wrong = None
        self._writing = True
        self._changed.release()
        try:
            for file, _, records in written:
                if records:
                    _write_all(file, b"".join(records))
                    os.fsync(file)
        except OSError as error:
            wrong = error
        finally:
            for file, _, _ in ending:
                os.close(file)
            self._changed.acquire()
            self._writing = False
        for _, number, records in written:
            if number in self._sizes:  # else a snapshot has it meanwhile
                self._sizes[number] += sum(map(len, records))
        self._synced = max(self._synced, upto)
        if wrong is None and sum(self._sizes.values()) > BYTES_MAX:
            wrong = OSError(f"{BYTES_MAX} bytes wait for a snapshot")
        if wrong is not None:
            self._give_up(wrong)
        self._changed.notify_all()

    def _give_up(self, wrong: OSError) -> None:
        if self._file is not None:
            _tell(journal_path(self._folder, self._number), wrong)
            os.close(self._file)
            self._file = None
        # What would follow in a file that may have a hole now could not be read.
        self._pending, self._ending = [], [(file, number, []) for file, number, _ in self._ending]
        self._refused = self._synced = self._appended


def _tell(path: pathlib.Path, wrong: OSError) -> None:
    print(f"{path} is not written, what comes until the next snapshot would be lost by a death: {wrong!r}"[:500],
          flush=True)


def read_journal(folder: pathlib.Path, first: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of what lies in the files from a number on, in order; of each file what is whole."""
    numbers = sorted(one for one in journal_files(folder) if one >= first)
    for number in numbers:
        held, at = journal_path(folder, number).read_bytes(), 0
        while at + _HEAD.size <= len(held):
            length, crc32, kind = _HEAD.unpack_from(held, at)
            content = held[at + _HEAD.size:at + _HEAD.size + length]
            if len(content) < length or zlib.crc32(content, zlib.crc32(kind)) != crc32:
                break  # it was being written, if this is the last file
            yield kind, content
            at += _HEAD.size + length
        if at < len(held) and number != numbers[-1]:
            print(f"{journal_path(folder, number)}: what follows its first {at} of {len(held)} bytes is no record, and "
                  "is left out", flush=True)


def journal_files(folder: pathlib.Path) -> list[int]:
    return [int(name[8:]) for name in os.listdir(folder) if name.startswith("journal-") and name[8:].isdigit()]


def journal_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"journal-{number:09d}"


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left):]
