"""The state of the application on a cluster: actors that own virtual shards, and the commons beside them.

Ownership is Ray's: an actor of a name runs once, and is restarted elsewhere when it dies. What it knew lies
in its folder, one folder an epoch; an epoch is claimed by making its folder, so that of two incarnations
the later one is known by both, and what an earlier one still writes is never read.
"""
from __future__ import annotations

import collections
import json
import os
import pathlib
import shutil
import threading
import time
from typing import Any

import ray

from liminal import _engine
from liminal._fits import RayFits
from liminal.engine import Engine

NAMESPACE = "liminal"
SNAPSHOT = "engine.snapshot"
MISMATCH = "mismatch"
_KEYS_KEPT = 10_000
_EPOCHS_KEPT = 2
# So long the folder of models may still be held by an incarnation that is ending.
FOLDER_PATIENCE_S = 60.0


class Epochs:
    """The folder of one actor, with a folder for each of its incarnations."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.number = max(self._all(), default=0) + 1
        while True:
            try:
                self._of(self.number).mkdir()
                break
            except FileExistsError:
                self.number += 1

    def _all(self) -> list[int]:
        return [int(path.name[6:]) for path in self.folder.glob("epoch-*") if path.name[6:].isdigit()]

    def _of(self, number: int) -> pathlib.Path:
        return self.folder / f"epoch-{number:09d}"

    @property
    def mine(self) -> pathlib.Path:
        return self._of(self.number)

    def over(self) -> bool:
        """Whether a later incarnation has begun: this one's word does not count any more."""
        return max(self._all(), default=0) > self.number

    def before(self) -> pathlib.Path | None:
        """The folder of the latest incarnation before this one that has a snapshot."""
        for number in sorted(self._all(), reverse=True):
            if number < self.number and (self._of(number) / SNAPSHOT).exists():
                return self._of(number)
        return None

    def save(self, header: dict[str, Any], state: bytes) -> None:
        target = self.mine / SNAPSHOT
        partial = target.with_suffix(".partial")
        with partial.open("wb") as out:
            out.write(json.dumps(header).encode() + b"\n" + state)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(target)

    def forget_old(self) -> None:
        with_snapshot = [n for n in sorted(self._all()) if n <= self.number]
        for number in with_snapshot[:-_EPOCHS_KEPT]:
            shutil.rmtree(self._of(number), ignore_errors=True)


def read_snapshot(folder: pathlib.Path) -> tuple[dict[str, Any], bytes]:
    header, state = (folder / SNAPSHOT).read_bytes().split(b"\n", 1)
    return json.loads(header), state


class Snapshots(threading.Thread):
    """Saves every few seconds; ends the process when a later incarnation has begun."""

    def __init__(self, epochs: Epochs, interval_s: float, save: Any):
        super().__init__(daemon=True, name="snapshots")
        self._epochs, self._interval_s, self._save = epochs, interval_s, save

    def run(self) -> None:
        while True:
            time.sleep(self._interval_s)
            if self._epochs.over():
                os._exit(0)
            self._save()


