"""The folder of an application on a cluster: whose it is, that it is the one it began with, and how far it had come.

The folder has an identity, and the cluster remembers it, and the last epoch of each part, beside it: in Ray's own
table of keys, which lives as long as the head (or its Redis). So a part that is begun where the folder is not
mounted, is another one, or is an older copy does not begin with nothing, or with less than was acknowledged.
"""
from __future__ import annotations

import os
import pathlib
import secrets
import stat
import time
from typing import Any, Protocol

import ray
from ray.experimental import internal_kv

_NAMESPACE = b"liminal"
# A volume may be mounted late; after so long Ray may find another node.
_LOOK_EVERY_S = 1.0
_ELSEWHERE_AFTER_S = 60.0


class Memory(Protocol):
    """Texts by their names, beside the folder."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, text: str) -> None: ...

    def put_first(self, name: str, text: str) -> str:
        """What is there in the end: this, unless there was something."""

    def forget(self, name: str) -> None: ...


class ClusterMemory:
    """What the cluster remembers of an application."""

    def __init__(self, application: str):
        self._application = application

    def _key(self, name: str) -> bytes:
        return f"{self._application}/{name}".encode()

    def get(self, name: str) -> str | None:
        found = internal_kv._internal_kv_get(self._key(name), namespace=_NAMESPACE)
        return None if found is None else found.decode()

    def put(self, name: str, text: str) -> None:
        internal_kv._internal_kv_put(self._key(name), text.encode(), namespace=_NAMESPACE)

    def put_first(self, name: str, text: str) -> str:
        internal_kv._internal_kv_put(self._key(name), text.encode(), overwrite=False, namespace=_NAMESPACE)
        return self.get(name) or text

    def forget(self, name: str) -> None:
        internal_kv._internal_kv_del(self._key(name), namespace=_NAMESPACE)

    def forget_all(self) -> None:
        internal_kv._internal_kv_del(self._key(""), del_by_prefix=True, namespace=_NAMESPACE)


def memory_of(settings: dict[str, Any]) -> Memory | None:
    """Of an actor's cluster; None in a process that is none of its actors."""
    if not ray.is_initialized() or ray.get_runtime_context().get_actor_id() is None:
        return None
    return ClusterMemory(settings["name"])


def default_folder() -> str:
    """Of one node, and of one user of it."""
    state = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
    return str(pathlib.Path(state) / "liminal")


def refuse_default(folder: str) -> None:
    """Raises ValueError when nobody said which folder all nodes see, and there are several."""
    if folder == default_folder() and (nodes := sum(node["Alive"] for node in ray.nodes())) > 1:
        raise ValueError(f"folder: must be given where there are {nodes} nodes: one that all of them see")


def make_private(folder: pathlib.Path) -> None:
    """Makes a folder that its owner alone can read; raises ValueError when it is another user's, but root's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held, user = folder.stat(), os.geteuid()
    if held.st_uid not in (user, 0):
        raise ValueError(f"folder: {folder} is of another user")
    if held.st_uid == user and stat.S_IMODE(held.st_mode) & 0o077:
        folder.chmod(0o700)


def hold_number(folder: pathlib.Path, owners: int) -> None:
    """Notes how many owners a folder is shared by; raises ValueError when it is another number's."""
    known = [path.name for path in folder.glob("owners-*")]
    if known and f"owners-{owners}" not in known:
        raise ValueError(f"owners: {folder} was begun by {known[0][7:]}; another number takes another folder")
    (folder / f"owners-{owners}").mkdir(mode=0o700, exist_ok=True)


def _numbers(folder: pathlib.Path, prefix: str) -> list[str]:
    try:
        return sorted(name.removeprefix(prefix) for name in os.listdir(folder) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def refusal(folder: pathlib.Path, part: str, memory: Memory) -> str | None:
    """Why a part must not begin with the folder as it is seen here, in words; None when it may."""
    known = memory.get("folder")
    if known is None:
        make_private(folder)
        there = _numbers(folder, "identity-")
        if not there:
            there = [secrets.token_hex(16)]
            (folder / f"identity-{there[0]}").mkdir(mode=0o700)
        known = memory.put_first("folder", there[0])
    # Two that begin at once may have made one each: one of them is remembered.
    there = _numbers(folder, "identity-")
    if known not in there:
        which = "another one than" if there else "not there, or empty, unlike"
        return f"folder: {folder} is {which} the one that the application began with"
    last = int(memory.get(f"{part}/epoch") or 0)
    found = max((int(number) for number in _numbers(folder / part, "epoch-") if number.isdigit()), default=0)
    if found < last:
        return (f"folder: {folder / part} ends with epoch {found}, and {last} had begun: it lacks what was "
                "acknowledged since")
    return None


def wait_for_folder(settings: dict[str, Any], part: str, memory: Memory | None) -> None:
    """Returns when a part may begin with its folder, and until then tells why not, here and to the cluster."""
    folder = pathlib.Path(settings["folder"])
    if memory is None:
        make_private(folder)
        return
    until, told = time.monotonic() + _ELSEWHERE_AFTER_S, None
    while (wrong := refusal(folder, part, memory)) is not None:
        if wrong != told:
            told = wrong
            print(f"{part} does not begin: {wrong}", flush=True)
            memory.put(f"{part}/refused", f"{wrong} (node {ray.util.get_node_ip_address()})")
        if time.monotonic() > until:
            os._exit(1)  # Ray begins it again, maybe on another node
        time.sleep(_LOOK_EVERY_S)
    memory.forget(f"{part}/refused")
