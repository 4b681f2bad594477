#!/usr/bin/env python3
"""Measures peers on the series that bench_forecast measures, in the same way.

  python3 -m venv build/peers && build/peers/bin/pip install statsforecast==2.1.1
  build/peers/bin/python bench/forecast/peers.py FOLDER [SERIES_MAX]

Prints sMAPE, MASE, MSIS (95 %), coverage and CPU time a series, as bench_forecast does. A season of
24 and 168 where the peer takes two, else of 24.
"""
import csv
import os
import sys
import time

import numpy as np
from statsforecast.models import (MSTL, AutoETS, AutoTheta, DynamicOptimizedTheta, Naive,
                                  SeasonalNaive)

DAY, WEEK, ALPHA = 24, 168, 0.05


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(r[0], np.array([float(x) for x in r[1:] if x not in ("", "NA")])) for r in rows]


def measures(past, actual, mean, low, high, season=DAY):
    scale = np.mean(np.abs(past[season:] - past[:-season]))
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return (
        200 * np.mean(np.abs(actual - mean) / np.maximum(np.abs(actual) + np.abs(mean), 1e-300)),
        np.mean(np.abs(actual - mean)) / scale,
        np.mean(high - low + 2 / ALPHA * outside) / scale,
        np.mean((actual >= low) & (actual <= high)),
    )


def run(name, model, train, test, season=DAY):
    rows, spent = [], 0.0
    for (_, past), (_, actual) in zip(train, test):
        begin = time.process_time()
        said = model().forecast(y=past, h=len(actual), level=[95])
        spent += time.process_time() - begin
        rows.append(measures(past, actual, said["mean"], said["lo-95"], said["hi-95"], season))
    smape, mase, msis, coverage = np.mean(rows, axis=0)
    print(f"{name:<24} {smape:7.3f} {mase:6.3f} {msis:6.3f}  {coverage:.4f}          "
          f"{1000 * spent / len(rows):7.2f} ms", flush=True)


def load_series(path):
    """Two days of load ahead, from every midnight after three weeks, as bench_forecast --load."""
    with open(path, newline="") as file:
        minutes = np.array([float(row[1]) for row in list(csv.reader(file))[1:]])
    hours = minutes[: len(minutes) // 60 * 60].reshape(-1, 60).sum(axis=1)
    starts = range(21 * DAY, len(hours) - 2 * DAY + 1, DAY)
    return ([("", hours[:at]) for at in starts], [("", hours[at:at + 2 * DAY]) for at in starts])


def five_minutes(data):
    """The series of five minutes and the origins of bench_forecast --five."""
    def column(path, rows):
        with open(path, newline="") as file:
            values = np.array([float(row[1]) for row in list(csv.reader(file))[1:]])
        return values[: len(values) // rows * rows].reshape(-1, rows).sum(axis=1)

    nab = os.path.join(data, "nab", "data")
    names = ["realKnownCause/ec2_request_latency_system_failure.csv", "realKnownCause/rogue_agent_key_updown.csv"]
    names += [f"{folder}/{name}" for folder in ("realAWSCloudwatch", "realTweets")
              for name in (os.listdir(os.path.join(nab, folder)) if os.path.isdir(os.path.join(nab, folder)) else [])]
    series = [column(os.path.join(nab, name), 1) for name in sorted(names)
              if os.path.exists(os.path.join(nab, name))]
    for name in ("twitter_per_minute", "worldcup98_per_minute"):
        path = os.path.join(data, "load", f"{name}.csv")
        if os.path.exists(path):
            series.append(column(path, 5))
    day, origins = 288, 8
    past, after = [], []
    for values in series:
        n = len(values)
        for k in range(1, origins + 1):
            at = n // 2 + (n // 2 - day) * k // origins
            past.append(("", values[max(0, at - 16 * day):at]))
            after.append(("", values[at:at + day]))
    return past, after


def run_five(data):
    past, after = five_minutes(data)
    peers = {
        "Naive": Naive,
        "SeasonalNaive(288)": lambda: SeasonalNaive(season_length=288),
        "DynamicOptimizedTheta": lambda: DynamicOptimizedTheta(season_length=1),
        "MSTL(288)": lambda: MSTL(season_length=288),
    }
    for name, model in peers.items():
        for steps in (12, 288):
            test = [("", values[:steps]) for _, values in after]
            run(f"{steps:3} steps, {name}", model, past, test, 288)


def main():
    if sys.argv[1] == "--five":
        return run_five(sys.argv[2])
    if sys.argv[1] == "--load":
        train, test = load_series(sys.argv[2])
        print(f"{len(train)} origins          sMAPE   MASE   MSIS  in 95%")
        run("SeasonalNaive(168)", lambda: SeasonalNaive(season_length=WEEK), train, test)
        run("MSTL(24, 168)", lambda: MSTL(season_length=[DAY, WEEK]), train, test)
        run("AutoETS", lambda: AutoETS(season_length=DAY), train, test)
        return
    folder = sys.argv[1]
    most = int(sys.argv[2]) if len(sys.argv) > 2 else None
    train = read(f"{folder}/train.csv")[:most]
    test = read(f"{folder}/test.csv")[:most]
    print(f"{len(train)} series           sMAPE   MASE   MSIS  in 95%")
    run("SeasonalNaive", lambda: SeasonalNaive(season_length=DAY), train, test)
    run("DynamicOptimizedTheta", lambda: DynamicOptimizedTheta(season_length=DAY), train, test)
    run("MSTL(24, 168)", lambda: MSTL(season_length=[DAY, WEEK]), train, test)
    run("AutoETS", lambda: AutoETS(season_length=DAY), train, test)
    run("AutoTheta", lambda: AutoTheta(season_length=DAY), train, test)


main()
