"""The folder of an application on a cluster: whose it is, that it is the one it began with, and how far it had come.

The folder has an identity, and the cluster remembers it, and the last epoch of each part, beside it: in Ray's own
table of keys, which lives as long as the head (or its Redis). So a part that is begun where the folder is not
mounted, is another one, or is an older copy does not begin with nothing, or with less than was acknowledged.
"""
from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import stat
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import ray
from ray.experimental import internal_kv

_NAMESPACE = b"liminal"
# A volume may be mounted late; after so long Ray may find another node.
_LOOK_EVERY_S = 1.0
ELSEWHERE_AFTER_S = 60.0
# Where nothing is known of a folder yet: so long one that is empty is left to another node that has something in it.
_EMPTY_AFTER_S = 5.0
_Begun = TypeVar("_Begun")


class Unfit(ValueError):
    """A folder that is not to be used here, and may be on another node, or later."""


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
        self._application = quote(application, safe="")  # "a" is not to forget what is of "a/b"

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


def _nodes() -> int:
    return sum(node["Alive"] for node in ray.nodes())


def refuse_default(folder: str) -> None:
    """Raises ValueError when nobody said which folder all nodes see, and there are several."""
    if folder == default_folder() and (nodes := _nodes()) > 1:
        raise ValueError(f"folder: must be given where there are {nodes} nodes: one that all of them see")


def make_private(folder: pathlib.Path) -> None:
    """Makes a folder that its owner alone can read. One that is there stays as it is: raises Unfit when it is another
    user's, but root's, or everybody may write it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    held = folder.stat()
    if not {folder.lstat().st_uid, held.st_uid} <= {os.geteuid(), 0}:
        raise Unfit(f"folder: {folder} is of another user")
    if held.st_mode & stat.S_IWOTH:
        raise Unfit(f"folder: {folder} may be written by everybody: give a folder in it, which is made for its owner "
                    "alone")


def hold_number(folder: pathlib.Path, owners: int) -> None:
    """Notes how many owners a folder is shared by; raises ValueError when it is another number's."""
    known = _numbers(folder, "owners-")
    if known and str(owners) not in known:
        raise ValueError(f"owners: {folder} was begun by {known[0]}; another number takes another folder")
    (folder / f"owners-{owners}").mkdir(mode=0o700, exist_ok=True)


def _numbers(folder: pathlib.Path, prefix: str) -> list[str]:
    try:
        return sorted(name.removeprefix(prefix) for name in os.listdir(folder) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def refusal(folder: pathlib.Path, part: str, memory: Memory, waited_s: float = _EMPTY_AFTER_S) -> str | None:
    """Why a part must not begin with the folder as it is seen here, in words; None when it may.

    Raises Unfit or OSError for a folder that cannot be used. `waited_s`: for how long the part has not begun.
    """
    known = memory.get("folder")
    if known is None:
        there = _numbers(folder, "identity-")
        empty = not there and not _numbers(folder, "owners-")
        if empty and waited_s < _EMPTY_AFTER_S and _nodes() > 1:
            return f"folder: {folder} is not there, or empty: another node may have what was kept"
        make_private(folder)
        if not there:
            there = [secrets.token_hex(16)]
            (folder / f"identity-{there[0]}").mkdir(mode=0o700)
        known = memory.put_first("folder", there[0])
    # Two that begin at once may have made one each: one of them is remembered.
    there = _numbers(folder, "identity-")
    if known not in there:
        which = "another one than" if there else "not there, or empty, unlike"
        return (f"folder: {folder} is {which} the one that the application began with: have this node see that "
                "one, or take the application away (scripts/deploy_ml_serve.py --undeploy) and that one too, to begin "
                "with this")
    last = int(memory.get(f"{part}/epoch") or 0)
    found = max((int(number) for number in _numbers(folder / part, "epoch-") if number.isdigit()), default=0)
    if found < last:
        return (f"folder: {folder / part} ends with epoch {found}, and {last} had begun: it lacks what was "
                "acknowledged since")
    return None


def begin_in_folder(
    settings: dict[str, Any], part: str, memory: Memory | None, begin: Callable[[pathlib.Path], _Begun]
) -> _Begun:
    """What `begin` gives, of the folder that a part may begin with. Until it may, and while the folder cannot be read
    or written, tells why not, here and to the cluster: an actor that ended by an exception would not be begun again.
    """
    folder = pathlib.Path(settings["folder"])
    if memory is None:
        make_private(folder)
        return begin(folder)
    since, told = time.monotonic(), None
    while True:
        waited = time.monotonic() - since
        try:
            wrong = refusal(folder, part, memory, waited)
            if wrong is None:
                begun = begin(folder)
                break
        except Unfit as unfit:
            wrong = str(unfit)
        except OSError as broken:  # of a mount that is away
            wrong = f"folder: {broken.filename or folder}: {broken.strerror or broken}"
        if wrong != told:
            told = wrong
            print(f"{part} does not begin: {wrong}", flush=True)
            memory.put(f"{part}/refused", f"{wrong} (node {ray.util.get_node_ip_address()})")
        if waited > ELSEWHERE_AFTER_S:
            os._exit(1)  # Ray begins it again, maybe on another node
        time.sleep(_LOOK_EVERY_S)
    memory.put(f"{part}/began", "yes")
    memory.forget(f"{part}/refused")
    return begun
