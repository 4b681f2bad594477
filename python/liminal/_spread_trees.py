"""What the workers of a distributed training do: boosted trees by XGBoost, of the rows that each is given."""
from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.train
import xgboost

from liminal._spread_rows import unpacked

_TELL_EVERY_S = .5
# One in so many rows (users, where they are known) tells when to end, and is not learnt from.
_VALID_ONE_IN = 10
# Of each class, by users; fewer say nothing.
_VALID_MIN = 20
_PATIENCE_ROUNDS = 20


def parameters(classes: bool, seed: int, threads: int) -> dict[str, Any]:
    return {
        "objective": "binary:logistic" if classes else "reg:squarederror",
        # By the last one boosting ends.
        "eval_metric": ["auc", "logloss"] if classes else ["rmse"],
        "tree_method": "hist", "max_bin": 256, "eta": .1, "max_depth": 6, "min_child_weight": 5, "subsample": .8,
        "seed": seed, "nthread": threads, "verbosity": 1,
        # Values are told by how far they are from their mean (`mean_of`).
        **({} if classes else {"base_score": 0.0}),
    }


class Rounds(xgboost.callback.TrainingCallback):
    """Ends boosting for all workers at once when the first worker says so, whom the others ask after each round."""

    def __init__(self, until: float, told: Any):
        self._until, self._told, self._next = until, told, 0.0
        self.out_of_time = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        now = time.time()
        if self._told is not None and now >= self._next:
            self._told.heard.remote(epoch + 1)  # not waited for
            self._next = now + _TELL_EVERY_S
        # One round at least: XGBoost's own callbacks are not asked about one that ends boosting.
        over = np.array([epoch > 0 and self._told is not None and now >= self._until], np.int32)
        self.out_of_time = bool(xgboost.collective.allreduce(over, xgboost.collective.Op.MAX)[0])
        return self.out_of_time


def parted(rows: dict[str, np.ndarray], seed: int, rank: int, classes: bool) -> np.ndarray:
    """Which of a worker's rows tell when to end: those of some users where all workers know them and there are enough,
    else some by chance."""
    users = rows["u"]
    tells = (users * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)) % np.uint64(_VALID_ONE_IN) == 0
    counts = np.array([tells.sum(), (rows["y"][tells] > 0).sum()], np.float64)
    told, positive = xgboost.collective.allreduce(counts, xgboost.collective.Op.SUM)
    here = bool((users != 0).all()) and not tells.all()
    everywhere = xgboost.collective.allreduce(np.array([here], np.int32), xgboost.collective.Op.MIN)[0]
    if everywhere and (min(positive, told - positive) if classes else told) >= _VALID_MIN:
        return tells
    return np.random.default_rng([seed, rank]).random(users.size) < 1 / _VALID_ONE_IN


def matrices(rows: dict[str, np.ndarray], valid: np.ndarray) -> tuple[Any, Any]:
    train = xgboost.QuantileDMatrix(rows["x"][~valid], rows["y"][~valid], max_bin=256)
    return train, xgboost.QuantileDMatrix(rows["x"][valid], rows["y"][valid], ref=train, max_bin=256)


def mean_of(labels: np.ndarray) -> float:
    """Of the labels of all workers. XGBoost adds trees up in single precision: beside a mean far from 0 small leaves
    are lost, and its own margins, after which it grows the next tree, are not what its trees add up to."""
    total, count = xgboost.collective.allreduce(
        np.array([labels.sum(dtype=np.float64), labels.size], np.float64), xgboost.collective.Op.SUM)
    return float(total / max(count, 1))


def beginning_at(booster: Any, start: float) -> Any:
    """The same trees, added to `start`."""
    model = json.loads(booster.save_raw("json"))
    told = model["learner"]["learner_model_param"]
    text = f"{start:.9g}"
    told["base_score"] = f"[{text}]" if told["base_score"].startswith("[") else text
    return xgboost.Booster(model_file=bytearray(json.dumps(model), "utf-8"))


def grown(rows: dict[str, np.ndarray], config: dict[str, Any], rank: int, told: Any) -> dict[str, Any]:
    """Grows trees together with the other workers; the same for all of them."""
    begun = time.monotonic()
    start = 0.0 if config["classes"] else mean_of(rows["y"])
    rows = rows | {"y": (rows["y"] - np.float64(start)).astype(np.float32)}
    train, valid = matrices(rows, parted(rows, config["seed"], rank, config["classes"]))
    rounds, said = Rounds(config["until"], told), {}
    booster = xgboost.train(
        parameters(config["classes"], config["seed"], config["threads"]), train, config["rounds_max"],
        evals=[(valid, "valid")], evals_result=said, early_stopping_rounds=_PATIENCE_ROUNDS, callbacks=[rounds],
        verbose_eval=False)
    best = booster.best_iteration
    score = said["valid"]["auc"][best] if config["classes"] else -said["valid"]["rmse"][best] ** 2
    trees = booster[:best + 1]
    if not config["classes"]:
        trees = beginning_at(trees, start)
    return {"booster": bytes(trees.save_raw("ubj")), "rounds": best + 1, "score": float(score),
            "out_of_time": rounds.out_of_time, "took_s": time.monotonic() - begun}


def work(config: dict[str, Any]) -> None:
    """One worker of Ray Train. Nothing is reported before the end: a report of every round would make it several
    times as long."""
    rank = ray.train.get_context().get_world_rank()
    rows = unpacked(pa.concat_tables([ray.get(one) for one in config["blocks"][rank]]))
    told = config["told"] if rank == 0 else None
    made = grown(rows, config, rank, told)
    if told is not None:
        ray.get(told.came.remote(made))
    ray.train.report({"rounds": made["rounds"]})
