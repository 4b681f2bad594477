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


def post_events(gateway, who="user"):
    now = time.time()
    lines = [message(f"{who}-{i % 20}", now - 2 + i / 100) for i in range(200)]
    begin = time.monotonic()
    told = gateway.ask("POST", "/ml/events", "\n".join(lines), "application/x-ndjson")
    assert told["accepted"] == len(lines)
    return time.monotonic() - begin


def alerts_of(server, query=""):
    return server.ask("GET", f"/ml/anomalies/recent?min_severity=low&limit=10000{query}")["alerts"]


def make_alert(gateway, user):
    """A flood of a user: its alert, at the gateway."""
    now = time.time()
    gateway.ask("POST", "/ml/events", "\n".join(message(user, now - 3 + i / 400) for i in range(1000)),
                "application/x-ndjson")
    return wait_for("an alert", lambda: next((one for one in alerts_of(gateway) if one["user_id"] == user), None))


def judge(server, alert, verdict):
    return server.ask("POST", f"/ml/anomalies/{alert['id']}/feedback", json.dumps({"verdict": verdict}))


def told_of(cluster, gateway, alert):
    """A gateway's alert as the cluster has it: once, however often it was told."""
    found = [one for one in alerts_of(cluster)
             if (one["gateway"], one["gateway_alert"]) == (gateway, alert["id"])]
    assert len(found) < 2, found
    return found[0] if found else None


def check_alerts(gateway, cluster, name="north"):
    """Alerts of the gateway, and what was said of them, are at the cluster: in its order, in its incidents."""
    user = f"flood-{name}"
    alert = make_alert(gateway, user)
    assert alert["gateway"] is alert["gateway_alert"] is None, alert
    there = wait_for("the alert there", lambda: told_of(cluster, name, alert))
    assert (there["user_id"], there["type"], there["feedback"]) == (user, alert["type"], None), there
    assert there["explanation"] and 0 <= there["salience"] <= 1, there
    assert there["id"] in [one["id"] for one in alerts_of(cluster, "&order=salience")]
    incident = wait_for("its incident", lambda: next(
        (one for one in cluster.ask("GET", "/ml/incidents?limit=500")["incidents"]
         if there["id"] in one["alerts"] and one["scope"] == "global"), None))
    assert name in incident["gateways"], incident
    judge(gateway, alert, "false_positive")
    judge(gateway, alert, "true_positive")
    wait_for("what was said", lambda: told_of(cluster, name, alert)["feedback"] == "true_positive")
    wait_for("that it was heard", lambda: cluster_of(gateway)["feedback"]["waiting"] == 0)
    why = cluster.ask("GET", f"/ml/anomalies/{there['id']}/explain")["replay"]
    assert not why["available"] and name in why["reason"] and why["command"].endswith(alert["id"]), why
    return alert


def check_words_return(gateway, cluster, alert, name="north"):
    """What is said at the cluster of the gateway's alert comes to the gateway; what is said there later counts."""
    there = told_of(cluster, name, alert)
    judged = judge(cluster, there, "expected")
    assert (judged["feedback"], judged["gateway"]) == ("expected", name), judged
    waiting = f"/ml/anomalies/feedback?gateway={name}"
    assert [one["id"] for one in cluster.ask("GET", waiting)["feedback"]] in ([alert["id"]], [])
    wait_for("what was said there", lambda: gateway.ask(
        "GET", f"/ml/anomalies/{alert['id']}")["feedback"] == "expected")
    wait_for("that it is known here", lambda: not cluster.ask("GET", waiting)["feedback"])
    said = [one["actor"] for one in gateway.ask("GET", f"/ml/audit?subject={alert['id']}")["entries"]
            if one["action"] == "feedback"]
    assert said == ["cluster", "api", "api"], said
    judge(gateway, alert, "true_positive")
    wait_for("another word", lambda: told_of(cluster, name, alert)["feedback"] == "true_positive")


