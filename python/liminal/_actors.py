"""The named actors of an application on a cluster: made, found, renewed one by one, and ended."""
from __future__ import annotations

import contextlib
import hashlib
import json
import time
from typing import Any

import ray

from liminal import _engine
from liminal._folder import ELSEWHERE_AFTER_S, ClusterMemory, refuse_default

NAMESPACE = "liminal"
# Where all of them keep what they know.
_KEPT = ("folder", "store", "store_s", "owners")
# What of the settings each kind of actor goes by.
_USED = {
    "owner": (*_KEPT, "profile", "mode", "token", "snapshot_s", "journal", "rows", "owner_cpus", "beat"),
    "commons": (*_KEPT, "profile", "snapshot_s", "owner_cpus", "beat"),
    "models": (*_KEPT, "token", "models", "fit_cpus", "onnxruntime", "threads", "owner_cpus"),
}
# What cannot become another while they run: their state lies there, by that number.
_FIXED = ("folder", "store", "owners")
_ABOUT_PATIENCE_S = 20.0
# What never began: so long it may find no room, and so long it may take on a node that has some.
_ROOM_PATIENCE_S = 60.0
_BEGIN_PATIENCE_S = 240.0
# What ran before, and is being restarted while it is deployed again: so long it is waited for, to be renewed.
_AWAY_PATIENCE_S = 20.0
_RETIRING_PATIENCE_S = 30.0
_RENEWED_PATIENCE_S = 120.0
_ROUNDS = 5
# Requests that an actor has under way at once. Of an owner more, since each waits for the disk and one write serves
# whoever waits.
_THREADS, _OWNER_THREADS = 4, 32
# Of an owner, for the seconds and what the commons tell, in their order: never behind requests.
BEAT = "beat"


class Gone(Exception):
    """Nobody has the name now."""


def _name(settings: dict[str, Any], part: str) -> str:
    return f"{settings['name']}-{part}"


def owner_parts(settings: dict[str, Any]) -> list[str]:
    return [f"owner-{place:02d}" for place in range(settings["owners"])]


def parts_of(settings: dict[str, Any]) -> list[str]:
    return ["models", "commons", *owner_parts(settings)]


