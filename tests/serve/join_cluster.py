#!/usr/bin/env python3
"""A gateway with --engine ray=URL, from outside: with a cluster, before there is one, and after it went.

  join_cluster.py LIMINAL

Another Liminal stands in for the cluster, whose API is the same; python/tests/cluster joins a gateway to the
application on Ray by `check_joined`.
"""
import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
PATIENCE_S = 60
# A gateway that takes the cluster's limits and enforces them, which the cluster does not.
JOINED = ("--set", "cluster.name=north", "--set", "cluster.limits=true", "--set", "limits.mode=enforce")
COLUMNS = ["messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"]


class Server:
    def __init__(self, program, data, api, *flags):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", api, "--data", data, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert READY.match(line), f"not ready: {line!r}"
        host, port = READY.match(line).groups()
        self.api = (host, int(port))

    def ask(self, method, path, body=None, kind="application/json", status=(200, 202)):
        connection = http.client.HTTPConnection(*self.api, timeout=30)
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status in status, f"{method} {path}: {answer.status} {text[:500]}"
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def stop(self):
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_for(what, look):
    end = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(.1)
    return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def train(cluster, folder):
    """A champion of the cluster; its hash."""
    (folder / "training").mkdir(exist_ok=True)
    with open(folder / "training" / "rows.csv", "w") as file:
        print(*COLUMNS, "is_anomaly", sep=",", file=file)
        for i in range(400):
            print(i % 20 + (100 if i % 4 == 0 else 0), 40 + i % 7, 0, 0, int(i % 4 == 0), sep=",",
                  file=file)
    job = cluster.ask("POST", "/ml/models/train", json.dumps(
        {"model_name": "anomaly_detection", "data_source": "file", "file": "rows.csv", "fits_max": 8}))
    wait_for("a version", lambda: cluster.ask("GET", f"/ml/jobs/{job['job_id']}")["state"] == "succeeded")
    cluster.ask("POST", "/ml/models/anomaly_detection/load", json.dumps({"version": 1}))
    return cluster.ask("GET", "/ml/models/anomaly_detection")["versions"][0]["onnx_sha256"]


def set_limits(cluster, burst):
    """What somebody decides on the cluster."""
    policies = cluster.ask("GET", "/ml/limits")["policies"]
    policies["user"]["messages"]["burst"] = burst
    cluster.ask("PUT", "/ml/limits", json.dumps({"policies": policies}))
    cluster.ask("PUT", "/ml/limits/mallory", json.dumps({"kind": "block", "reason": "spam"}), status=(200, 201))


def message(user, timestamp):
    return json.dumps({"user_id": user, "kind": "message", "message_size": 40, "timestamp": timestamp})


def post_events(gateway):
    now = time.time()
    lines = [message(f"user-{i % 20}", now - 2 + i / 100) for i in range(200)]
    begin = time.monotonic()
    told = gateway.ask("POST", "/ml/events", "\n".join(lines), "application/x-ndjson")
    assert told["accepted"] == len(lines)
    return time.monotonic() - begin


def cluster_of(gateway):
    return gateway.ask("GET", "/ml/status")["cluster"]


def trained_there(gateway, **wish):
    """A training that the gateway has the cluster carry out: how its job ended here."""
    begun = gateway.ask("POST", "/ml/models/train", json.dumps(
        {"model_name": "anomaly_detection", "data_source": "file", "file": "rows.csv", "trainer": "ray"} | wish))
    return wait_for("its end", lambda: (
        told := gateway.ask("GET", f"/ml/jobs/{begun['job_id']}"))["state"] not in ("queued", "running") and told)


def check_away(gateway):
    told = wait_for("trouble", lambda: (state := cluster_of(gateway))["trouble"] and state)
    assert not told["up"], told
    assert post_events(gateway) < 5
    checks = {one["name"]: one for one in gateway.ask("GET", "/readyz?verbose")["checks"]}
    assert checks["cluster"]["ok"] and checks["cluster"]["detail"].startswith("away"), checks
    assert "liminal_cluster_up 0" in gateway.ask("GET", "/metrics")
    assert "the cluster gives no answer: Connection refused" in trained_there(gateway)["problem"]


