#!/usr/bin/env python3
"""What judgements of operators teach the ranking of alerts, from outside.

  check_ranking.py LIMINAL

Trains `salience_ranking` from a file of judged alerts in which some terms count for more than others: it
is promoted, `POST /salience` says so, a restart keeps it, and unloading it brings the prior back. From
judgements that the prior already orders right nothing is promoted.
"""
import http.client
import json
import math
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

MODEL = "salience_ranking"
TERMS = ["rarity", "type_rarity", "neighbourhood", "surprise", "breadth", "feedback"]
EVENT = {"features": [{"type": "system_event", "severity": "high", "frequency": 0.8}]}


class Server:
    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data",
             str(folder / "data"), "--set", f"models.folder={folder}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.connection = http.client.HTTPConnection(
            re.match(r"ready listen=\S+ api=(\S+)", self.process.stdout.readline())[1], timeout=60)

    def ask(self, method, path, status, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Content-Type": "application/json"} if body is not None else {})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == status, f"{method} {path}: {answer.status} {text[:500]!r}"
        return json.loads(text)

    def train(self, **source):
        path = "/ml/jobs/" + self.ask("POST", "/ml/models/train", 202,
                                      {"model_name": MODEL, **source})["job_id"]
        end = time.monotonic() + 60
        while (job := self.ask("GET", path, 200))["state"] in ("queued", "running"):
            assert time.monotonic() < end, job
            time.sleep(.05)
        assert job["state"] == "succeeded", job
        return job

    def version(self):
        return self.ask("POST", "/salience", 200, EVENT)["version"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


def write_judged(path, truth, count=2000):
    chance = random.Random(7)
    lines = [",".join([*TERMS, "relevant", "timestamp", "user_id"])]
    for i in range(count):
        terms = [2 + 2 * chance.gauss(0, 1) for _ in TERMS]
        x = sum(weight * (term - 2) for weight, term in zip(truth, terms))
        relevant = int(chance.random() < 1 / (1 + math.exp(-x)))
        lines.append(",".join(f"{v:.4f}" for v in terms) + f",{relevant},{1e9 + i},u{i % 300}")
    path.write_text("\n".join(lines) + "\n")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="liminal-ranking-") as name:
        folder = pathlib.Path(name)
        write_judged(folder / "as_the_prior.csv", [1] * 6)
        write_judged(folder / "other.csv", [2, 0, 0, .2, 0, 2])
        server = Server(program, folder)
        assert server.version() == "1"
        few = server.ask("POST", "/ml/models/train", 409, {"model_name": MODEL, "data_source": "store"})
        assert few["rows_missing"] > 0, few
        job = server.train(data_source="file", file="as_the_prior.csv")
        assert server.version() == "1", job
        job = server.train(data_source="file", file="other.csv")
        state = server.ask("GET", f"/ml/models/{MODEL}", 200)
        assert state["champion"] == 2, (job, state)
        assert server.version() == "1.2"
        server.stop()
        server = Server(program, folder)
        assert server.version() == "1.2", "a restart keeps it"
        server.ask("POST", f"/v2/repository/models/{MODEL}/unload", 200, {})
        assert server.version() == "1"
        server.stop()
    print("the learnt ranking is promoted, kept and taken back")


main()
