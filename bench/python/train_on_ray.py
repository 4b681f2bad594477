#!/usr/bin/env python3
"""How long the same search takes here and as tasks of a Ray cluster, with one fit at a time and with two.

  bench/python/train_on_ray.py [--rows 40000] [--features 20] [--fits 24]

Made-up rows of two classes; a cluster of this machine, whose workers are warm. The models must be equal.
"""
import argparse
import os
import time

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import ray

import liminal


def table(rows, features):
    draw = np.random.default_rng(1)
    values = draw.normal(size=(rows, features)).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + draw.normal(size=rows)
    return values, np.where(margin > 0, "yes", "no")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--fits", type=int, default=24)
    given = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    values, labels = table(given.rows, given.features)
    names = [f"f{place}" for place in range(given.features)]

    def train(trainer, workers, fits=given.fits):
        begun = time.perf_counter()
        trained = liminal.train(values, labels, features=names, fits_max=fits, trainer=trainer,
                                workers=workers)
        return time.perf_counter() - begun, trained.model.to_onnx()

    train("ray", 2, 8)
    files = set()
    print(f"{given.rows} rows, {given.features} features, {given.fits} fits; load {os.getloadavg()[0]:.1f}")
    for trainer in ("builtin", "ray"):
        times = {}
        for workers in (1, 2):
            times[workers], file = train(trainer, workers)
            files.add(file)
        print(f"{trainer:8s} one at a time {times[1]:6.1f} s, two {times[2]:6.1f} s "
              f"({times[1] / times[2]:.2f} times as fast)")
    assert len(files) == 1, "the models are not equal"
    ray.shutdown()


if __name__ == "__main__":
    main()