def check_joined(gateway, cluster, sha256):
    wait_for("the cluster", lambda: cluster_of(gateway)["up"])
    state = wait_for("the champion", lambda: (
        model := gateway.ask("GET", "/ml/models/anomaly_detection"))["champion"] and model)
    assert state["versions"][0]["onnx_sha256"] == sha256
    history = gateway.ask("GET", "/ml/models/anomaly_detection/history")["history"]
    assert history[0]["actor"] == "cluster", history
    known = {one["name"] for one in gateway.ask("GET", "/ml/models")["models"]}
    champions = sum(one["champion"] is not None and one["name"] in known
                    for one in cluster.ask("GET", "/ml/models")["models"])
    wait_for("every champion", lambda: cluster_of(gateway)["champions"] == champions)
    there = cluster.ask("GET", "/ml/limits")["policies"]
    here = wait_for("its limits", lambda: (
        held := gateway.ask("GET", "/ml/limits")["policies"])["user"] == there["user"] and held)
    assert here == {**there, "mode": "enforce"}, here
    decided = wait_for("its override", lambda: gateway.ask("GET", "/ml/limits")["overrides"])
    assert [(one["user_id"], one["kind"], one["reason"]) for one in decided] == [("mallory", "block", "cluster: spam")]
    said = {(one["actor"], one["action"]) for one in gateway.ask("GET", "/ml/audit")["entries"]}
    assert said >= {("cluster", "limits.set"), ("cluster", "override.set")}, said
    row = dict.fromkeys(COLUMNS, 1)
    asked = json.dumps({"model_name": "anomaly_detection", "features": row})
    said = [one.ask("POST", "/ml/models/predict", asked)["prediction"] for one in (gateway, cluster)]
    assert said[0] == said[1]

    post_events(gateway)
    wait_for("a row", lambda: cluster_of(gateway)["rows"]["sent"])
    wait_for("a row there", lambda: any(
        row["user_id"].startswith("user-") for row in cluster.ask("GET", "/ml/features/recent")["features"]))
    begin = time.time() - 30
    gateway.ask("POST", "/anomaly", json.dumps(
        {"source": "web", "metrics": [{"cpu": i % 7, "timestamp": begin + i} for i in range(30)]}))
    wait_for("a metric", lambda: cluster_of(gateway)["metrics"]["sent"] >= 30)
    assert cluster.ask("GET", "/anomaly/series/north%2Fweb/cpu")["metric"] == "cpu"
    told = cluster_of(gateway)
    assert told["rows"]["rejected"] == told["metrics"]["rejected"] == 0, told
    assert f"liminal_cluster_champions_total {champions}\n" in gateway.ask("GET", "/metrics")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        there, here = pathlib.Path(folder) / "cluster", pathlib.Path(folder) / "gateway"
        address = f"127.0.0.1:{free_port()}"
        cluster = Server(program, there, address)
        sha256 = train(cluster, there)
        set_limits(cluster, 17)
        cluster.stop()
        gateway = Server(program, here, "127.0.0.1:0", "--engine", f"ray=http://{address}", *JOINED)
        try:
            check_away(gateway)
            cluster = Server(program, there, address)
            check_joined(gateway, cluster, sha256)
            assert "not here; builtin" in trained_there(gateway)["problem"]  # what stands in is no cluster of Ray
            cluster.kill()
            wait_for("its end", lambda: not cluster_of(gateway)["up"])
            check_away(gateway)
            assert gateway.ask("GET", "/ml/models/anomaly_detection")["champion"] == 1
        finally:
            gateway.stop()
            if cluster.process.poll() is None:
                cluster.kill()
    print("joined, left, and went on")


if __name__ == "__main__":
    main()
