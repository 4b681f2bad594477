#!/usr/bin/env python3
"""FLAML on one table, as bench_automl is called: NAME TRAIN.csv TEST.csv TARGET SECONDS SEED."""
import os
import sys
import time
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from flaml import AutoML  # noqa: E402
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score  # noqa: E402


def main():
    name, train, test, target, budget, seed = sys.argv[1:7]
    train, test = pd.read_csv(train), pd.read_csv(test)
    texts = [c for c in train.columns if train[c].dtype.kind not in "iuf" and c != target]
    for column in texts:
        kind = pd.CategoricalDtype(sorted(train[column].dropna().unique()))
        train[column], test[column] = train[column].astype(kind), test[column].astype(kind)
    learner = AutoML()
    begun, cpu = time.time(), time.process_time()
    learner.fit(
        train.drop(columns=target), train[target], task="classification", metric="roc_auc",
        time_budget=float(budget), n_jobs=2, seed=int(seed), verbose=0)
    took, cpu = time.time() - begun, time.process_time() - cpu
    begun = time.process_time()
    said = learner.predict_proba(test.drop(columns=target))[:, 1]
    us = 1e6 * (time.process_time() - begun) / len(test)
    truth = test[target]
    print(f"{name},flaml,{roc_auc_score(truth, said):.5f},{average_precision_score(truth, said):.5f},"
          f"{log_loss(truth, said):.5f},{took:.2f},{cpu:.2f},{us:.3f},nan,{1 - learner.best_loss:.5f}")


main()
