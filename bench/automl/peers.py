#!/usr/bin/env python3
"""FLAML on one table, as bench_automl is called: NAME TRAIN.csv TEST.csv TARGET SECONDS SEED TASK."""
import os
import sys
import time
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
from flaml import AutoML  # noqa: E402
from sklearn.metrics import (  # noqa: E402
    average_precision_score, log_loss, mean_absolute_error, mean_squared_error, roc_auc_score)
from xgboost import XGBRegressor  # noqa: E402

METRIC = {"classes": "roc_auc", "absolute": "mae", "squared": "rmse"}


def told_the_loss(name, train, test, target):
    """XGBoost's defaults, told to make the absolute error small."""
    columns = pd.get_dummies(pd.concat([train, test]).drop(columns=target))
    begun, cpu = time.time(), time.process_time()
    learner = XGBRegressor(objective="reg:absoluteerror", n_jobs=1)
    learner.fit(columns[:len(train)], train[target])
    took, cpu = time.time() - begun, time.process_time() - cpu
    said, truth = learner.predict(columns[len(train):]), test[target]
    figures = mean_absolute_error(truth, said), mean_squared_error(truth, said) ** .5, float("nan")
    print(",".join([name, "xgboost by absolute error", *(f"{one:.6g}" for one in figures),
                    f"{took:.2f}", f"{cpu:.2f}", "nan", "nan", "nan"]))


def main():
    name, train, test, target, budget, seed, task = sys.argv[1:8]
    train, test = pd.read_csv(train), pd.read_csv(test)
    texts = [c for c in train.columns if train[c].dtype.kind not in "iuf" and c != target]
    for column in texts:
        kind = pd.CategoricalDtype(sorted(train[column].dropna().unique()))
        train[column], test[column] = train[column].astype(kind), test[column].astype(kind)
    classes = task == "classes"
    learner = AutoML()
    begun, cpu = time.time(), time.process_time()
    learner.fit(
        train.drop(columns=target), train[target], task="classification" if classes else "regression",
        metric=METRIC[task], time_budget=float(budget), n_jobs=2, seed=int(seed), verbose=0)
    took, cpu = time.time() - begun, time.process_time() - cpu
    rows = test.drop(columns=target)
    begun = time.process_time()
    said = learner.predict_proba(rows)[:, 1] if classes else learner.predict(rows)
    us = 1e6 * (time.process_time() - begun) / len(test)
    truth = test[target]
    if classes:
        figures = (roc_auc_score(truth, said), average_precision_score(truth, said), log_loss(truth, said))
    else:
        figures = (mean_absolute_error(truth, said), mean_squared_error(truth, said) ** .5, float("nan"))
    promised = 1 - learner.best_loss if classes else learner.best_loss
    if task == "absolute":
        told_the_loss(name, train, test, target)
    print(",".join([name, "flaml", *(f"{one:.6g}" for one in figures), f"{took:.2f}", f"{cpu:.2f}",
                    f"{us:.3f}", "nan", f"{promised:.6g}"]))


main()