def check_labels(cluster, alert):
    """A training at the cluster takes what was said at the gateway for the labels of that user's rows."""
    begin = time.time()
    blank = dict.fromkeys(alert["features"], 0)
    rows = [blank | {"user_id": user, "ip_address": None, "timestamp": stamp, **what}
            for user, stamp, what in
            [(alert["user_id"], alert["first_seen"], {"messages_per_minute": 300 + i}) for i in range(50)] +
            [(f"calm-{i}", begin - i, {"messages_per_minute": i % 9}) for i in range(150)]]
    cluster.ask("POST", "/ml/features/recent", json.dumps({"features": rows}))
    job = cluster.ask("POST", "/ml/models/train", json.dumps(
        {"model_name": "anomaly_detection", "data_source": "recent_features", "fits_max": 8}),
        status=(200, 202))
    ended = wait_for("a model of the labels", lambda: (
        told := cluster.ask("GET", f"/ml/jobs/{job['job_id']}"))["state"] not in ("queued", "running") and told)
    assert ended["state"] == "succeeded", ended
    report = json.dumps(cluster.ask("GET", f"/ml/models/anomaly_detection/versions/{ended['result']['version']}/report"))
    judged = re.search(r"labels of (\d+) by people's feedback", report)
    assert judged and int(judged[1]) >= 50, report[:2000]


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

    post_events(gateway, "member")
    wait_for("a row", lambda: cluster_of(gateway)["rows"]["sent"])
    wait_for("a row there", lambda: any(
        row["user_id"].startswith("member-") for row in cluster.ask("GET", "/ml/features/recent")["features"]))
    begin = time.time() - 30
    gateway.ask("POST", "/anomaly", json.dumps(
        {"source": "web", "metrics": [{"cpu": i % 7, "timestamp": begin + i} for i in range(30)]}))
    wait_for("a metric", lambda: cluster_of(gateway)["metrics"]["sent"] >= 30)
    assert cluster.ask("GET", "/anomaly/series/north%2Fweb/cpu")["metric"] == "cpu"
    alert = check_alerts(gateway, cluster)
    check_words_return(gateway, cluster, alert)
    told = cluster_of(gateway)
    assert all(told[kind]["rejected"] == 0 for kind in ("rows", "metrics", "alerts", "feedback")), told
    assert f"liminal_cluster_champions_total {champions}\n" in gateway.ask("GET", "/metrics")
    return alert


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
            early = make_alert(gateway, "early")
            judge(gateway, early, "expected")
            assert cluster_of(gateway)["feedback"]["sent"] == 0
            gateway.stop()  # what was said while the cluster was away is told by the next life
            gateway = Server(program, here, "127.0.0.1:0", "--engine", f"ray=http://{address}", *JOINED)
            wait_for("what waits", lambda: cluster_of(gateway)["feedback"]["waiting"] == 1)
            cluster = Server(program, there, address)
            wait_for("what was said before", lambda: (
                found := told_of(cluster, "north", early)) and found["feedback"] == "expected")
            check_joined(gateway, cluster, sha256)
            assert "not here; builtin" in trained_there(gateway)["problem"]  # what stands in is no cluster of Ray
            south = Server(program, pathlib.Path(folder) / "south", "127.0.0.1:0", "--engine",
                           f"ray=http://{address}", "--set", "cluster.name=south")
            alert = check_alerts(south, cluster, "south")
            stories = cluster.ask("GET", "/ml/incidents?scope=global")["incidents"]
            assert any(one["gateways"] == ["north", "south"] for one in stories), stories
            check_labels(cluster, alert)
            south.stop()
            known = told_of(cluster, "south", alert)
            cluster.kill()
            wait_for("its end", lambda: not cluster_of(gateway)["up"])
            check_away(gateway)
            assert gateway.ask("GET", "/ml/models/anomaly_detection")["champion"] == 1
            cluster = Server(program, there, address)
            again = told_of(cluster, "south", alert)
            assert (again["id"], again["feedback"]) == (known["id"], "true_positive"), (known, again)
            judged = judge(cluster, again, "false_positive")
            assert judged["feedback"] == "false_positive" and judged["gateway"] == "south", judged
            # Of what both said while they did not hear each other, the younger holds at both.
            cluster.kill()
            south = Server(program, pathlib.Path(folder) / "south", "127.0.0.1:0", "--engine",
                           f"ray=http://{address}", "--set", "cluster.name=south")
            judge(south, alert, "expected")
            cluster = Server(program, there, address)
            wait_for("the younger word", lambda: told_of(cluster, "south", alert)["feedback"] == "expected")
            assert south.ask("GET", f"/ml/anomalies/{alert['id']}")["feedback"] == "expected"
            south.stop()
        finally:
            gateway.stop()
            if cluster.process.poll() is None:
                cluster.kill()
    print("joined, left, and went on")


if __name__ == "__main__":
    main()
