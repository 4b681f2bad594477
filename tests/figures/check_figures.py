#!/usr/bin/env python3
"""A benchmark's figures on a part of its data are no worse than when they were written down here.

  check_figures.py nab|forecast|ranking|scaling BENCH DATA

The parts are small, so these figures are not those of docs/benchmarks.md. A change that makes one better
is welcome: then write it down here. Skipped without the data, which are not part of the project.
"""
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def run(bench, *arguments):
    done = subprocess.run([bench, *map(str, arguments)], check=True, capture_output=True, text=True)
    print(done.stdout)
    return done.stdout


def numbers(text, begin):
    """Those of the last line that begins so."""
    line = [one for one in text.splitlines() if one.lstrip().startswith(begin)][-1]
    return [float(one) for one in re.findall(r"[-+]?\d*\.\d+", line.lstrip()[len(begin):])]


def head(source, target, lines):
    with open(source) as file:
        target.write_text("".join(itertools.islice(file, lines)))


def nab(bench, data, folder):
    """Every third series, at the fixed line: standard, low FP, low FN."""
    windows = json.loads((data / "windows.json").read_text())
    kept = dict(list(windows.items())[::3])
    (folder / "windows.json").write_text(json.dumps(kept))
    (folder / "data").symlink_to(data / "data")
    said = run(bench, folder)
    assert all(name in said for name in kept), "the files are not listed"
    for told in ("not told", "declared"):
        yield from zip((f"{told}, {name}" for name in ("standard", "low FP", "low FN")),
                       numbers(said, f"{told:<10} 1 "))


def forecast(bench, data, folder):
    """The first forty series, told their seasons."""
    for name in ("train.csv", "test.csv"):
        head(data / name, folder / name, 41)
    smape, mase, msis, inside, _, _ = numbers(run(bench, folder), "40 series")
    yield from {"-sMAPE": -smape, "-MASE": -mase, "-MSIS": -msis, "-|.95 - inside|": -abs(.95 - inside)}.items()


def ranking(bench, data, _):
    """The smallest scenario: items by attack window and by step, phases among the first incidents."""
    said = run(bench, data / "russellmitchell.csv.gz")
    items, incidents = said.split("incidents:")
    t_precision, t_ndcg, t_ap, e_precision, e_ndcg, e_ap = numbers(items.split("\nsalience")[1], "mean")
    yield from {"T P@100": t_precision, "T NDCG": t_ndcg, "T AP": t_ap, "E P@100": e_precision,
                "E NDCG": e_ndcg, "E AP": e_ap}.items()
    yield "T phases among 20 incidents", numbers(incidents, "mean")[1]


def scaling(bench, data, folder):
    """Four days of requests: what a plan leaves missing, in parts of what reactive scaling leaves."""
    head(data / "twitter_per_minute.csv", folder / "load.csv", 5761)
    said = run(bench, folder / "load.csv")
    yield "-worst against stabilised", -numbers(said, "reactive, stabilised")[-1]
    yield "-worst against reactive", -numbers(said, "reactive ")[-1]


# By what is measured: where the data lie, how much a figure may be worse, and what each was.
RECORDED = {
    nab: ("nab", .3, {"not told, standard": 86.5, "not told, low FP": 79.4, "not told, low FN": 91.0,
                      "declared, standard": 88.7, "declared, low FP": 83.9, "declared, low FN": 92.5}),
    forecast: ("m4-hourly", .02, {"-sMAPE": -4.796, "-MASE": -.795, "-MSIS": -5.557,
                                  "-|.95 - inside|": -.0104}),
    ranking: ("alerts", .005, {"T P@100": .98, "T NDCG": .986, "T AP": .487, "E P@100": .49, "E NDCG": .868,
                               "E AP": .703, "T phases among 20 incidents": .9}),
    scaling: ("load", .02, {"-worst against stabilised": -.55, "-worst against reactive": -.87}),
}


def main():
    what, bench, data = sys.argv[1:]
    measure = {one.__name__: one for one in RECORDED}[what]
    part, slack, recorded = RECORDED[measure]
    data = pathlib.Path(data).resolve() / part
    if not data.is_dir():
        print(f"skipped: {data} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="liminal-figures-") as folder:
        found = dict(measure(bench, data, pathlib.Path(folder)))
    print(found)
    assert found.keys() == recorded.keys(), found.keys() ^ recorded.keys()
    worse = {name: value for name, value in found.items() if value < recorded[name] - slack}
    assert not worse, f"{worse} where {({name: recorded[name] for name in worse})} was"
    return 0


sys.exit(main())
