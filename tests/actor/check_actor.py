#!/usr/bin/env python3
"""Has a running server pass its advice on, to a server that stands in for Ray's dashboard and a webhook.

  check_actor.py LIMINAL

The stand-in checks path, token and body as Ray Serve's external scaler does and scales nothing. One
service is enforced by Ray Serve, which is away at first (503); one is told to a webhook; one has no mode
of its own and so is in shadow, of which nobody may hear until a reload says so. The audit log must have
every change and the failure.
"""
import http.server
import json
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PATIENCE_S = 60
CONFIGURATION = """
mode = "enforce"
listen = "127.0.0.1:0"
data = "{data}"
[api]
address = "127.0.0.1:0"
[log]
level = "warning"
[[scaling.actors]]
service = "ray"
kind = "ray_serve"
url = "{url}"
application = "my shop"
deployment = "Chat"
token_file = "{token}"
mode = "enforce"
[[scaling.actors]]
service = "hook"
url = "{url}/hook"
mode = "enforce"
[[scaling.actors]]
service = "quiet"
url = "{url}/quiet"
"""


class StandIn(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard = []  # (path, status, body)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.status(body)
        self.server.heard.append((self.path, status, body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def status(self, body):
        if self.path in ("/hook", "/quiet"):
            return 204
        if self.path != "/api/v1/applications/my%20shop/deployments/Chat/scale":
            return 404
        if not any(path == self.path for path, _, _ in self.server.heard):
            return 503  # not ready yet
        if self.headers["Authorization"] != "Bearer s3cret":
            return 401
        return 200 if list(body) == ["target_num_replicas"] else 400

    def log_message(self, *_):
        pass


def call(api, method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://{api}{path}", data, method=method,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def tell(api, service):
    history = [{"timestamp": time.time() - 60 * t, "request_rate": 100 + t % 50,
                "cpu_avg": (100 + t % 50) / 200, "replicas": 2} for t in range(200, 0, -1)]
    call(api, "PUT", f"/scaling/{service}", {"replicas_min": 3})
    call(api, "POST", "/scaling", {"service": service, "current_replicas": 2, "history": history,
                                   "usage_patterns": {"request_rate": 100, "cpu_avg": .5}})
    return json.loads(call(api, "GET", f"/scaling/{service}/metric"))["value"]


def until(what, look):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(.1)
    return found


def check(process, stand_in, database, configuration):
    api = re.match(r"ready listen=\S+ api=(\S+)", process.stdout.readline())[1]
    advised = {service: tell(api, service) for service in ("ray", "hook", "quiet")}
    scaled = until("Ray Serve is told", lambda: [body for _, status, body in stand_in.heard
                                                 if status == 200])
    assert scaled[0] == {"target_num_replicas": advised["ray"]}, scaled
    told = until("the webhook is told", lambda: [body for path, _, body in stand_in.heard
                                                 if path == "/hook"])
    assert told[0]["type"] == "scaling.advice", told
    assert told[0]["data"]["service"] == "hook" and told[0]["data"]["replicas"] == advised["hook"]

    def counted():
        return set(re.findall(r'liminal_scaling_actions_total\{(.*)\} [1-9]', call(
            api, "GET", "/metrics")))
    expected = {'service="ray",result="failed"', 'service="ray",result="done"',
                'service="hook",result="done"', 'service="quiet",result="shadowed"'}
    until(f"{expected} are counted", lambda: counted() == expected)
    assert not [path for path, _, _ in stand_in.heard if path == "/quiet"], "shadow acts"
    configuration.write_text(configuration.read_text() + 'mode = "enforce"\n')
    process.send_signal(signal.SIGHUP)
    until("the third is told", lambda: [path for path, _, _ in stand_in.heard if path == "/quiet"])
    until("that is counted", lambda: 'service="quiet",result="done"' in counted())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as store:
        audit = store.execute("SELECT action, subject, detail FROM audit"
                              " WHERE actor = 'scaling'").fetchall()
    kinds = sorted((action, subject, detail.rpartition("; ")[2] if action == "scale" else "")
                   for action, subject, detail in audit)
    assert kinds == [("scale", "hook", "answered 204"), ("scale", "quiet", "answered 204"),
                     ("scale", "ray", "answered 200"), ("scale", "ray", "answered 503"),
                     ("scale.shadow", "quiet", "")], audit
    assert "s3cret" not in str(audit)


def main():
    stand_in = StandIn()
    threading.Thread(target=stand_in.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="liminal-actor-") as name:
        folder = pathlib.Path(name)
        (folder / "token").write_text("s3cret\n")
        (folder / "liminal.toml").write_text(CONFIGURATION.format(
            data=folder / "data", url=stand_in.url, token=folder / "token"))
        process = subprocess.Popen([sys.argv[1], "serve", "--config", folder / "liminal.toml"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            check(process, stand_in, folder / "data" / "liminal.db", folder / "liminal.toml")
        finally:
            if process.poll() is None:
                process.kill()
    print("what is advised is passed on")


if __name__ == "__main__":
    main()
