#!/usr/bin/env python3
"""Moves the metrics of running servers and holds them to docs/metrics.md.

  check_metrics.py LIMINAL

A server whose hub answers and which keeps next to nothing, and one in front of it that enforces, are
played to, and post their alerts to a receiver that verifies them. Every family of the documentation must be there and have moved, but for those few that only
rare trouble moves: they are named here and must be there. Nothing undocumented may be there. The server's
own load and that of its upstream are services and series.
"""
import base64
import http.server
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "remote_write"))
sys.path.insert(0, str(ROOT / "tests" / "api"))
import remote_write  # noqa: E402
from described import DOCUMENT, Api  # noqa: E402

PATIENCE_S = 120

# tests/full_disk moves the errors of store and snapshots; the others are moved by the tests of the
# folders that count them, as counters: they would take millions of events or a broken disk here.
TROUBLE = {
    "liminal_queue_depth", "liminal_queue_dropped_total", "liminal_store_errors_total",
    "liminal_snapshot_errors_total", "websocket_slow_readers_total", "liminal_scaling_errors_total",
    "websocket_delays_exceeded_total",  # tests/serve/enforcing.py
    "websocket_upstream_draining",  # tests/serve/check_serve.py
    "liminal_metric_sources_evicted_total", "liminal_metric_series_evicted_total",
    "liminal_metric_forecast_refused_total",
    "liminal_metric_forecast_refits_failed_total",
    "liminal_learning_triggers_total", "liminal_learning_refusals_total",
}
# What makes one family move each: little room for users, services and stored rows.
NARROW = ["--set", "engine.users_max=1", "--set", "scaling.services_max=2",
          "--set", "store.rows_per_second=1", "--set", "store.row_interval=1 s"]
# Shown only where gRPC, an actor or TLS is configured; their own tests move them.
ELSEWHERE = {"liminal_grpc_calls_total", "liminal_grpc_streams",
             "liminal_scaling_actions_total", "liminal_certificate_expiry_seconds",
             # Takes a champion; tests/models/learn_again.py moves it.
             "liminal_model_drift_score",
             # With a cluster; tests/serve/join_cluster.py moves them.
             "liminal_cluster_up", "liminal_cluster_rows_total",
             "liminal_cluster_champions_total",
             # Two hours must pass first; src/server/signals has the tests.
             "liminal_metric_limit_probability_ratio", "liminal_metric_limit_seconds"}


SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four.").decode()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what a webhook posts."""
    posted = []

    def do_POST(self):
        self.posted.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server:
    def __init__(self, program, folder, *flags):
        self.log = open(folder / "log.txt", "w")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data",
             str(folder / "data"), "--set", "identity.trusted_proxies=127.0.0.1", *flags],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        ready = self.process.stdout.readline()
        self.listen, self.api = re.match(r"ready listen=(\S+) api=(\S+)", ready).groups()

    def call(self, method, path, body=None, kind="application/json"):
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(f"http://{self.api}{path}", data, method=method,
                                         headers={"Content-Type": kind} if data else {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def has(self, path):
        try:
            return bool(self.call("GET", path))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False

    def metrics(self):
        """The largest sample of each family; of a histogram its count."""
        found = {}
        for line in self.call("GET", "/metrics").splitlines():
            if line.startswith("#") or not line:
                continue
            name, value = re.match(r"(\w+)(?:\{.*\})? (\S+)", line).groups()
            name = re.sub(r"_(bucket|sum)$", "", name) if "_bucket" in name or name.endswith(
                "_sum") else re.sub(r"_seconds_count$", "_seconds", name)
            found[name] = max(found.get(name, 0), float(value))
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.log.close()
        return code


def documented():
    text = (ROOT / "docs/metrics.md").read_text()
    return set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


def train_and_ask(server, folder):
    """A model of a file of rows, which answers once."""
    columns = ["messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"]
    (folder / "data" / "training").mkdir()
    with open(folder / "data" / "training" / "rows.csv", "w") as file:
        print(*columns, "is_anomaly", sep=",", file=file)
        for i in range(400):
            print(i % 20 + (100 if i % 4 == 0 else 0), 40 + i % 7, 0, 0, int(i % 4 == 0), sep=",",
                  file=file)
    job = json.loads(server.call("POST", "/ml/models/train", json.dumps(
        {"model_name": "anomaly_detection", "data_source": "file", "file": "rows.csv",
         "fits_max": 8})))["job_id"]
    while json.loads(server.call("GET", f"/ml/jobs/{job}"))["state"] in ("queued", "running"):
        time.sleep(.1)
    server.call("POST", "/ml/models/predict", json.dumps(
        {"model_name": "anomaly_detection", "version": 1, "features": dict.fromkeys(columns, 1)}))
    server.call("POST", "/ml/models/anomaly_detection/load", json.dumps({"version": 1}))
    for _ in range(3):  # what it is asked about comes a moment after the message
        server.call("POST", "/ml/events", flood("mallet"), "application/x-ndjson")
        time.sleep(.1)


def flood(user):
    return "".join(f'{{"user_id":"{user}","kind":"message"}}\n' for _ in range(500))


def check_posted(posted):
    """As api/openapi.yaml describes it, and signed as the lines in docs/api.md verify it."""
    section = (ROOT / "docs/api.md").read_text().split("## Alerts by webhook")[1]
    documented_lines = {}
    exec(re.search("```python\n(.*?)```", section, re.S)[1], documented_lines)
    verified = documented_lines["verified"]
    assert posted, "no alert was posted"
    for headers, body in posted:
        Api.validate(DOCUMENT["components"]["schemas"]["AlertNews"], json.loads(body), body)
        assert verified(SECRET, headers, body) and not verified(SECRET, headers, body + b" "), headers
        assert not verified("another secret", headers, body), headers
    kinds = {json.loads(body)["type"] for _, body in posted}
    assert "alert.raised" in kinds, kinds


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        folders = [pathlib.Path(folder) / name for name in ("hub", "front")]
        for each in folders:
            each.mkdir()
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        hub = Server(program, folders[0], *NARROW)
        front = Server(program, folders[1], "--upstream", f"ws://{hub.listen}", "--upstream",
                       "ws://127.0.0.1:9", "--mode", "enforce",  # nobody is at the discard port
                       "--set", f"webhook.url=http://127.0.0.1:{receiver.server_port}/",
                       "--set", "webhook.min_severity=low", "--set", f"webhook.secret={SECRET}",
                       "--set", "gateway.error_values=error")
        found = {}

        def look():
            for server in (hub, front):
                for name, value in server.metrics().items():
                    found[name] = max(found.get(name, 0), value)

        try:
            player = subprocess.Popen([program, "play", "--synthetic", "--length", "30 min",
                                       "--speed", "600", "--target", f"ws://{front.listen}"],
                                      stdout=subprocess.DEVNULL)
            while player.poll() is None:  # gauges move while somebody is connected
                look()
                time.sleep(0.2)
            front.call("POST", "/ml/events", '{"user_id":"x","kind":"message"}\n{"kind":1}\n',
                       "application/x-ndjson")
            front.call("PUT", "/ml/limits/mallory",
                       json.dumps({"kind": "block", "reason": "a test"}))
            front.call("POST", "/ml/events", flood("eve"), "application/x-ndjson")
            for shift in (-3600, 3600):  # late and early
                front.call("POST", "/ml/events", json.dumps(
                    {"user_id": "eve", "kind": "message", "timestamp": time.time() + shift}),
                    "application/x-ndjson")
            for service in ("one", "two"):  # the server itself is the other of two
                hub.call("POST", "/scaling", json.dumps({"service": service, "current_replicas": 1,
                                                         "usage_patterns": {"request_rate": 1}}))
            alerts = json.loads(
                front.call("GET", "/ml/anomalies/recent?min_severity=low"))["alerts"]
            front.call("POST", f"/ml/anomalies/{alerts[0]['id']}/feedback",
                       json.dumps({"verdict": "true_positive"}))
            front.call("PUT", "/scaling/web", json.dumps({"replicas_min": 1}))
            front.call("POST", "/scaling", json.dumps({
                "service": "web", "current_replicas": 2,
                "usage_patterns": {"request_rate": 100, "cpu_avg": .5},
                "history": [{"timestamp": time.time() - 60 * t, "request_rate": 100 + t % 50,
                             "cpu_avg": (100 + t % 50) / 200, "replicas": 2}
                            for t in range(200, 0, -1)]}))
            rows = [{"cpu": i % 17, "timestamp": 1e9 + i} for i in range(2000)]
            rows.append({"cpu": 400, "timestamp": 1e9 + 2000})
            for batch in (rows, [rows[-1] | {"timestamp": 1e9}]):  # the second is late
                front.call("POST", "/anomaly", json.dumps({"source": "test", "metrics": batch}))
            written = [([("__name__", "up"), ("instance", "web:1")], [(1, 1_000)])]
            front.call("POST", "/api/v1/write", remote_write.request(written),
                       "application/x-protobuf")
            train_and_ask(front, folders[1])
            bad = urllib.request.Request(f"http://{front.listen}/")
            try:
                urllib.request.urlopen(bad, timeout=10)
            except urllib.error.HTTPError:
                pass  # no upgrade: refused and counted
            front.process.send_signal(signal.SIGHUP)

            expected = documented() - ELSEWHERE
            deadline = time.monotonic() + PATIENCE_S
            upstream = urllib.parse.quote(f"upstream:ws://{hub.listen}", safe="")
            own = {"/scaling/liminal", f"/scaling/{upstream}",
                   "/anomaly/series/liminal/messages_per_second",
                   f"/anomaly/series/{upstream}/messages_in_per_second"}
            while True:
                look()
                still = {n for n in expected - TROUBLE if found.get(n, 0) <= 0}
                still |= {path for path in own if not front.has(path)}
                if not still or time.monotonic() > deadline:
                    break
                time.sleep(0.5)
        finally:
            codes = [front.stop(), hub.stop()]
    check_posted(Receiver.posted)
    problems = [f"{name} has not moved" for name in sorted(still)]
    problems += [f"{name} is missing" for name in sorted(TROUBLE - found.keys())]
    problems += [f"{name} is not documented" for name in sorted(found.keys() - documented())]
    problems += [f"a server ended with {code}" for code in codes if code != 0]
    for problem in problems:
        print(problem)
    print(f"{len(expected)} families, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
