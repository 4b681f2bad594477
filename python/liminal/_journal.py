"""What an owner took since its last snapshot, for the incarnation after its death (docs/formats/python-engine.md)."""
from __future__ import annotations

import os
import pathlib
import struct
import threading
import zlib
from collections.abc import Iterator

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
        self._appended = self._synced = 0  # records
        self._writing = False
        self._number = 0  # of the file
        self._file: int | None = None  # none while the disk refuses
        self._sizes: dict[int, int] = {}

    def begin(self) -> int:
        """Begins another file, for what comes after a snapshot: its number."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            self._write()
            self._close()
            self._number += 1
            try:
                if sum(self._sizes.values()) > BYTES_MAX:
                    raise OSError(f"{BYTES_MAX} bytes wait for a snapshot")
                self._file = os.open(_path(self._folder, self._number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                self._sizes[self._number] = 0
                _sync_folder(self._folder)
            except OSError as wrong:
                self._give_up(wrong)
            return self._number

    def forget_before(self, number: int) -> None:
        """A snapshot has what is in the files before this one."""
        with self._changed:
            old = [one for one in self._sizes if one < number]
            for one in old:
                del self._sizes[one]
        for one in old:
            _path(self._folder, one).unlink(missing_ok=True)

    def append(self, kind: bytes, content: bytes) -> int:
        """Adds a record, to be written by the next `sync`; what `sync` is to be asked for."""
        with self._changed:
            if self._file is not None:
                self._pending += (_HEAD.pack(len(content), zlib.crc32(content, zlib.crc32(kind)), kind), content)
                self._appended += 1
            return self._appended

    @property
    def appended(self) -> int:
        with self._changed:
            return self._appended

    def sync(self, record: int) -> None:
        """Returns when a record, and all before it, will outlive this process and its machine."""
        with self._changed:
            while self._synced < record:
                if self._writing:
                    self._changed.wait()
                else:
                    self._write()

    def _write(self) -> None:
        """Writes what waits. With the condition held, which others have while the disk works."""
        records, upto, file = b"".join(self._pending), self._appended, self._file
        self._pending.clear()
        wrong = None
        if file is not None and records:
            self._writing = True
            self._changed.release()
            try:
                _write_all(file, records)
                os.fsync(file)
            except OSError as error:
                wrong = error
            finally:
                self._changed.acquire()
                self._writing = False
            self._sizes[self._number] += len(records)
            if wrong is None and sum(self._sizes.values()) > BYTES_MAX:
                wrong = OSError(f"{BYTES_MAX} bytes wait for a snapshot")
        self._synced = max(self._synced, upto)
        if wrong is not None:
            self._give_up(wrong)
        self._changed.notify_all()

    def _give_up(self, wrong: OSError) -> None:
        print(f"{_path(self._folder, self._number)} is not written, what comes until the next snapshot would be lost "
              f"by a death: {wrong!r}"[:500], flush=True)
        self._close()
        self._pending.clear()
        self._synced = self._appended

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_journal(folder: pathlib.Path, first: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of what lies in the files from a number on, in order; of each file what is whole."""
    numbers = sorted(int(path.name[8:]) for path in folder.glob("journal-*") if path.name[8:].isdigit())
    for number in (one for one in numbers if one >= first):
        held, at = _path(folder, number).read_bytes(), 0
        while at + _HEAD.size <= len(held):
            length, crc32, kind = _HEAD.unpack_from(held, at)
            content = held[at + _HEAD.size:at + _HEAD.size + length]
            if len(content) < length or zlib.crc32(content, zlib.crc32(kind)) != crc32:
                break  # it was being written
            yield kind, content
            at += _HEAD.size + length


def _path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"journal-{number:09d}"


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left):]


def _sync_folder(folder: pathlib.Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
