"""A distributed training: files that no search would hold, read by Ray Data, and trees grown by Ray Train.

An actor of its own does it, so that all that it began ends with it. What judges the trees is drawn from the rows
and given to who asks; how the rows are parted comes back from there.
"""
from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import time
import uuid
from collections.abc import Callable
from typing import Any

import ray

_NEEDED = ("pandas", "pyarrow", "xgboost")
_LOOK_EVERY_S = .2
# Of the way: reading and drawing, then growing.
_READ_SHARE, _DRAWN_SHARE, _GROWN_SHARE = .2, .3, .9
_WORKER_ROWS_MIN = 1000
# Deaths of workers that are borne, and how often the cluster is waited for to have room for them, a minute each.
_DEATHS_MAX, _NO_ROOM_MAX = 3, 2


class SpreadHere:
    """What a distributed training does on the cluster."""

    def __init__(self, wish: Any, folder: str):
        self._wish, self._folder = wish, folder
        self._begun, self._progress = time.monotonic(), 0.0
        self._rows: Any = None
        # Of processes that this does without.
        os.environ |= {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0", "RAY_TRAIN_METRICS_ENABLED": "0"}
        self._came: dict[str, Any] | None = None

    def progress(self) -> float:
        return self._progress

    def heard(self, rounds: int) -> None:
        """A worker's word of how many rounds are done."""
        spent = (time.monotonic() - self._begun) / self._wish.budget_s
        share = min(1.0, max(rounds / self._wish.rounds_max, spent))
        self._progress = _DRAWN_SHARE + (_GROWN_SHARE - _DRAWN_SHARE) * share

    def came(self, made: dict[str, Any]) -> None:
        self._came = made

    def sample(self) -> dict[str, Any]:
        return _told(self._sample)

    def grow(self, parting: dict[str, Any], told: Any) -> dict[str, Any]:
        return _told(self._grow, parting, told)

    def _sample(self) -> dict[str, Any]:
        from liminal import _spread_rows

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        self._rows = _spread_rows.read(self._wish)
        self._progress = _READ_SHARE
        counts = _spread_rows.counts(self._rows, self._wish)
        if self._wish.classes and counts["rows"] and counts["positives"] in (0, counts["rows"]):
            raise ValueError(f"{self._wish.target}: is the same in all {counts['rows']} rows")
        drawn = _spread_rows.drawn(self._rows, self._wish,
                                   min(1.0, self._wish.sample_rows / max(1, counts["rows"])))
        self._progress = _DRAWN_SHARE
        notes = [f"{counts[key]} rows without {name}: none is taken to have one"
                 for key, name in (("untimed", _spread_rows.TIME), ("nobodys", _spread_rows.USER))
                 if 0 < counts[key] < counts["rows"]]
        return {"values": drawn["x"], "labels": drawn["y"], "times": None if counts["untimed"] else drawn["t"],
                "users": None if counts["nobodys"] else drawn["u"], "notes": notes,
                **{key: counts[key] for key in ("rows", "left_out", "positives")}}

    def _grow(self, parting: dict[str, Any], told: Any) -> dict[str, Any]:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.xgboost import XGBoostTrainer

        from liminal import _spread_rows, _spread_trees

        wish = self._wish
        learning = _spread_rows.learning(self._rows, wish, parting)
        self._rows = None
        rows = learning.count()
        workers = max(1, min(wish.workers, rows // _WORKER_ROWS_MIN))
        threads = max(1, int(wish.cpus))
        # The time of day, so that workers who begin anew have no longer.
        until = time.time() + wish.budget_s - (time.monotonic() - self._begun)
        config = {"blocks": _spread_rows.dealt(learning, workers), "classes": wish.classes, "seed": wish.seed,
                  "threads": threads, "rounds_max": wish.rounds_max, "until": until, "told": told}
        XGBoostTrainer(
            _spread_trees.work, train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": wish.cpus},
                                         placement_strategy="SPREAD"),
            run_config=RunConfig(name="trees", storage_path=self._folder, failure_config=FailureConfig(
                max_failures=_DEATHS_MAX, controller_failure_limit=_NO_ROOM_MAX))).fit()
        made = self._came
        if made is None:
            raise RuntimeError("the workers ended without a model")
        self._progress = _GROWN_SHARE
        how = _spread_trees.parameters(wish.classes, wish.seed, threads)
        recipe = (f"boosted trees of {rows} rows by {workers} workers: depth {how['max_depth']}, eta {how['eta']}, "
                  f"{made['rounds']} rounds")
        notes = ["no better round came in time: a longer budget may be better"] if made["out_of_time"] else []
        return {"booster": made["booster"], "rounds": made["rounds"], "score": made["score"],
                "took_s": made["took_s"], "rows": rows, "workers": workers, "recipe": recipe, "notes": notes}


def _told(ask: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What it gives, or what was wrong in words: an exception of somewhere else may not be known where it is read."""
    try:
        return ask(*arguments)
    except Exception as wrong:
        while (cause := getattr(wrong, "cause", None) or wrong.__cause__) is not None and cause is not wrong:
            wrong = cause
        # Of Ray Train's: the first worker's, or why there are no workers.
        wrong = next(iter(getattr(wrong, "worker_failures", {}).values()), getattr(wrong, "controller_failure", wrong))
        # Ray adds lines of advice.
        return {"wrong": f"{wrong}".strip().split("\n")[0][:2000] or type(wrong).__name__,
                # XGBoost's faults are ValueErrors, too.
                "data": isinstance(wrong, ValueError) and type(wrong).__module__.split(".")[0] != "xgboost"}


class Spread:
    """One such training, for who asks for it (src/server/training/spread.hpp): a thread of another process."""

    def __init__(self, wish: dict[str, Any], folder: str):
        self._wish, self._folder = wish, os.path.join(folder, f"spread-{uuid.uuid4().hex}")
        self._actor: Any = None

    def sample(self, stopped: Callable[[], bool], tell: Callable[[float], Any]) -> dict[str, Any] | None:
        """Reads the files, and gives rows drawn by chance with counts of all. None: it was stopped.

        Raises LookupError for what is not installed or has no room, ValueError for what is wrong with the files.
        """
        lacking = [one for one in _NEEDED if importlib.util.find_spec(one) is None]
        if lacking:
            raise LookupError(f"{', '.join(lacking)}: not installed; a distributed training needs liminal[train] "
                              "on every node")
        from liminal._spread_rows import Wish

        wish = Wish(**self._wish)
        has = ray.cluster_resources().get("CPU", 0)
        if wish.workers * wish.cpus > has:
            raise LookupError(f"{wish.workers} workers of {wish.cpus} CPUs each do not fit into the {has:g} of the "
                              "cluster")
        os.makedirs(self._folder, exist_ok=True)
        # Some of a CPU, so that it is not placed where nothing of the application is to run.
        self._actor = ray.remote(num_cpus=.01, max_concurrency=4)(SpreadHere).remote(wish, self._folder)
        return self._wait(self._actor.sample.remote(), stopped, tell)

    def grow(self, parting: dict[str, Any], stopped: Callable[[], bool],
             tell: Callable[[float], Any]) -> dict[str, Any] | None:
        """Grows trees of all rows that the parting learns from. None: it was stopped. Raises as `sample`."""
        return self._wait(self._actor.grow.remote(parting, self._actor), stopped, tell)

    def end(self) -> None:
        """Ends all that it began."""
        actor, self._actor = self._actor, None
        if actor is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor, no_restart=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, asked: Any, stopped: Callable[[], bool], tell: Callable[[float], Any]) -> dict[str, Any] | None:
        heard = None
        while not ray.wait([asked], timeout=_LOOK_EVERY_S)[0]:
            if stopped():
                self.end()
                return None
            heard = heard or self._actor.progress.remote()
            if ray.wait([heard], timeout=0)[0]:
                with contextlib.suppress(ray.exceptions.RayError):
                    tell(ray.get(heard))
                heard = None
        try:
            told = ray.get(asked)
        except ray.exceptions.RayActorError:
            raise RuntimeError("the process that led the training died; ask for it again") from None
        if "wrong" in told:
            raise (ValueError if told["data"] else RuntimeError)(told["wrong"])
        return told
