"""The state of the application on a cluster: actors that own virtual shards, and the commons beside them.

Ownership is Ray's: an actor of a name runs once, and is restarted elsewhere when it dies (``_actors``). What
it knew lies in its folder (``_epochs``).
"""
from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import importlib.util
import json
import os
import pathlib
import secrets
import shutil
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import ray

from liminal import _engine
from liminal._actors import BEAT, Gone, Named, owner_parts, used
from liminal._beginning import begin_epoch, begin_mirror, begin_registry
from liminal._epochs import DRAFTS, Losses, Snapshots
from liminal._fits import RayFits
from liminal._gather import Given
from liminal._journal import Journal, read_journal
from liminal.engine import Engine

MISMATCH = "mismatch"
# Kinds of the journal's records. Of what a sender gave: its number, the length of the sender's name, how many; the
# name; of each the lengths of key, fingerprint and events, and these. Of events, as earlier versions wrote them: the
# lengths of key and fingerprint, these, and the events.
_GIVEN, _EVENTS, _TICK, _EXCHANGE, _DECISION, _WORD = b"G", b"E", b"T", b"X", b"D", b"W"
_SENDER, _ONE = struct.Struct("<QHI"), struct.Struct("<HHI")
_LENGTHS, _TIME = struct.Struct("<HH"), struct.Struct("<d")
_KEYS_KEPT = 10_000
# Of replicas of the ingress, with the number of what each gave last: one that went has its place taken by later ones.
_SENDERS_KEPT = 1_000
# So long the folder of models may still be held by an incarnation that is ending.
FOLDER_PATIENCE_S = 60.0
# So long an actor that is renewed waits for what it is at.
_CLOSING_PATIENCE_S = 15.0
_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
# Of this process, which has one actor: numbers of processes come again, on other nodes above all.
_INCARNATION = secrets.token_hex(8)


class Moving(Exception):
    """This incarnation has saved itself and takes nothing more: ask the next one."""


class Gate:
    """Counts who is inside, so that an actor is saved when nobody is and nobody comes any more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        with self._changed:
            if self._closed:
                raise Moving
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0, _CLOSING_PATIENCE_S)

    def open(self) -> None:
        with self._changed:
            self._closed = False


def onnxruntime_of(settings: dict[str, Any]) -> str:
    """The file of ONNX Runtime: as the settings say, else that of the Python package, else "" for the usual places."""
    if settings["onnxruntime"]:
        return settings["onnxruntime"]
    package = importlib.util.find_spec("onnxruntime")
    found = sorted(pathlib.Path(package.origin).parent.glob("capi/libonnxruntime.so*")) if (
        package is not None and package.origin) else []
    return str(found[0]) if found else ""


def names_onnxruntime(settings: dict[str, Any]) -> bool:
    """Whether somebody said what is to compute models of others: that must be there then."""
    return bool(settings["onnxruntime"]) or settings["provider"] != "cpu"


def _packed(sender: str, number: int, batch: list[Given]) -> bytes:
    parts = [_SENDER.pack(number, len(sender), len(batch)), sender.encode()]
    for events, key, fingerprint in batch:
        of_key, of_body = (key or "").encode(), fingerprint.encode()
        parts += [_ONE.pack(len(of_key), len(of_body), len(events)), of_key, of_body, events]
    return b"".join(parts)


def _given(content: bytes) -> tuple[str, int, list[Given]]:
    number, length, count = _SENDER.unpack_from(content)
    at, batch = _SENDER.size + length, []
    sender = content[_SENDER.size:at].decode()
    for _ in range(count):
        lengths = _ONE.unpack_from(content, at)
        at += _ONE.size
        key, fingerprint, events = (content[at + sum(lengths[:i]):at + sum(lengths[:i + 1])] for i in range(3))
        batch.append((events, key.decode() or None, fingerprint.decode()))
        at += sum(lengths)
    return sender, number, batch


def _unpacked(content: bytes) -> tuple[bytes, str | None, str]:
    of_key, of_body = _LENGTHS.unpack_from(content)
    body = _LENGTHS.size + of_key
    events = body + of_body
    return content[events:], content[_LENGTHS.size:body].decode() or None, content[body:events].decode()


def _is_a_decision(method: str, path: str) -> bool:
    """Whether somebody decides something of a user or an alert, has users forgotten, or tells of a gateway's alerts."""
    return method not in ("GET", "HEAD") and (
        path.startswith("/ml/limits/") or path.endswith("/feedback") or
        path in ("/ml/features/cleanup", "/ml/anomalies/recent"))


