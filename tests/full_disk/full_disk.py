#!/usr/bin/env python3
"""Fills the disk under a real server, to its last byte, and looks what becomes of it.

  full_disk.py LIMINAL

The data directory is on a file system of its own (tmpfs, in a mount name space of this test's). With
the disk full the server must go on: events are taken and judged, reads are answered, /readyz and the
log say what is wrong, and no write is acknowledged that is not there later. It is killed and started on
the full disk too. With room again everything that was ever acknowledged must be there, new writes are
taken, and the database is intact. Exits 77 where no file system can be mounted.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
DISK = "200m"  # readiness wants 64 MiB free
PATIENCE_S = 60
SKIPPED = 77


class Server:
    def __init__(self, program, data, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--shards", "2", "--data", data],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.search(line)
        if not match:
            self.kill()
            sys.exit(f"the server did not start: {line!r}\n{pathlib.Path(log).read_text()[-2000:]}")
        self.api = (match[1], int(match[2]))

    def call(self, method, path, body=None, kind="application/json", timeout=PATIENCE_S):
        connection = http.client.HTTPConnection(*self.api, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, text.decode()
        finally:
            connection.close()

    def post(self, user, count):
        body = "".join(json.dumps({"user_id": user, "kind": "message", "message_size": 40, "error": bool(i % 2),
                                   "timestamp": time.time()}) + "\n" for i in range(count))
        status, text = self.call("POST", "/ml/events", body, "application/x-ndjson")
        if status not in (200, 202) or json.loads(text)["accepted"] != count:
            sys.exit(f"events were not taken: {status} {text}")

    def allow(self, user, timeout=PATIENCE_S):
        """Whether the override was acknowledged; on a full disk there may be no answer in time."""
        wish = json.dumps({"kind": "allow", "reason": "test"})
        try:
            return self.call("PUT", f"/ml/limits/{user}", wish, timeout=timeout)[0] in (200, 201)
        except TimeoutError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def until(what, condition):
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            sys.exit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


def alerts(server):
    status, text = server.call("GET", "/ml/anomalies/recent?min_severity=low&limit=1000")
    if status != 200:
        sys.exit(f"alerts are not shown: {status} {text}")
    return {alert["id"]: alert["count"] for alert in json.loads(text)["alerts"]}


def ballast(disk):
    """Takes all that is left of the disk, to the last byte."""
    with open(disk / "ballast", "ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def ready(server):
    status, text = server.call("GET", "/readyz?verbose")
    return status == 200, text


def metric(server, family):
    status, text = server.call("GET", "/metrics")
    if status != 200:
        sys.exit(f"metrics are not shown: {status} {text}")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(family + r"[ {]", line))


def check(server, shown, overrides, where):
    for identity, count in shown.items():
        status, text = server.call("GET", f"/ml/anomalies/{identity}")
        if status != 200 or json.loads(text)["count"] < count:
            sys.exit(f"{where}: alert {identity} that was shown is {status} {text}")
    for user in overrides:
        status, text = server.call("GET", f"/ml/limits/{user}")
        if status != 200:
            sys.exit(f"{where}: the override of {user} that was acknowledged is {status} {text}")


def run(program, disk, log):
    data = str(disk / "data")
    server = Server(program, data, log)
    try:
        server.post("flooder-1", 300)
        until("an alert is shown", lambda: alerts(server))
        overrides = [f"user-{i}" for i in range(20) if server.allow(f"user-{i}")]
        if len(overrides) != 20:
            sys.exit("overrides were not acknowledged on a disk with room")
        shown = alerts(server)

        ballast(disk)
        print(f"full: {os.statvfs(disk).f_bavail} blocks left", flush=True)
        for i in range(30):
            server.post(f"flooder-{2 + i}", 300)  # is served, whatever the disk does
            ballast(disk)  # what retention gave back
        until("readyz says so", lambda: not ready(server)[0])
        print("readyz:", ready(server)[1].replace("\n", " ")[:200], flush=True)
        until("the log says so", lambda: "store.state state=full" in pathlib.Path(log).read_text())
        until("the metrics say so", lambda: metric(server, "liminal_store_errors_total") > 0)
        until("snapshots fail", lambda: metric(server, "liminal_snapshot_errors_total") > 0)
        maybe = [user for user in ("late-1", "late-2") if server.allow(user, timeout=3)]
        shown.update({identity: max(count, shown.get(identity, 0)) for identity, count in alerts(server).items()})
        check(server, shown, overrides + maybe, "on the full disk")

        server.kill()
        server = Server(program, data, log)  # starts without a byte to spare
        check(server, shown, overrides + maybe, "after a kill on the full disk")
        server.post("flooder-99", 300)
        until("readyz says so after the restart", lambda: not ready(server)[0])

        (disk / "ballast").unlink()
        until("it recovers", lambda: ready(server)[0])
        server.post("flooder-100", 300)
        until("new alerts are shown", lambda: len(alerts(server)) > len(shown))
        if not server.allow("after"):
            sys.exit("an override was not acknowledged after there was room again")
        check(server, shown, overrides + maybe + ["after"], "with room again")
        server.kill()
        server = Server(program, data, log)
        check(server, shown, overrides + maybe + ["after"], "after another restart")
    finally:
        server.kill()
    database = sqlite3.connect(disk / "data" / "liminal.db")
    state = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    if state != "ok":
        sys.exit(f"integrity check: {state}")
    print(f"{len(shown)} alerts and {len(overrides + maybe) + 1} overrides acknowledged, none lost; the database is intact")


def main():
    if len(sys.argv) == 2:  # once more, in a mount name space of its own
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        if subprocess.run(unshare + ["true"], capture_output=True, check=False).returncode != 0:
            print("no mount name space can be had here")
            return SKIPPED
        return subprocess.run(unshare + [sys.executable, __file__, sys.argv[1], "mounted"], check=False).returncode
    with tempfile.TemporaryDirectory(prefix="liminal-full-") as folder:
        disk = pathlib.Path(folder) / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", disk], check=False).returncode != 0:
            print("no file system can be mounted here")
            return SKIPPED
        try:
            run(sys.argv[1], disk, str(pathlib.Path(folder) / "serve.log"))
        finally:
            subprocess.run(["umount", "-l", disk], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
