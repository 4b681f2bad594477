#!/usr/bin/env python3
"""Kenning as a trainer of a running server, from outside.

  serve_kenning.py LIMINAL

Runs the stand-in beside this file, as train_kenning.py does, and needs what that needs; ends with 77 when
it is not there.
"""
import csv
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from train_kenning import HERE, RECORDED, VALUES, WINDOW, comes, runs, skip, write_rows

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
WINDOWS = [f"v{i}" for i in range(WINDOW * VALUES)]
PATIENCE_S = 120


class Server:
    def __init__(self, program, data, kenning=None, plays=""):
        settings = pathlib.Path(data) / "liminal.toml"
        definitions = [f"windows classification label {','.join(WINDOWS)}",
                       "single classification label temp,flow,volt,load"]
        settings.write_text(
            f"[models]\ndefinitions = {json.dumps(definitions)}\n"
            + (f"kenning = {json.dumps(str(kenning))}\n" if kenning else ""))
        self.process = subprocess.Popen(
            [program, "serve", "--config", settings, "--listen", "127.0.0.1:0", "--api",
             "127.0.0.1:0", "--data", data],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "KENNING_STAND_IN": plays, "KENNING_STAND_IN_MODELS": str(RECORDED)})
        line = self.process.stdout.readline()
        assert READY.match(line), f"not ready: {line!r}"
        host, port = READY.match(line).groups()
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def ask(self, method, path, status=200, body=None):
        self.connection.request(method, path, body and json.dumps(body),
                                {"Content-Type": "application/json"} if body else {})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == status, f"{method} {path}: {answer.status} {text[:500]!r}"
        return json.loads(text) if text else None

    def train(self, model="windows", status=202, **more):
        return self.ask("POST", "/ml/models/train", status,
                        {"model_name": model, "data_source": "file", "file": f"{model}.csv",
                         "trainer": "kenning", **more})

    def job(self, started, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            view = self.ask("GET", f"/ml/jobs/{started['job_id']}")
            if view["state"] not in ("queued", "running"):
                return view
            time.sleep(.05)
        raise AssertionError(f"it does not end: {view}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


def check_absence(program, data):
    server = Server(program, data)
    problem = server.train(status=409)
    assert "models.kenning" in problem["detail"] and "docs/kenning.md" in problem["detail"], problem
    server.ask("GET", "/ml/models")
    server.stop()
    server = Server(program, data, "/nowhere/kenning")
    assert "/nowhere/kenning" in server.train(status=409)["detail"]
    server.stop()


def check_requests(server):
    for wrong in ({"fits_max": 5}, {"time_budget_s": 30}, {"unsupervised": True}):
        problem = server.train(status=422, **wrong)
        assert next(iter(wrong)) in json.dumps(problem), problem
    problem = server.ask("POST", "/ml/models/train", 409,
                         {"model_name": "anomaly_detection", "data_source": "store",
                          "trainer": "kenning"})
    assert problem["rows_missing"] > 0, problem


def check_training(server):
    job = server.job(server.train())
    assert job["state"] == "succeeded", job
    version = job["result"]["version"]
    assert len(job["leaderboard"]) == 2, job
    state = server.ask("GET", "/ml/models/windows")
    made = next(one for one in state["versions"] if one["version"] == version)
    assert made["trainer"] == "kenning" and made["data_fingerprint"], made
    metrics = made["metrics"]
    assert metrics["precision"] > .7 and metrics["recall"] > .6, metrics
    assert "brier" not in metrics, metrics
    report = server.ask("GET", f"/ml/models/windows/versions/{version}/report")
    assert any("Kenning tried 9 models" in note for note in report["data"]["notes"]), report["data"]
    print("kenning:", {key: round(value, 4) for key, value in metrics.items()}, job["result"])
    return version


def check_answers(server, training, version):
    """It answers rows as they are, and only with decisions."""
    rows = list(csv.DictReader((training / "windows.csv").open()))
    asked = [{key: float(row[key]) for key in WINDOWS} for row in rows[:1000]]
    said = server.ask("POST", "/ml/models/predict", 200,
                      {"model_name": "windows", "version": version, "features": asked})
    flags = [one["prediction"] for one in said["predictions"]]
    assert set(flags) == {0, 1}, set(flags)
    right = sum(flag == int(row["label"]) for flag, row in zip(flags, rows))
    assert right > .95 * len(flags), right


def check_competition(server):
    """Against a champion of the builtin trainer, on the same held-out rows."""
    job = server.job(server.ask("POST", "/ml/models/train", 202,
                                {"model_name": "windows", "data_source": "file",
                                 "file": "windows.csv", "fits_max": 8}))
    assert job["state"] == "succeeded", job
    server.ask("POST", "/ml/models/windows/load", 200, {"version": job["result"]["version"]})
    job = server.job(server.train(seed=2))
    assert job["state"] == "succeeded" and job["result"]["alias"] == "challenger", job
    print("against builtin:", job["result"]["reasons"])


def check_cancelling(program, data):
    server = Server(program, data, HERE / "kenning", "hang,stubborn")
    started = server.train()
    pid_file = pathlib.Path(data) / "kenning" / "windows" / "log_server.pid"
    comes("the stand-in's log server", lambda: pid_file.exists() and pid_file.read_text())
    process = int(pid_file.read_text())
    begun = time.monotonic()
    view = server.ask("DELETE", f"/ml/jobs/{started['job_id']}")
    assert view["state"] == "cancelled" and time.monotonic() - begun < 1, view
    comes("the end of what it began", lambda: not runs(process))
    pid_file.unlink(missing_ok=True)
    comes("room for the next", lambda: not pid_file.exists())
    return server, pid_file


def check_kill(program, data, server, pid_file):
    """What a killed server leaves is ended by the model's next run."""
    comes("the next job", lambda: "job_id" in try_train(server))
    comes("its log server", lambda: pid_file.exists() and pid_file.read_text())
    left = int(pid_file.read_text())
    server.process.kill()
    server.process.wait()
    assert runs(left)
    server = Server(program, data, HERE / "kenning", "nothing")
    job = server.job(server.train())
    assert job["state"] == "failed" and "found no model" in job["problem"], job
    comes("the end of what was left", lambda: not runs(left))
    server.stop()


def try_train(server):
    try:
        return server.train()
    except AssertionError:
        time.sleep(.1)
        return {}


def main():
    program = sys.argv[1]
    if not RECORDED.exists():
        skip(f"no record of a real run in {RECORDED}")
    with tempfile.TemporaryDirectory() as data:
        training = pathlib.Path(data) / "training"
        training.mkdir()
        write_rows(training)
        check_absence(program, data)
        server = Server(program, data, HERE / "kenning", "exit2,stays")
        check_requests(server)
        check_answers(server, training, check_training(server))
        check_competition(server)
        server.stop()
        check_kill(program, data, *check_cancelling(program, data))
    print("done")


if __name__ == "__main__":
    main()