def idempotency_key(headers: Any) -> str | None:
    """Of a request's headers, pairs of bytes."""
    return next((value.decode("latin-1") for name, value in headers if name.lower() == b"idempotency-key"), None)


def _decision(method: str, target: str, headers: Any, body: bytes) -> bytes:
    return json.dumps([method, target, idempotency_key(headers)]).encode() + b"\n" + body


class UserShards:
    """The engine of the users, sources and services of some of the 64 virtual shards."""

    def __init__(self, place: int, settings: dict[str, Any]):
        self._place, self._settings = place, settings
        self._owned = [shard for shard in range(_engine.SHARDS) if shard % settings["owners"] == place]
        self._engine = Engine(clock="member", profile=settings["profile"], mode=settings["mode"],
                              buffer_size=settings["rows"])
        self._epochs, self._mirror = begin_epoch(settings, f"owner-{place:02d}")
        self._gate = Gate()
        self._telling = concurrent.futures.ThreadPoolExecutor(1, "telling")
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._accepted = 0
        self._keys: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._senders: collections.OrderedDict[str, int] = collections.OrderedDict()
        self._limits: dict[str, Any] | None = None  # policies, since somebody set them
        self._losses = Losses()
        self._journal = Journal(self._epochs.mine) if settings["journal"] else None
        self._journal_from: int | None = None
        before = self._epochs.earlier()
        epoch, self._damaged = self._epochs.restore(self._take)
        if before and (self._epochs.of(before[0]) / "signals").exists():
            shutil.copytree(self._epochs.of(before[0]) / "signals", self._epochs.mine / "signals",
                            ignore=shutil.ignore_patterns(*DRAFTS))
        self._service = _engine.Service(
            self._engine, folder=str(self._epochs.mine / "signals"), token=settings["token"],
            place=place, owners=settings["owners"])
        if self._limits is not None:
            try:
                self._service.restore_limits(json.dumps(self._limits))
            except ValueError as wrong:
                print(f"limits were not restored: {wrong}"[:500], flush=True)
        if self._journal_from is not None:  # under the limits of then
            self._replay(self._epochs.of(epoch), self._journal_from)
        self._losses.begin(self._epochs.number, self._accepted)
        if settings["beat"]:
            # The engine's time is now, also for what comes before the commons' first second: an event
            # ahead of it would count at its horizon.
            _engine.tick(self._engine, time.time(), [])
        self.save()
        Snapshots(self._epochs, settings["snapshot_s"], self.save).start()
        begin_mirror(self._mirror)

    def _take(self, header: dict[str, Any], state: bytes) -> None:
        accepted, keys = int(header["accepted"]), dict(header["keys"])
        losses, limits = Losses(header.get("losses")), header.get("limits")
        if limits is not None and header["mode"] != self._settings["mode"]:
            limits = {**limits, "mode": self._settings["mode"]}  # set again since, by who deployed
        self._engine.load(state)
        self._accepted, self._losses, self._limits = accepted, losses, limits
        self._journal_from = header.get("journal")
        self._keys.update(keys)
        self._senders.update(header.get("senders", {}))

    def _replay(self, folder: pathlib.Path, first: int) -> None:
        """Lives again what the journal has from after a snapshot."""
        known = self._accepted
        try:
            for kind, content in read_journal(folder, first):
                self._live_again(kind, content)
        except (OSError, ValueError, struct.error) as wrong:
            print(f"owner {self._place}: the journal in {folder} is not lived on: {wrong!r}"[:500], flush=True)
        if self._accepted > known:
            print(f"owner {self._place}: {self._accepted - known} events that no snapshot has are back", flush=True)

    def _live_again(self, kind: bytes, content: bytes) -> None:
        if kind == _GIVEN:
            self._count_given(*_given(content))
        elif kind == _EVENTS:
            self._count(*_unpacked(content))
        elif kind == _TICK:
            _engine.tick(self._engine, *_TIME.unpack(content), self._owned)
        elif kind == _EXCHANGE:
            _engine.absorb(self._engine, content)
        elif kind == _WORD:
            _engine.count_feedback(self._engine, *json.loads(content))
        elif kind == _DECISION:
            self._decide_again(content)

    def _decide_again(self, content: bytes) -> None:
        told, _, body = content.partition(b"\n")
        method, target, key = json.loads(told)
        # Who asked was let in then; the token may be another now.
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json"),
                   (b"authorization", f"Bearer {self._settings['token']}".encode())]
        if key is not None:
            headers.append((b"idempotency-key", key.encode("latin-1")))
        status, _, said = self._service.handle(method, target, headers, body, "127.0.0.1", True)
        _engine.take_words(self._engine)  # the others were told then
        if status >= 300:
            print(f"owner {self._place}: {method} {target} did not come back: {said!r}"[:500], flush=True)

    def save(self) -> None:
        with self._saving:
            self._save()
            if self._journal and not self._journal.writes:
                self._save()  # the first made room

    def _save(self) -> None:
        if self._journal:
            self._journal.prepare()
        with self._lock:
            journal = self._journal.begin() if self._journal else None
            noted = self._journal.appended if self._journal else 0
            header = {"epoch": self._epochs.number, "accepted": self._accepted,
                      "keys": dict(self._keys), "senders": dict(self._senders), "losses": self._losses.header(),
                      "limits": self._limits, "mode": self._settings["mode"], "journal": journal}
            state = self._engine.save()
        if self._journal:
            self._journal.sync(noted)
        self._service.save()
        self._epochs.save(header, state)
        if self._journal:
            self._journal.forget_before(journal)

    def retire(self) -> None:
        """Takes nothing more and saves itself: the next incarnation knows everything that was acknowledged.

        When it cannot save itself it goes on.
        """
        self._gate.close()
        concurrent.futures.wait([self._telling.submit(int)], _CLOSING_PATIENCE_S)  # behind what is to be told
        try:
            self.save()
            if self._mirror:
                self._mirror.copy()
        except BaseException:
            self._gate.open()
            raise

    def resume(self) -> None:
        """Goes on after `retire`, when nobody takes its place."""
        self._gate.open()

    def track(
        self, events: bytes, key: str | None = None, fingerprint: str = ""
    ) -> tuple[int, int] | str:
        """As `track_all` does of one, that nobody repeats."""
        return self.track_all("", 0, [(events, key, fingerprint)])[0]

    def track_all(self, sender: str, number: int, batch: list[Given]) -> list[tuple[int, int] | str]:
        """Counts what a sender gives, once for its number, and each of it once for its key.

        A sender gives one after the other, with rising numbers, and again with the same. Gives for each the epoch,
        and how many were counted in all, when they are in the journal; ``MISMATCH`` where the key was used for
        something else.
        """
        with self._gate.inside():
            with self._lock:
                if not sender or number > self._senders.get(sender, 0):
                    if new := self._count_given(sender, number, batch):
                        self._note(_GIVEN, _packed(sender, number, new))
                told = self._epochs.number, self._accepted
                answers = [MISMATCH if key is not None and self._keys.get(key, fingerprint) != fingerprint else told
                           for _, key, fingerprint in batch]
                noted = self._journal.appended if self._journal else 0
            self._kept(noted)
            return answers

    def _count_given(self, sender: str, number: int, batch: list[Given]) -> list[Given]:
        """Counts what no key says was counted: what it was."""
        if sender:
            self._senders[sender] = number
            self._senders.move_to_end(sender)
            if len(self._senders) > _SENDERS_KEPT:
                self._senders.popitem(last=False)
        new = []
        for one in batch:
            if one[1] is None or one[1] not in self._keys:
                self._count(*one)
                new.append(one)
        return new

    def _count(self, events: bytes, key: str | None, fingerprint: str) -> None:
        self._accepted += _engine.track_encoded(self._engine, events)
        if key is not None:
            self._keys[key] = fingerprint
            if len(self._keys) > _KEYS_KEPT:
                self._keys.popitem(last=False)

    def _note(self, kind: bytes, content: bytes) -> int:
        """What changes the engine goes into the journal in the order in which it did, under the lock: the record."""
        return self._journal.append(kind, content) if self._journal else 0

    def _kept(self, record: int) -> bool:
        """Waits for the disk: whether it has the record. Raises Moving when a later incarnation has begun, which may
        have read the journal before this was in it."""
        if self._journal is None:
            return False
        kept = self._journal.sync(record)
        if self._epochs.over():
            raise Moving
        return kept

    def ask(self, *request: Any) -> _Answer:
        with self._gate.inside():
            path = request[1].partition("?")[0]
            if path == "/ml/limits" and request[0] in ("PUT", "DELETE"):
                return self._set_limits(*request)
            if _is_a_decision(request[0], path):
                return self._decide(*request)
            return self._service.handle(*request)

    def _decide(self, *request: Any) -> _Answer:
        """Carries out a decision: in the journal, or where that cannot be in a snapshot, before the answer."""
        with self._lock:
            answer = self._service.handle(*request)
            words = _engine.take_words(self._engine)
            record = self._note(_DECISION, _decision(*request[:4])) if answer[0] < 300 else None
        if words:
            self._telling.submit(self._spread, words)
        if record is not None and not self._kept(record):
            self.save()
        return answer

    def _set_limits(self, *request: Any) -> _Answer:
        # One after the other, so that what is kept is what was answered last.
        with self._saving:
            answer = self._service.handle(*request)
            if answer[0] == 200:
                self._limits = json.loads(answer[2])["policies"] if request[0] == "PUT" else None
        if answer[0] == 200:
            self.save()
        return answer

    def _spread(self, words: list[tuple[str, str, bool]]) -> None:
        """Tells the other owners what was said of this one's alerts, which need not answer."""
        for part in owner_parts(self._settings):
            if part == f"owner-{self._place:02d}":
                continue
            try:
                owner = Named(self._settings, part)
                for word in words:
                    owner.call("count_feedback", *word)
            except Exception as wrong:  # the others are told
                print(f"{part} was not told what was said of alerts: {wrong!r}"[:500], flush=True)

    def was_told(self, epoch: int, accepted: int) -> None:
        """What an incarnation before had acknowledged: what of it is not here was lost."""
        with self._lock:
            lost = self._losses.told(epoch, accepted)
        if lost:
            print(f"owner {self._place}: {lost} events that were acknowledged in epoch {epoch} are lost",
                  flush=True)

    def account(self, epoch: int, accepted: int) -> dict[str, Any]:
        """How this owner stands, after it was told what a replica remembers of it."""
        self.was_told(epoch, accepted)
        return {"place": self._place, "shards": len(self._owned), "epoch": self._epochs.number,
                "events_accepted": self._accepted, "events_lost": self._losses.total,
                "snapshots_damaged": self._damaged,
                **({"store_behind_s": round(self._mirror.behind_s, 3)} if self._mirror else {})}

    def count_feedback(self, kind: str, verdict: str, replaces: bool = False) -> None:
        word = kind, verdict, replaces
        with self._lock:
            _engine.count_feedback(self._engine, *word)
            record = self._note(_WORD, json.dumps(word).encode())
        self._kept(record)

    @ray.method(concurrency_group=BEAT)
    def tick(self, now: float) -> bytes:
        with self._lock:
            told = _engine.tick(self._engine, now, self._owned)
            self._note(_TICK, _TIME.pack(now))
        return told

    @ray.method(concurrency_group=BEAT)
    def absorb(self, exchange: bytes) -> None:
        with self._lock:
            _engine.absorb(self._engine, exchange)
            self._note(_EXCHANGE, exchange)

    def crowd(self) -> bytes:
        return _engine.crowd(self._engine)

    def material(self) -> bytes:
        """Feature rows and alerts: what models learn from."""
        return _engine.material(self._engine)

    def about(self) -> dict[str, Any]:
        return {"place": self._place, "shards": len(self._owned), "epoch": self._epochs.number,
                "accepted": self._accepted, "lost": self._losses.total, "damaged": self._damaged,
                "pid": os.getpid(), "users": self._engine.users, "now": self._engine.now,
                "settings": used("owner", self._settings), "version": _engine.__version__,
                "incarnation": _INCARNATION}

    def shard_hashes(self) -> dict[int, int]:
        return {shard: _engine.shard_hash(self._engine, shard) for shard in self._owned}