def used(part: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What of the settings a part goes by: "owner-07", "commons", "models"."""
    return {key: settings[key] for key in _USED[part.partition("-")[0]]}


class Named:
    """An actor by its name, whoever has it now: one that was renewed has another handle."""

    def __init__(self, settings: dict[str, Any], part: str):
        self._name = _name(settings, part)
        self._actor: Any = None

    @property
    def known(self) -> bool:
        return self._actor is not None

    def forget(self) -> None:
        """Looks for it again the next time."""
        self._actor = None

    def call(self, method: str, *arguments: Any) -> Any:
        """Asks, without waiting: the reference of the answer. Raises Gone."""
        if self._actor is None:
            try:
                self._actor = ray.get_actor(self._name, NAMESPACE)
            except ValueError:
                raise Gone(self._name) from None
        return getattr(self._actor, method).remote(*arguments)


def make(part: str, settings: dict[str, Any]) -> Any:
    """The actor of a part: the one that runs, or a new one."""
    from liminal import _owner

    kind = {"commons": _owner.Commons, "models": _owner.Models}.get(part, _owner.UserShards)
    is_owner = kind is _owner.UserShards
    place = [int(part[6:])] if is_owner else []
    return ray.remote(concurrency_groups={BEAT: 1} if is_owner else {})(kind).options(
        name=_name(settings, part), namespace=NAMESPACE, lifetime="detached", get_if_exists=True,
        max_restarts=-1, max_task_retries=0, max_concurrency=_OWNER_THREADS if is_owner else _THREADS,
        num_cpus=settings["owner_cpus"], scheduling_strategy="SPREAD",
    ).remote(*place, settings)


def make_owners(settings: dict[str, Any]) -> tuple[list[Any], Any]:
    """The owners and the commons: those that run, or new ones."""
    return [make(part, settings) for part in owner_parts(settings)], make("commons", settings)


def models_of(name: str) -> Any:
    """The actor of models of an application. Raises ValueError when there is none."""
    return ray.get_actor(_name({"name": name}, "models"), NAMESPACE)


def owners_of(settings: dict[str, Any]) -> list[Any]:
    return [ray.get_actor(_name(settings, part), NAMESPACE) for part in owner_parts(settings)]


def _running(settings: dict[str, Any], part: str) -> Any:
    try:
        return ray.get_actor(_name(settings, part), NAMESPACE)
    except ValueError:
        return None


def abouts(actors: dict[str, Any], ended: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """What actors say of themselves; who does not answer, since it is being restarted or gone, is left out.

    `ended`: takes why, of those that are gone.
    """
    asked = {actor.about.remote(): part for part, actor in actors.items()}
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ABOUT_PATIENCE_S) if asked else ([], [])
    told = {}
    for one in ready:
        try:
            told[asked[one]] = ray.get(one)
        except ray.exceptions.RayActorError as wrong:
            print(f"{asked[one]} does not answer: {wrong}"[:2000], flush=True)
            if ended is not None:
                ended[asked[one]] = (str(wrong).strip().splitlines() or [""])[-1]
    return told


def silence_of(settings: dict[str, Any], part: str) -> tuple[str, bool, bool]:
    """Of a part that does not answer: why, in words; whether it has a node; whether it ever began."""
    actor = _running(settings, part)
    if actor is None:
        return "is not there", False, False
    held = ray._private.state.actors(actor._actor_id.hex())
    memory = ClusterMemory(settings["name"])
    # Restarted is also who waited for its folder on another node.
    began = (held.get("State") not in ("DEPENDENCIES_UNREADY", "PENDING_CREATION") and
             memory.get(f"{part}/began") is not None)
    if words := memory.get(f"{part}/refused"):
        return words, True, began
    # The node that is asked for room is known before it has some; the worker's port only then.
    placed = bool(held.get("Address", {}).get("Port"))
    if not placed:
        return f"no node has {settings['owner_cpus']:g} CPU free for it", False, began
    return "it does not answer", True, began


def _answers(settings: dict[str, Any], ended: dict[str, str], away_patience_s: float) -> dict[str, dict[str, Any]]:
    """What the parts say of themselves, made where they are not there.

    One that never began is waited for; raises RuntimeError when it finds no node, is refused its folder, or takes
    too long. One that ran once and is away keeps nobody for longer than `away_patience_s`: requests for it wait, and
    /readyz tells.
    """
    begin = time.monotonic()
    while True:
        told = abouts({part: make(part, settings) for part in parts_of(settings)}, ended)
        silent = {part: silence_of(settings, part) for part in parts_of(settings)
                  if part not in told and _running(settings, part) is not None}
        waiting = {part: (why, placed) for part, (why, placed, began) in silent.items() if not began}
        took = time.monotonic() - begin
        if not waiting and (not silent or took >= away_patience_s):
            for part, (why, _, _) in silent.items():
                print(f"{part} is away: {why}", flush=True)
            return told
        for part, (why, placed) in waiting.items():
            patience_s = (ELSEWHERE_AFTER_S if why.startswith(("folder: ", "store: "))  # a volume may be mounted late
                          else _BEGIN_PATIENCE_S if placed else _ROOM_PATIENCE_S)
            if took > patience_s:
                raise RuntimeError(f"{part}: {why}")
        time.sleep(.1)


def refuse_what_is_fixed(settings: dict[str, Any], told: dict[str, dict[str, Any]]) -> None:
    """Raises ValueError when parts that run have another folder, or another number of owners."""
    for part, about in told.items():
        known = about.get("settings", {})
        for key in _FIXED:
            if key in known and known[key] != settings[key]:
                raise ValueError(
                    f"{key}: {_name(settings, part)} runs with {known[key]!r}; take the application away "
                    f"first (scripts/deploy_ml_serve.py --undeploy) to begin with {settings[key]!r}")


def differs(part: str, settings: dict[str, Any], about: dict[str, Any]) -> bool:
    return about.get("settings") != used(part, settings) or about.get("version") != _engine.__version__


def _mark(settings: dict[str, Any]) -> str:
    """Another one for other settings that a part goes by, or another version of the package."""
    told = json.dumps([[used(kind, settings) for kind in _USED], _engine.__version__], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


class Renewer:
    """Renews one part after the other, for everybody who asks: an actor of its own while it is needed."""

    def renew(self, settings: dict[str, Any], parts: list[str], always: bool) -> list[str]:
        """Renews those of the parts that differ from the settings, or all of them. Gives their names."""
        renewed = []
        for part in parts:
            actor = _running(settings, part)
            if actor is not None and (about := abouts({part: actor}).get(part)) is not None:
                if always or differs(part, settings, about):
                    renew_one(settings, part)
                    renewed.append(part)
        return renewed


def renew_one(settings: dict[str, Any], part: str) -> None:
    """Has a part save itself, ends it, and begins it again with these settings, where Ray finds room now.

    Raises RuntimeError when it cannot save itself, and leaves it as it was.
    """
    actor = ray.get_actor(_name(settings, part), NAMESPACE)
    before = ray.get(actor.about.remote(), timeout=_ABOUT_PATIENCE_S).get("incarnation")
    _retire(part, actor)
    ray.kill(actor, no_restart=True)
    until = time.monotonic() + _RENEWED_PATIENCE_S
    while time.monotonic() < until:
        try:
            told = ray.get(make(part, settings).about.remote(), timeout=_ABOUT_PATIENCE_S)
            if told["incarnation"] != before:
                return
        except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError) as wrong:
            print(f"{part} is not back yet: {wrong!r}"[:500], flush=True)
        time.sleep(.1)
    raise RuntimeError(f"{part}: did not come back in {_RENEWED_PATIENCE_S:.0f} s")


def _retire(part: str, actor: Any) -> None:
    try:
        retiring = actor.retire.remote()
    except AttributeError:  # of a version that could not
        print(f"{part} is ended as it last saved itself", flush=True)
        return
    try:
        ray.get(retiring, timeout=_RETIRING_PATIENCE_S)
    except ray.exceptions.GetTimeoutError:
        with contextlib.suppress(AttributeError):  # the commons refuse nobody
            actor.resume.remote()
        raise RuntimeError(f"{part}: did not save itself in {_RETIRING_PATIENCE_S:.0f} s, and goes on as it "
                           "was") from None
    except ray.exceptions.RayTaskError as wrong:
        raise RuntimeError(f"{part}: could not save itself, and goes on as it was: {wrong.cause!r}") from wrong


def ensure(settings: dict[str, Any], always: bool = False) -> list[str]:
    """Has every part run as the settings, and this version of the package, want it; gives what was renewed.

    Parts that are not there are made. Parts that differ, or all that run (`always`), are renewed one after the
    other: each saves itself, so that nothing that was acknowledged is lost, requests for it wait meanwhile, and
    Ray begins it again on the node that has most room. Parts that are being restarted come back with what they had:
    they are waited for, for a while, until all were once seen with these settings. Raises ValueError for what cannot
    become another while they run, and RuntimeError when one begins with something else than was wanted, does not
    stay, finds no room or not its folder, or cannot save itself and so goes on as it was.
    """
    renewed: list[str] = []
    ended: dict[str, str] = {}
    there = {part: actor for part in parts_of(settings) if (actor := _running(settings, part)) is not None}
    if len(there) < len(parts_of(settings)):  # what runs does not end because a node came
        if not settings["store"]:
            refuse_default(settings["folder"])
    refuse_what_is_fixed(settings, abouts(there))
    memory, mark = ClusterMemory(settings["name"]), _mark(settings)
    away_patience_s = 0.0 if memory.get("deployed") == mark else _AWAY_PATIENCE_S
    for _ in range(_ROUNDS):
        told = _answers(settings, ended, away_patience_s)
        wanted = [part for part in told if differs(part, settings, told[part]) or
                  (always and part in there and part not in renewed)]
        # Ended by another's renewer meanwhile, or by what it began with.
        gone = [part for part in parts_of(settings) if part not in told and _running(settings, part) is None]
        if not wanted and not gone:
            if len(told) == len(parts_of(settings)):
                memory.put("deployed", mark)
            return renewed
        if not wanted:
            continue
        if stubborn := [part for part in wanted if part in renewed]:
            raise RuntimeError(
                f"{stubborn[0]}: was renewed and has other settings again, or version "
                f"{told[stubborn[0]].get('version')} of the package where {_engine.__version__} is wanted")
        renewer = ray.remote(Renewer).options(
            name=_name(settings, "renewer"), namespace=NAMESPACE, get_if_exists=True, num_cpus=0).remote()
        try:
            renewed += ray.get(renewer.renew.remote(settings, wanted, always))
        except ray.exceptions.RayActorError:  # another's, who has ended it: look again
            continue
        finally:
            ray.kill(renewer)
    why = next((f" ({ended[part]})" for part in gone if part in ended), "")
    raise RuntimeError(f"{', '.join(wanted or gone)}: somebody else is renewing them, or they cannot begin{why}")


def _end(actors: dict[str, Any]) -> None:
    """Ends actors for good, after they saved themselves. Who cannot is ended as if it had been killed."""
    retiring = {}
    for part, actor in actors.items():
        try:
            retiring[actor.retire.remote()] = part
        except AttributeError:  # of a version that could not
            print(f"{part} is ended as it last saved itself", flush=True)
    if retiring:
        ray.wait(list(retiring), num_returns=len(retiring), timeout=_RETIRING_PATIENCE_S)
    for one, part in retiring.items():
        try:
            ray.get(one, timeout=.01)
        except ray.exceptions.RayError as wrong:
            print(f"{part} did not save itself: {wrong!r}"[:500], flush=True)
    for actor in actors.values():
        ray.kill(actor, no_restart=True)


def end_owners(settings: dict[str, Any]) -> int:
    """Ends owners, commons and models for good, after they saved themselves. Gives how many there were.

    The cluster forgets their folder: who begins them again may give another.
    """
    parts = [f"owner-{place:02d}" for place in range(_engine.SHARDS)] + ["commons", "models"]
    there = {part: actor for part in parts if (actor := _running(settings, part)) is not None}
    _end(there)
    ClusterMemory(settings["name"]).forget_all()
    return len(there)
