#!/usr/bin/env python3
"""How long boosted trees of a folder of files take in one process, and distributed over one worker and over two.

  bench/python/train_distributed.py [--rows 1000000] [--features 20] [--rounds 100] [--files 8]

Made-up rows of two classes with users and times, as CSV; a cluster of this machine, whose processes are warm. Each
worker, and the one process, has one thread. All learn from the same rows and are judged on the same others.
"""
import argparse
import os
import pathlib
import tempfile
import time

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import pyarrow as pa
import pyarrow.csv
import ray
import xgboost

from liminal import _engine, _spread_rows, _spread_trees
from liminal._spread import Spread

PARTING = {"by_users": True, "by_values": False, "by_time": True, "gap_s": 0.0}


def write(folder, rows, features, files):
    draw = np.random.default_rng(1)
    paths = []
    for file in range(files):
        count = rows // files
        values = draw.normal(size=(count, features)).astype(np.float32).round(4)
        margin = values[:, 0] * values[:, 1] + values[:, 2] + draw.normal(size=count)
        table = {f"f{place}": values[:, place] for place in range(features)} | {
            "y": (margin > 1).astype(int), "timestamp": draw.uniform(0, 1e6, count).round(1),
            "user_id": [f"user-{one}" for one in draw.integers(0, 10_000, count)]}
        paths.append(str(folder / f"{file}.csv"))
        pa.csv.write_csv(pa.table(table), paths[-1])
    return paths


def auc(scores, labels):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(scores.size)
    ranks[order] = np.arange(1, scores.size + 1)
    positive = labels > .5
    found = positive.sum()
    return (ranks[positive].sum() - found * (found + 1) / 2) / (found * (~positive).sum())


def parted(columns, begin_s):
    return _engine.learnt_from(columns["x"], columns["t"], columns["u"], begin_s=begin_s, **PARTING) != 0


def alone(wish, config, begin_s):
    begun = time.perf_counter()
    names = _spread_rows.columns_of(wish)
    columns = [_spread_rows.unpacked(_spread_rows._rows_of(pa.csv.read_csv(
        file, convert_options=pa.csv.ConvertOptions(include_columns=names, column_types={"user_id": pa.string()}),
        read_options=pa.csv.ReadOptions(use_threads=False)), wish)) for file in wish.files]
    rows = {key: np.concatenate([one[key] for one in columns]) for key in columns[0]}
    read = time.perf_counter()
    learnt = parted(rows, begin_s)
    made = _spread_trees.grown({key: values[learnt] for key, values in rows.items()}, config, 0, None)
    return read - begun, time.perf_counter() - read, made["took_s"], made, int(learnt.sum())


def spread(wish, workers, begin_s, folder):
    training = Spread(vars(wish) | {"workers": workers}, folder)
    begun = time.perf_counter()
    sample = training.sample(lambda: False, lambda progress: None)
    read = time.perf_counter()
    made = training.grow({**PARTING, "begin_s": begin_s}, lambda: False, lambda progress: None)
    grown = time.perf_counter()
    training.end()
    return read - begun, grown - read, made["took_s"], made, made["rows"], sample


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in (("rows", 1_000_000), ("features", 20), ("rounds", 100), ("files", 8)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    begin_s = 5e5
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = write(folder, given.rows, given.features, given.files)
        size = sum(os.path.getsize(one) for one in files)
        wish = _spread_rows.Wish(files, [f"f{place}" for place in range(given.features)], "y", True, 1, 200_000,
                                 given.rounds, 86_400.0, 1, 1.0)
        config = {"classes": True, "seed": 1, "threads": 1, "rounds_max": given.rounds,
                  "until": time.time() + 86_400.0}
        spread(_spread_rows.Wish(**vars(wish) | {"files": files[:1], "rounds_max": 2}), 2, begin_s, name)
        print(f"{given.rows} rows, {given.features} features, {given.files} files of {size / 2**20:.0f} MiB, "
              f"{given.rounds} rounds at most; load {os.getloadavg()[0]:.1f}")
        runs = {"one process": alone(wish, config, begin_s)}
        for workers in (1, 2):
            *told, sample = spread(wish, workers, begin_s, name)
            runs[f"{workers} workers"] = tuple(told)
        held_out = {"x": sample["values"], "t": sample["times"], "u": sample["users"]}
        judges = (sample["times"] >= begin_s) & ~parted(held_out, np.inf)
        for name, (read_s, grow_s, boosted_s, made, rows) in runs.items():
            booster = xgboost.Booster(model_file=bytearray(made["booster"]))
            said = booster.predict(xgboost.DMatrix(held_out["x"][judges]))
            print(f"{name:12s} read {read_s:6.1f} s, grown {grow_s:6.1f} s (boosting {boosted_s:6.1f} s, "
                  f"{made['rounds']} rounds of {rows} rows: {rows * made['rounds'] / boosted_s / 1e6:.2f} M rows a "
                  f"second and round), together {given.rows / (read_s + grow_s):8.0f} rows/s; AUC "
                  f"{auc(said, sample['labels'][judges]):.4f} of {judges.sum()} others")
    ray.shutdown()


if __name__ == "__main__":
    main()