class Commons:
    """What spans users: told once a second by all owners, it tells all of them."""

    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._epochs, self._mirror = begin_epoch(settings, "commons")
        self._commons = _engine.Commons(settings["profile"])
        self._missed = 0
        self._owners = [Named(settings, part) for part in owner_parts(settings)]
        self._epochs.restore(lambda header, state: self._commons.load(state))
        self._save()
        if settings["beat"]:
            threading.Thread(target=self._live, daemon=True, name="seconds").start()
            Snapshots(self._epochs, settings["snapshot_s"], self._save).start()
        begin_mirror(self._mirror)

    def retire(self) -> None:
        """Saves itself."""
        self._save()
        if self._mirror:
            self._mirror.copy()

    def _save(self) -> None:
        self._epochs.save({"epoch": self._epochs.number}, self._commons.save())

    def _live(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1, time.monotonic())
            time.sleep(due - time.monotonic())
            try:
                self.second(time.time())
            except Exception as wrong:  # the next second counts
                print(f"the second was missed: {wrong!r}"[:500], flush=True)
                self._missed += 1

    def second(self, now: float) -> None:
        """One second of all owners. Who does not answer within half a second is left out of it."""
        asked, missed = {}, 0
        for owner in self._owners:
            try:
                asked[owner.call("tick", now)] = owner
            except Gone:
                missed += 1
        ready, late = ray.wait(list(asked), num_returns=len(asked),
                               timeout=.5 if self._settings["beat"] else None) if asked else ([], [])
        told = []
        for one in ready:
            try:
                told.append(ray.get(one))
            except ray.exceptions.RayError:
                asked[one].forget()
                missed += 1
        self._missed += missed + len(late)
        exchange = self._commons.advance(told, now)
        absorbed = [owner.call("absorb", exchange) for owner in self._owners if owner.known]
        if not self._settings["beat"]:
            ray.get(absorbed)

    def about(self) -> dict[str, Any]:
        return {"seconds": self._commons.number, "missed": self._missed, "pid": os.getpid(),
                "epoch": self._epochs.number, "state_hash": self._commons.state_hash(),
                "settings": used("commons", self._settings), "version": _engine.__version__,
                "incarnation": _INCARNATION}


