#!/usr/bin/env python3
"""scikit-learn's isolation forest on one table, as bench_anomalies is called: FILE.csv SEED. One line: who, scores."""
import csv
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402


def columns(rows):
    """Numbers as they are (missing ones below all others), texts as a column for each."""
    for column in zip(*rows):
        try:
            values = numpy.array([float(text) if text else numpy.nan for text in column])
        except ValueError:
            for text in sorted(set(column)):
                yield numpy.array([field == text for field in column], float)
            continue
        yield numpy.where(numpy.isnan(values), numpy.nanmin(values) - 1, values)


def main():
    path, seed = sys.argv[1], int(sys.argv[2])
    with open(path, newline="") as file:
        _, *rows = csv.reader(file)
    matrix = numpy.column_stack(list(columns([row[:-1] for row in rows])))
    forest = IsolationForest(n_estimators=100, random_state=seed, n_jobs=1).fit(matrix)
    print(",".join(["scikit-learn isolation forest", *(f"{one:.9g}" for one in -forest.score_samples(matrix))]))


main()