class UserShards:
    """The engine of the users, sources and services of some of the 64 virtual shards."""

    def __init__(self, place: int, settings: dict[str, Any]):
        self._place = place
        self._owned = [shard for shard in range(_engine.SHARDS) if shard % settings["owners"] == place]
        self._engine = Engine(clock="member", profile=settings["profile"], mode=settings["mode"])
        self._epochs = Epochs(pathlib.Path(settings["folder"]) / f"owner-{place:02d}")
        self._lock = threading.Lock()
        self._accepted = 0
        self._keys: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._restored = {"epoch": 0, "accepted": 0}
        self._lost = 0
        self._restore()
        if settings["beat"]:
            # The engine's time is now, also for what comes before the commons' first second: an event
            # ahead of it would count at its horizon.
            _engine.tick(self._engine, time.time(), [])
        self._service = _engine.Service(
            self._engine, folder=str(self._epochs.mine / "signals"), token=settings["token"],
            place=place, owners=settings["owners"])
        self.save()
        Snapshots(self._epochs, settings["snapshot_s"], self.save).start()

    def _restore(self) -> None:
        before = self._epochs.before()
        if before is None:
            return
        header, state = read_snapshot(before)
        self._engine.load(state)
        self._accepted = header["accepted"]
        self._keys.update(header["keys"])
        self._restored = {"epoch": header["epoch"], "accepted": header["accepted"]}
        if (before / "signals").exists():
            shutil.copytree(before / "signals", self._epochs.mine / "signals")

    def save(self) -> None:
        with self._lock:
            header = {"epoch": self._epochs.number, "accepted": self._accepted,
                      "keys": dict(self._keys)}
            state = self._engine.save()
        self._service.save()
        self._epochs.save(header, state)
        self._epochs.forget_old()

    def track(
        self, events: bytes, key: str | None = None, fingerprint: str = ""
    ) -> tuple[int, int] | str:
        """Counts events, once for a key. Gives the epoch, and how many were counted in all.

        ``MISMATCH`` when the key was used for something else.
        """
        with self._lock:
            known = self._keys.get(key) if key is not None else None
            if known is not None and known != fingerprint:
                return MISMATCH
            if known is None:
                self._accepted += _engine.track_encoded(self._engine, events)
                if key is not None:
                    self._keys[key] = fingerprint
                    if len(self._keys) > _KEYS_KEPT:
                        self._keys.popitem(last=False)
            return self._epochs.number, self._accepted

    def ask(self, *request: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        return self._service.handle(*request)

    def was_told(self, epoch: int, accepted: int) -> None:
        """What an incarnation before had acknowledged: what of it is not here was lost."""
        if epoch == self._restored["epoch"]:
            self._lost = max(self._lost, accepted - self._restored["accepted"])

    def count_feedback(self, kind: str, verdict: str) -> None:
        _engine.count_feedback(self._engine, kind, verdict)

    def tick(self, now: float) -> bytes:
        return _engine.tick(self._engine, now, self._owned)

    def absorb(self, exchange: bytes) -> None:
        _engine.absorb(self._engine, exchange)

    def crowd(self) -> bytes:
        return _engine.crowd(self._engine)

    def material(self) -> bytes:
        """Feature rows and alerts: what models learn from."""
        return _engine.material(self._engine)

    def about(self) -> dict[str, Any]:
        return {"place": self._place, "shards": len(self._owned), "epoch": self._epochs.number,
                "accepted": self._accepted, "lost": self._lost, "pid": os.getpid(),
                "users": self._engine.users, "now": self._engine.now}

    def shard_hashes(self) -> dict[int, int]:
        return {shard: _engine.shard_hash(self._engine, shard) for shard in self._owned}


class Commons:
    """What spans users: told once a second by all owners, it tells all of them."""

    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._epochs = Epochs(pathlib.Path(settings["folder"]) / "commons")
        self._commons = _engine.Commons(settings["profile"])
        self._missed = 0
        self._owners: list[Any] = []
        before = self._epochs.before()
        if before is not None:
            self._commons.load(read_snapshot(before)[1])
        self._save()
        if settings["beat"]:
            threading.Thread(target=self._live, daemon=True, name="seconds").start()
            Snapshots(self._epochs, settings["snapshot_s"], self._save).start()

    def _save(self) -> None:
        self._epochs.save({"epoch": self._epochs.number}, self._commons.save())
        self._epochs.forget_old()

    def _live(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + 1, time.monotonic())
            time.sleep(due - time.monotonic())
            try:
                self.second(time.time())
            except Exception as wrong:  # an owner that is being restarted; the next second counts
                print(f"the second was missed: {wrong!r}"[:500], flush=True)
                self._missed += 1

    def second(self, now: float) -> None:
        """One second of all owners. Who does not answer within half a second is left out of it."""
        self._owners = owners = self._owners or owners_of(self._settings)
        asked = [owner.tick.remote(now) for owner in owners]
        ready, late = ray.wait(asked, num_returns=len(asked), timeout=None if not self._settings["beat"]
                               else .5)
        told = []
        for one in ready:
            try:
                told.append(ray.get(one))
            except ray.exceptions.RayError:
                late.append(one)
        self._missed += len(late)
        exchange = self._commons.advance(told, now)
        absorbed = [owner.absorb.remote(exchange) for owner in owners]
        if not self._settings["beat"]:
            ray.get(absorbed)

    def about(self) -> dict[str, Any]:
        return {"seconds": self._commons.number, "missed": self._missed,
                "epoch": self._epochs.number, "state_hash": self._commons.state_hash()}


class Models:
    """Registry, trainings and experiments: what changes models, in one place.

    It learns from what all owners have when a training is asked for. Fits of the trainer ray are tasks of the
    cluster. Trainings end with it, and are then found failed; versions and aliases that were acknowledged
    stay.
    """

    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._folder = pathlib.Path(settings["folder"]) / "registry"
        self._folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + FOLDER_PATIENCE_S
        while True:
            try:
                self._service = _engine.Service(
                    Engine(), folder=str(self._folder), token=settings["token"], models="apart",
                    definitions=settings["models"], fits=RayFits(settings["fit_cpus"]))
                return
            except RuntimeError:  # an earlier incarnation still holds the folder
                if time.monotonic() > until:
                    raise
                time.sleep(.2)

    def ask(self, *request: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if request[0] == "POST" and request[1].split("?", 1)[0] == "/ml/models/train":
            told = [owner.material.remote() for owner in owners_of(self._settings)]
            self._service.learn_from(ray.get(told, timeout=60))
        return self._service.handle(*request)

    def champions(self, held: dict[str, str]) -> list[tuple[str, int, str, bytes, bool]]:
        """Champions as (model, version, sha256, file, whether an experiment of it runs).

        The file of one whose hash is held already is left out.
        """
        return [(model, version, sha256,
                 b"" if held.get(model) == sha256
                 else (self._folder / "models" / f"{model}-{version}.onnx").read_bytes(),
                 self._service.compares(model))
                for model, version, sha256 in self._service.champions()]

    def add(self, model: str, file: bytes) -> int:
        return self._service.add_model(model, file)

    def about(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "champions": self._service.champions()}


def _name(settings: dict[str, Any], part: str) -> str:
    return f"{settings['name']}-{part}"


def _make(actor: Any, name: str, settings: dict[str, Any], *arguments: Any) -> Any:
    return ray.remote(actor).options(
        name=name, namespace=NAMESPACE, lifetime="detached", get_if_exists=True,
        max_restarts=-1, max_task_retries=0, max_concurrency=4, num_cpus=settings["owner_cpus"],
    ).remote(*arguments, settings)


def make_owners(settings: dict[str, Any]) -> tuple[list[Any], Any]:
    """The owners and the commons: those that run, or new ones."""
    owners = [_make(UserShards, _name(settings, f"owner-{place:02d}"), settings, place)
              for place in range(settings["owners"])]
    return owners, _make(Commons, _name(settings, "commons"), settings)


def make_models(settings: dict[str, Any]) -> Any:
    """The actor of models: the one that runs, or a new one."""
    return _make(Models, _name(settings, "models"), settings)


def models_of(name: str) -> Any:
    """The actor of models of an application. Raises ValueError when there is none."""
    return ray.get_actor(_name({"name": name}, "models"), NAMESPACE)


def owners_of(settings: dict[str, Any]) -> list[Any]:
    return [ray.get_actor(_name(settings, f"owner-{place:02d}"), NAMESPACE)
            for place in range(settings["owners"])]


def end_owners(settings: dict[str, Any]) -> int:
    """Ends owners, commons and models for good; what they last saved stays. Gives how many there were."""
    ended = 0
    parts = [f"owner-{place:02d}" for place in range(_engine.SHARDS)] + ["commons", "models"]
    for part in parts:
        try:
            actor = ray.get_actor(_name(settings, part), NAMESPACE)
        except ValueError:
            continue
        ray.kill(actor, no_restart=True)
        ended += 1
    return ended