class Models:
    """Registry, trainings and experiments: what changes models, in one place.

    A training learns from what all owners had at the last request for one before it begins. Fits of the trainer
    ray are tasks of the cluster. Trainings end with it, and are then found failed; versions and aliases that were
    acknowledged stay.
    """

    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._gate = Gate()
        self._folder, self._mirror = begin_registry(settings)
        until = time.monotonic() + FOLDER_PATIENCE_S
        while True:
            try:
                self._service = _engine.Service(
                    Engine(), folder=str(self._folder), token=settings["token"], models="apart",
                    definitions=settings["models"], fits=RayFits(settings["fit_cpus"], str(self._folder)),
                    onnxruntime=onnxruntime_of(settings), threads=settings["threads"])
                break
            except RuntimeError:  # an earlier incarnation still holds the folder
                if time.monotonic() > until:
                    raise
                time.sleep(.2)
        begin_mirror(self._mirror)

    def retire(self) -> None:
        """Takes nothing more; what was acknowledged lies in the folder, or in the store."""
        self._gate.close()
        try:
            if self._mirror:
                self._mirror.copy()
        except BaseException:
            self._gate.open()
            raise

    def _kept(self, answer: _Answer) -> _Answer:
        """An answer to what may have changed something: the store has it, unless it is away. Once that is known it is
        not waited for."""
        if self._mirror and not self._mirror.away and answer[0] < 300:
            with contextlib.suppress(Exception):  # it says so, and is tried again
                self._mirror.copy()
        return answer

    def resume(self) -> None:
        """Goes on after `retire`, when nobody takes its place."""
        self._gate.open()

    def ask(self, *request: Any) -> _Answer:
        with self._gate.inside():
            if request[0] == "POST" and request[1].split("?", 1)[0] == "/ml/models/train":
                told = [Named(self._settings, part).call("material") for part in owner_parts(self._settings)]
                self._service.learn_from(ray.get(told, timeout=60))
            answer = self._service.handle(*request)
            return answer if request[0] in ("GET", "HEAD") else self._kept(answer)

    def champions(self, held: dict[str, tuple[int, str]]) -> list[tuple[str, int, str, bytes, bool]]:
        """Champions as (model, version, sha256, file, whether an experiment of it runs).

        The file of a version that is held already, with that hash, is left out.
        """
        return [(model, version, sha256,
                 b"" if held.get(model) == (version, sha256)
                 else (self._folder / "models" / f"{model}-{version}.onnx").read_bytes(),
                 self._service.compares(model))
                for model, version, sha256 in self._service.champions()]

    def add(self, model: str, file: bytes) -> int:
        with self._gate.inside():
            version = self._service.add_model(model, file)
            self._kept((200, [], b""))
            return version

    def about(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "champions": self._service.champions(),
                "settings": used("models", self._settings), "version": _engine.__version__,
                "incarnation": _INCARNATION}
