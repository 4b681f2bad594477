#!/usr/bin/env python3
"""scikit-learn on one table, as bench_clustering is called: FILE.csv K. One line a way: who, CPU seconds, groups."""
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.metrics import silhouette_score  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

K_MAX = 15


def k_means(rows, k):
    return KMeans(k, n_init=10, random_state=1).fit_predict(rows)


def by_silhouette(rows):
    groupings = [k_means(rows, k) for k in range(2, K_MAX + 1)]
    return max(groupings, key=lambda groups: silhouette_score(rows, groups))


def main():
    path, k = sys.argv[1], int(sys.argv[2])
    rows = StandardScaler().fit_transform(numpy.loadtxt(path, delimiter=",", skiprows=1)[:, :-1])
    for who, ask in (("scikit-learn by silhouette", by_silhouette), ("scikit-learn told k", lambda x: k_means(x, k))):
        begun = time.process_time()
        groups = ask(rows)
        print(",".join([who, f"{time.process_time() - begun:.3f}", *map(str, groups)]))


main()
