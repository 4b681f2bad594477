#!/usr/bin/env python3
"""Models of others in a running server: brought, refused, asked in both protocols, as champion beside
the messages, and taken out when they fail.

  foreign_models.py LIMINAL LIBRARY

LIBRARY is ONNX Runtime's; without that file only what is said then is checked, which is told. The networks
are written here, with Python's own library. Beside them is a model that `liminal train` makes, so that the
alerts of both kinds of champion are seen to reach /ml/anomalies with what each feature made of them.
"""
import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import onnx_file
from serve_models import MODEL, Server, row

FEATURES = list(row())
PATIENCE_S = 30
# One half at 40 messages a minute.
NETWORK = onnx_file.network([.2, 0, 0, 0], -8)
# No number above 150 messages a minute: the root of what is below 0.
BRITTLE = onnx_file.network([-1, 0, 0, 0], 150, ["Sqrt", "Neg"])


def command(program, *arguments, code=0):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def train_own(program, folder):
    """A model of the core's own that finds users of many messages."""
    random_ = random.Random(3)
    with open(folder / "rows.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*FEATURES, "is_anomaly"])
        for i in range(600):
            bad = i % 4 == 0
            out.writerow([random_.gauss(70 if bad else 10, 10), random_.gauss(80, 20), 0, 0, int(bad)])
    command(program, "train", str(folder / "rows.csv"), "--target", "is_anomaly", "--fits-max", "8",
            "--out", str(folder / "own.onnx"), "--quiet")


def talk(server, user, messages, over_s):
    now = time.time()
    lines = [json.dumps({"user_id": user, "kind": "message", "message_size": 80,
                         "ip_address": "10.0.0.7", "timestamp": now - over_s * (1 - i / messages)})
             for i in range(messages)]
    server.ask("POST", "/ml/events", (200, 202), "\n".join(lines), "application/x-ndjson")


def alert_of(server, kind, user):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for alert in server.ask("GET", "/ml/anomalies/recent?limit=1000&min_severity=low")["alerts"]:
            if alert["type"] == kind and alert["user_id"] == user:
                return alert
        time.sleep(.05)
    raise AssertionError(f"no alert {kind} of {user}")


def check_alert(program, data, server, user, version):
    """The champion's alert says which version spoke and what each feature made of it, and can be
    lived through again."""
    talk(server, user, 60, 50)
    alert = alert_of(server, "model_anomaly", user)
    said = server.ask("GET", f"/ml/anomalies/{alert['id']}/explain")["first"]
    assert said["model_version"] == version and said["decided_by"] == "model", said
    parts = {one["signal"]: one for one in said["evidence"]}
    assert set(FEATURES) < set(parts), parts
    assert parts["messages_per_minute"]["contribution"] > .8 * said["score"], said
    total = sum(one["contribution"] for one in said["evidence"])
    assert abs(total - said["score"]) < 1e-3 * said["score"], said
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = subprocess.run([program, "explain", alert["id"], "--data", data, "--json"],
                                capture_output=True, text=True, timeout=60)
        if answer.returncode == 0 or time.monotonic() > end:
            break
        time.sleep(.1)
    assert answer.returncode == 0 and json.loads(answer.stdout)["same"], answer
    print(f"version {version}: {said['explanation']}")


def check_answers(server, version):
    rows = [row(), row(messages_per_minute=40), row(messages_per_minute=900)]
    many = server.ask("POST", "/ml/models/predict", 200,
                      {"model_name": MODEL, "version": version, "features": rows, "explain": True})
    said = [one["prediction"] for one in many["predictions"]]
    assert said[0] < .01 and abs(said[1] - .5) < 1e-5 and said[2] > .99, said
    why = many["predictions"][2]["explanation"]
    assert why["exactness"] == "sampled", why
    total = why["expectation"] + sum(why["contributions"].values())
    assert abs(total - why["margin"]) < 1e-6, why
    tensor = {"name": "input", "datatype": "FP32", "shape": [3, 4],
              "data": [list(one.values()) for one in rows]}
    path = f"/v2/models/{MODEL}/versions/{version}"
    both = server.ask("POST", path + "/infer", 200, {"inputs": [tensor]})
    assert both["outputs"][0]["data"] == said, (both, said)
    assert server.ask("GET", path)["inputs"][0]["shape"] == [-1, 4]
    server.ask("POST", "/ml/models/predict", 422,
               {"model_name": MODEL, "version": version, "features": row(error_rate=None)})


def check_shadow(server):
    view = server.ask("POST", "/ml/experiments", 201,
                      {"model_name": MODEL, "mode": "shadow", "guards": [], "challenger": 2})
    path = "/ml/experiments/" + view["experiment_id"]
    for _ in range(20):
        server.ask("POST", "/ml/models/predict", 200, {"model_name": MODEL, "features": row()})
    end = time.monotonic() + PATIENCE_S
    while view["scored"] < 20 and time.monotonic() < end:
        time.sleep(.05)
        view = server.ask("GET", path)
    assert view["scored"] >= 20 and view["agreement"] > .5, view
    server.ask("DELETE", path)


def bring_all(program, folder, data):
    for name, content in (("net", NETWORK), ("brittle", BRITTLE),
                          ("wide", onnx_file.network([1] * 7, 0))):
        (folder / f"{name}.onnx").write_bytes(content)
    train_own(program, folder)
    add = [program, "models", "add", MODEL]
    assert "challenger" in command(*add, str(folder / "net.onnx"), "--usual", "2,80,0,0",
                                   "--data", data)
    command(*add, str(folder / "own.onnx"), "--data", data)
    command(*add, str(folder / "brittle.onnx"), "--data", data)
    refused = command(*add, str(folder / "wide.onnx"), "--data", data, code=1)
    assert "takes 7 values a row" in refused and ", ".join(FEATURES) in refused, refused
    with open(folder / "few.csv", "w", newline="") as file:
        csv.writer(file).writerows([FEATURES, [2, 80, 0, 0], [900, 80, 0, 0]])
    said = command(program, "predict", f"{data}/models/{MODEL}-1.onnx", str(folder / "few.csv"))
    assert [line[0] for line in said.split()[1:]] == ["0", "1"], said


def check_without_library(program, folder, data):
    """What a server and the commands say where ONNX Runtime is not."""
    nowhere = ["--set", "models.onnxruntime=/nowhere/libonnxruntime.so"]
    (folder / "net.onnx").write_bytes(NETWORK)
    refused = command(program, "models", "add", MODEL, str(folder / "net.onnx"), "--data", data,
                      *nowhere, code=1)
    for words in ("/nowhere/libonnxruntime.so", "tools/install", "models.onnxruntime"):
        assert words in refused, refused


def check_slow(program, folder):
    """A model that takes longer than it may is taken out; messages are counted all the same."""
    data = str(folder / "slow")
    command(program, "models", "add", MODEL, str(folder / "net.onnx"), "--data", data)
    command(program, "models", "load", MODEL, "--version", "1", "--data", data)
    server = Server(program, data, "--set", "detect.model.foreign_row_budget=100 ns")
    end = time.monotonic() + PATIENCE_S
    users = 0
    while not (told := [one for one in server.ask("GET", "/ml/anomalies/recent?min_severity=high")["alerts"]
                        if one["type"] == "model_unavailable"]):
        assert time.monotonic() < end, "it is not taken out"
        users += 1
        talk(server, f"zoe-{users}", 20, 10)
    print(told[0]["explanation"])
    talk(server, "zoe", 20, 10)
    assert server.ask("GET", "/ml/users/zoe")["features"]["messages_per_minute"] == 20
    server.stop()


def check_unloaded(program, data):
    server = Server(program, data, "--set", "models.onnxruntime=/nowhere/libonnxruntime.so")
    problem = server.ask("POST", "/ml/models/predict", 503, {"model_name": MODEL, "features": row()})
    assert "/nowhere/libonnxruntime.so" in problem["detail"], problem
    checks = {one["name"]: one for one in server.ask("GET", "/readyz?verbose", 503)["checks"]}
    assert not checks["champions"]["ok"], checks
    server.stop()


def main():
    program, library = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        check_without_library(program, folder, str(folder / "without"))
        if not pathlib.Path(library).exists():
            print(f"there is no {library}: nothing more can be checked")
            return
        data = str(folder / "data")
        bring_all(program, folder, data)
        server = Server(program, data)
        check_answers(server, 1)
        server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 1})
        check_alert(program, data, server, "ann", 1)
        check_shadow(server)
        server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 2})
        check_alert(program, data, server, "bob", 2)
        server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 3})
        talk(server, "eve", 400, 55)
        alert = alert_of(server, "model_unavailable", "model:" + MODEL)
        assert alert["severity"] == "high", alert
        server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 1})
        server.stop()
        check_unloaded(program, data)
        check_slow(program, folder)
        server = Server(program, data)
        assert server.ask("GET", f"/ml/models/{MODEL}")["champion"] == 1
        check_answers(server, 1)
        server.stop()
    print("done")


if __name__ == "__main__":
    main()
