#!/usr/bin/env python3
"""`liminal train --trainer kenning` from outside.

  train_kenning.py LIMINAL stand_in|real

Runs the stand-in beside this file, which hands over the models of a real run
(../shared/data/kenning beside the project): 40 features are the window of 10 rows × 4 values that they
were trained on. For `real`, KENNING must name the real program: it trains for two minutes on the rows.
Needs nothing but Python's own library; ends with 77 when what it needs is not there.
"""
import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE.parents[2] / "shared" / "data" / "kenning"
WINDOW, VALUES = 10, 4


def write_rows(folder):
    """The recorded rows by themselves, and as the windows that Kenning makes of them."""
    with (RECORDED / "nonneg.csv").open(newline="") as file:
        header, *lines = list(csv.reader(file))
    rows = [line[1:-1] for line in lines]
    labels = [int(int(line[-1]) > 0) for line in lines]  # two kinds of anomalies
    with (folder / "single.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header[1:], *([*row, label] for row, label in zip(rows, labels))])
    with (folder / "windows.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*(f"v{i}" for i in range(WINDOW * VALUES)), "label"])
        for i in range(len(rows) - WINDOW):
            values = [value for row in rows[i:i + WINDOW] for value in row]
            out.writerow([*values, labels[i + WINDOW]])


def runs(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except FileNotFoundError:
        return False


def comes(what, is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(.02)


class Command:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()

    def begin(self, file, *arguments, kenning=HERE / "kenning", plays=""):
        return subprocess.Popen(
            [self.program, "train", file, "--target", "label", "--trainer", "kenning", "--kenning",
             kenning, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.temporary), "KENNING_STAND_IN": plays,
                 "KENNING_STAND_IN_MODELS": str(RECORDED)})

    def run(self, *arguments, code=0, patience_s=120, **more):
        running = self.begin(*arguments, **more)
        out, err = running.communicate(timeout=patience_s)
        assert running.returncode == code, (running.returncode, out, err)
        assert not list(self.temporary.iterdir()), "something is left"
        return out + err


def figure(text, name):
    return float(re.search(rf"^{name} +(\S+)$", text, re.M).group(1))


def check_training(command):
    for plays in ("", "exit2,stays,broken"):
        said = command.run("windows.csv", "--out", "model.onnx", plays=plays)
        assert figure(said, "precision") > .7 and figure(said, "recall") > .6, said
        assert "Kenning tried 9 models" in said and "brier" not in said, said
        assert ("not used: model.1.onnx" in said) == ("broken" in plays), said
        assert (command.folder / "model.onnx").stat().st_size > 50_000
    print(said)
    command.run("windows.csv", "--json", "report.json")
    assert json.loads((command.folder / "report.json").read_text())["held_out"]["f1"] > .6
    check_file(command)


def check_file(command):
    """What was written is asked by `liminal predict`, which knows what its answers mean."""
    done = subprocess.run([command.program, "predict", "model.onnx", "windows.csv"], text=True,
                          cwd=command.folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = [line.split(",")[0] for line in done.stdout.split()[1:]]
    with (command.folder / "windows.csv").open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    right = sum(one == label for one, label in zip(said, labels, strict=True))
    assert right > .95 * len(labels), (right, len(labels))


def check_refusals(command):
    for arguments in (["--task", "regression"], ["--report", "x.html"], ["--objective", "pr-auc"]):
        command.run("windows.csv", *arguments, code=2)
    said = command.run("windows.csv", "--time-budget", "30", "--fits-max", "9", code=1)
    assert "time_budget_s must be at least 60" in said and "fits_max is for builtin" in said, said
    said = command.run("windows.csv", code=1, plays="nothing")
    assert "found no model, exit code 0" in said, said
    said = command.run("single.csv", code=1)
    assert "takes 40 values, not 4" in said, said  # recorded models are for windows


def check_interrupt(command):
    running = command.begin("windows.csv", plays="hang,stubborn")
    files = command.temporary.glob
    comes("its log server", lambda: any(file.read_text() for file in files("*/log_server.pid")))
    process = int(next(files("*/log_server.pid")).read_text())
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1 and "cancelled" in err, (out, err)
    comes("the end of what it began", lambda: not runs(process))
    assert not list(command.temporary.iterdir())


def check_absence(command):
    said = command.run("windows.csv", code=1, kenning="/nowhere/kenning")
    if "there is no ONNX Runtime" in said:
        skip(said.strip())
    assert "/nowhere/kenning" in said and "docs/kenning.md" in said, said


def skip(missing):
    print(f"{missing}: nothing to do")
    sys.exit(77)


def main():
    program, kind = sys.argv[1:]
    kenning = os.environ.get("KENNING")
    missing = (f"no record of a real run in {RECORDED}" if not RECORDED.exists() else
               "KENNING names no real Kenning" if kind == "real" and not kenning else None)
    if missing:
        skip(missing)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_rows(folder)
        command = Command(program, folder)
        if kind == "real":
            print(command.run("single.csv", "--time-budget", "120", kenning=kenning, patience_s=800))
            return
        check_absence(command)
        check_training(command)
        check_refusals(command)
        check_interrupt(command)
    print("done")


if __name__ == "__main__":
    main()
