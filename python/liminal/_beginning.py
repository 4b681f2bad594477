"""With what an incarnation of an actor begins: its epoch, what lies in it, and what keeps it beyond its node."""
from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from typing import Any

from liminal._epochs import DRAFTS, Epochs, epoch_name, epochs_in
from liminal._folder import Memory, Place, StorePlace, Unfit, begin_in_folder, hold, make_private, memory_of
from liminal._mirror import DATABASE, EpochMirror, Mirror, RegistryMirror, claim, copy_of_database, fetch


def _remember(memory: Memory | None, part: str, number: int) -> None:
    """A later incarnation may have been faster."""
    if memory is not None:
        memory.put(f"{part}/epoch", str(max(number, int(memory.get(f"{part}/epoch") or 0))))


def begin_epoch(settings: dict[str, Any], part: str) -> tuple[Epochs, Mirror | None]:
    """The next epoch of a part, where the application keeps its state, with those before it in the folder beside."""
    memory = memory_of(settings)

    def begin(folder: pathlib.Path, place: Place) -> tuple[Epochs, Mirror | None]:
        hold(place, settings["owners"], settings["name"])
        if not isinstance(place, StorePlace):
            epochs, mirror = Epochs(folder / part), None
        else:
            number = claim(place.store, part)
            fetch(place.store, part, folder / part, number)
            epochs = Epochs(folder / part, number)
            if epochs.number != number:
                raise Unfit(f"{place.words}/{part} ends with epoch {number}, and this node has had {epochs.number - 1}")
            mirror = EpochMirror(place.store, part, number, epochs.mine, settings["store_s"])
        _remember(memory, part, epochs.number)
        return epochs, mirror

    return begin_in_folder(settings, part, memory, begin)


def begin_registry(settings: dict[str, Any]) -> tuple[pathlib.Path, Mirror | None]:
    """The folder of the models. Where a store keeps them, one of this incarnation's own, with what it has in it."""
    memory = memory_of(settings)

    def begin(folder: pathlib.Path, place: Place) -> tuple[pathlib.Path, Mirror | None]:
        if not isinstance(place, StorePlace):
            make_private(folder / "registry")
            return folder / "registry", None
        number = claim(place.store, "models")
        folder /= "models"
        fetch(place.store, "models", folder, number, whole=f"models/{DATABASE}", most=1)
        mine = folder / epoch_name(number)
        make_private(mine)
        whole = [one for one in sorted(epochs_in(os.listdir(folder)))
                 if one < number and (folder / epoch_name(one) / "models" / DATABASE).exists()]
        if whole:
            _copy_registry(folder / epoch_name(whole[-1]), mine)
        for old in epochs_in(os.listdir(folder)):
            if old < number and old not in whole[-1:]:
                shutil.rmtree(folder / epoch_name(old), ignore_errors=True)
        _remember(memory, "models", number)
        return mine, RegistryMirror(place.store, "models", number, mine, settings["store_s"])

    return begin_in_folder(settings, "models", memory, begin)


def _copy_registry(source: pathlib.Path, target: pathlib.Path) -> None:
    """Who wrote it may be about to end, and not have ended."""
    shutil.copytree(source, target, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(f"{DATABASE}*", "lock", *DRAFTS))
    (target / "models" / DATABASE).write_bytes(copy_of_database(source / "models" / DATABASE))


def begin_mirror(mirror: Mirror | None) -> None:
    """Has the store know of this incarnation, if it can, before anything is answered, and goes on."""
    if mirror is not None:
        with contextlib.suppress(Exception):  # it says so, and is tried again
            mirror.copy()
        mirror.start()
