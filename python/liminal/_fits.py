"""The fits of a training as tasks of a Ray cluster: what the trainer ray is made of.

The search stays where the training was asked for. What it fits to is put into the object store once; every
process that carries out fits prepares it for itself, to the same bits, and keeps it for the next ones. A fit
whose process dies is carried out again elsewhere by Ray; it gives the same.
"""
from __future__ import annotations

import collections
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray

from liminal import _engine
from liminal._spread import Spread

# What a fit is reckoned at where nothing else is said: as little as the other parts of the application.
FIT_CPUS = .5
_AT_ONCE_MAX = 64
# Workers of a distributed training that nobody said the number of.
_SPREAD_MAX = 16
_PREPARED_MAX = 2
_LOOK_EVERY_S = .2
# So much later than its time a fit may come back; what waited for a processor too long is given up.
_LATE_S = 5.0

_prepared: collections.OrderedDict[str, Any] = collections.OrderedDict()


def carry_out(key: str, source: np.ndarray, job: bytes, left_s: float) -> bytes | None:
    """Carries out one fit in a worker's process; None when nothing was done in time."""
    apart = _prepared.get(key)
    if apart is None:
        apart = _prepared[key] = _engine.FitsApart(source)
        while len(_prepared) > _PREPARED_MAX:
            _prepared.popitem(last=False)
    return apart.fit(job, left_s)


class RayFits:
    """Where the fits of trainings are carried out: a cluster that this process is connected to."""

    def __init__(self, cpus: float = FIT_CPUS, folder: str | None = None):
        self._cpus = cpus
        self._folder = folder or tempfile.gettempdir()
        self._task = ray.remote(num_cpus=cpus, max_retries=3)(carry_out)

    def at_once(self) -> int:
        """How many fits the free processors of the cluster can take now, at least one."""
        free = ray.available_resources().get("CPU", 0) / self._cpus if self._cpus else _AT_ONCE_MAX
        return max(1, min(_AT_ONCE_MAX, int(free)))

    def spread(self, files: list[str], features: list[str], target: str, classes: bool, workers: int,
               sample_rows: int, rounds_max: int, budget_s: float, seed: int) -> Spread:
        """A distributed training of so many workers (0: as many as there is room for); nothing begins yet."""
        return Spread({
            "files": files, "features": features, "target": target, "classes": classes,
            "workers": workers or min(_SPREAD_MAX, self.at_once()), "sample_rows": sample_rows,
            "rounds_max": rounds_max, "budget_s": budget_s, "seed": seed, "cpus": self._cpus}, self._folder)

    def __call__(self, source: np.ndarray) -> Callable[[bytes, float, Callable[[], bool]], bytes | None]:
        there = ray.put(source)

        def fit(job: bytes, left_s: float, stopped: Callable[[], bool]) -> bytes | None:
            until = time.monotonic() + left_s
            task = self._task.remote(there.hex(), there, job, left_s)
            while not ray.wait([task], timeout=_LOOK_EVERY_S)[0]:
                late = time.monotonic() - until
                if late > _LATE_S or (late < 0 and stopped()):
                    ray.cancel(task, force=True)
                    return None
            return ray.get(task)

        return fit
