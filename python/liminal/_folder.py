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
from urllib.parse import quote, unquote

import ray
from ray.experimental import internal_kv

from liminal._store import Store

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


class Place(Protocol):
    """Where the state of an application outlives its actors: a folder that all nodes see, or an object store."""

    words: str  # what it is, for people

    def names(self, under: str = "") -> list[str]: ...

    def make(self, name: str) -> None: ...


class FolderPlace:
    """A folder."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.words = folder, f"folder: {folder}"

    def names(self, under: str = "") -> list[str]:
        try:
            return os.listdir(self.folder / under)
        except FileNotFoundError:
            return []

    def make(self, name: str) -> None:
        make_private(self.folder)
        (self.folder / name).mkdir(mode=0o700, exist_ok=True)


class StorePlace:
    """An object store, below an address."""

    def __init__(self, store: Store):
        self.store, self.words = store, f"store: {store.url}"

    def names(self, under: str = "") -> list[str]:
        return self.store.names(under)

    def make(self, name: str) -> None:
        self.store.create(f"{name}/made")


def _numbers(place: Place, prefix: str, under: str = "") -> list[str]:
    return sorted(name.removeprefix(prefix) for name in place.names(under) if name.startswith(prefix))


def hold(place: Place, owners: int, name: str) -> None:
    """Notes whose a place is: how many owners share it, and the application's name. Raises ValueError when it is
    another number's or another application's, who would end each other's actors.
    """
    for what, mine in (("owners", str(owners)), ("name", quote(name, safe=""))):
        known = _numbers(place, f"{what}-")
        if known and mine not in known:
            raise ValueError(f"{what}: {place.words.partition(': ')[2]} was begun by {unquote(known[0])}; another "
                             f"{'number' if what == 'owners' else 'application'} takes another folder or store")
        if not known:
            place.make(f"{what}-{mine}")


def identity_of(place: Place) -> str:
    """What tells a place from all others; it is given one where it has none."""
    if isinstance(place, FolderPlace):
        make_private(place.folder)
    if there := _numbers(place, "identity-"):
        return there[0]
    made = secrets.token_hex(16)
    place.make(f"identity-{made}")
    return made


def refusal(place: Place, part: str, memory: Memory, waited_s: float = _EMPTY_AFTER_S) -> str | None:
    """Why a part must not begin with the place as it is seen here, in words; None when it may.

    Raises Unfit or OSError for one that cannot be used. `waited_s`: for how long the part has not begun.
    """
    known = memory.get("folder")
    if known is None:
        elsewhere = isinstance(place, FolderPlace) and waited_s < _EMPTY_AFTER_S and _nodes() > 1
        if elsewhere and not _numbers(place, "identity-") and not _numbers(place, "owners-"):
            return f"{place.words} is not there, or empty: another node may have what was kept"
        known = memory.put_first("folder", identity_of(place))
    # Two that begin at once may have made one each: one of them is remembered.
    there = _numbers(place, "identity-")
    if known not in there:
        which = "another one than" if there else "not there, or empty, unlike"
        return (f"{place.words} is {which} the one that the application began with: have this node see that "
                "one, or take the application away (scripts/deploy_ml_serve.py --undeploy) and that one too, to begin "
                "with this")
    last = int(memory.get(f"{part}/epoch") or 0)
    found = max((int(number) for number in _numbers(place, "epoch-", part) if number.isdigit()), default=0)
    if found < last:
        return (f"{place.words}/{part} ends with epoch {found}, and {last} had begun: it lacks what was "
                "acknowledged since")
    return None


def _place_of(settings: dict[str, Any]) -> Place:
    if not settings.get("store"):
        return FolderPlace(pathlib.Path(settings["folder"]))
    try:
        return StorePlace(Store(settings["store"]))
    except ValueError as wrong:  # of a node that lacks the package
        raise Unfit(str(wrong)) from None


def _node_folder(folder: pathlib.Path, place: Place, identity: str | None = None) -> pathlib.Path:
    """The folder of this node for what lies in a place."""
    make_private(folder)
    if isinstance(place, FolderPlace):
        return folder
    held = folder / f"store-{identity or identity_of(place)}"
    make_private(held)
    return held


def begin_in_folder(
    settings: dict[str, Any], part: str, memory: Memory | None, begin: Callable[[pathlib.Path, Place], _Begun]
) -> _Begun:
    """What `begin` gives, of the folder that a part may begin with, and the place where its state outlives it: that
    folder, or a store, which the folder is of this node then. Until it may, and while either cannot be read or
    written, tells why not, here and to the cluster: an actor that ended by an exception would not be begun again.
    """
    folder = pathlib.Path(settings["folder"])
    if memory is None:
        place = _place_of(settings)
        return begin(_node_folder(folder, place), place)
    since, told = time.monotonic(), None
    while True:
        waited = time.monotonic() - since
        try:
            place = _place_of(settings)
            wrong = refusal(place, part, memory, waited)
            if wrong is None:
                begun = begin(_node_folder(folder, place, memory.get("folder")), place)
                break
        except Unfit as unfit:
            wrong = str(unfit)
        except OSError as broken:  # of a mount or a store that is away
            wrong = (f"folder: {broken.filename or folder}: {broken.strerror}" if broken.strerror
                     else f"store: {broken}")
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
