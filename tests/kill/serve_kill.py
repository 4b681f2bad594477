#!/usr/bin/env python3
"""Kills `liminal serve` under load, again and again, and looks for what is lost.

  serve_kill.py LIMINAL [--rounds N] [--longest S] [--users N] [--seed N]

Each round starts the server on the same data directory, posts events (floods that raise alerts, and
users that are seen once), sets and removes overrides, reads alerts and gives feedback, and sends
SIGKILL at a random moment. Then, while the server is down, the database must be intact, and after the
next start

  - every alert that was shown is shown, with at least as many findings,
  - every feedback and override that was acknowledged is there, every removed override is gone,
  - of the users whose event was accepted more than a second before the kill, each has its row, and is known,
  - the server was ready within two seconds (or --ready S).

--users N posts events of so many users before the first kill, and --settle S waits so long after them,
so that their snapshots are written. Without other users the floods are the population, and what all
do is soon no alert. Exits 1 with what was found; needs nothing but Python's own library.
"""
import argparse
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
# A kill must not come before a start can be told from a failure.
START_PATIENCE_S = 30


class Ledger:
    """What the server has acknowledged or shown over all its lives. Guarded by its lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.alerts = {}  # id → findings
        self.feedback = {}  # alert id → verdict
        self.overrides = {}  # user → messages a second
        self.removed = set()
        self.rows = {}  # user → when its event was accepted; of this life
        self.calls = 0


class Client:
    """One connection to the API. Whatever happens after the kill is no answer."""

    def __init__(self, api):
        self.connection = http.client.HTTPConnection(*api, timeout=10)

    def call(self, method, path, body=None, kind="application/json"):
        headers = {"Content-Type": kind} if body is not None else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, (json.loads(text) if text and b"json" in (answer.headers["Content-Type"] or "").encode() else None)


def event(user, kind="message", **more):
    return json.dumps({"user_id": user, "kind": kind, "message_size": 40, "timestamp": time.time(), **more})


def post_events(client, lines):
    status, answer = client.call("POST", "/ml/events", "\n".join(lines) + "\n", "application/x-ndjson")
    return status in (200, 202) and answer["rejected"] == [] and answer["accepted"] == len(lines)


def flood(client, ledger, life, random_, number):
    """Raises alerts: a user who sends far too much, half of it failing."""
    user = f"flood-{life}-{number}"
    post_events(client, [event(user, error=bool(i % 2), ip_address="10.0.0.1") for i in range(200)])
    time.sleep(random_.uniform(0, 0.02))


def see_once(client, ledger, life, random_, number):
    user = f"once-{life}-{number}"
    if post_events(client, [event(user)]):
        with ledger.lock:
            ledger.rows[user] = time.monotonic()
    time.sleep(0.003)


def override(client, ledger, life, random_, number):
    user = f"override-{life}-{number}"
    rate = 1 + number
    wish = {"kind": "rate", "messages_per_second": rate, "burst": 5, "reason": "test"}
    if client.call("PUT", f"/ml/limits/{user}", json.dumps(wish))[0] == 201:
        with ledger.lock:
            ledger.overrides[user] = rate
    if number % 3 == 0:
        with ledger.lock:  # from here on neither is certain
            ledger.overrides.pop(user, None)
        if client.call("DELETE", f"/ml/limits/{user}")[0] == 204:
            with ledger.lock:
                ledger.removed.add(user)


def look_and_judge(client, ledger, life, random_, number):
    status, answer = client.call("GET", "/ml/anomalies/recent?limit=20&min_severity=low")
    if status != 200:
        return
    with ledger.lock:
        for alert in answer["alerts"]:
            ledger.alerts[alert["id"]] = max(alert["count"], ledger.alerts.get(alert["id"], 0))
    for alert in answer["alerts"][:2]:
        verdict = random_.choice(["true_positive", "false_positive", "expected"])
        with ledger.lock:
            ledger.feedback.pop(alert["id"], None)
        path = f"/ml/anomalies/{alert['id']}/feedback"
        if client.call("POST", path, json.dumps({"verdict": verdict}))[0] == 200:
            with ledger.lock:
                ledger.feedback[alert["id"]] = verdict
    time.sleep(0.02)


class Server:
    last = None  # the one that runs

    def __init__(self, program, directory):
        started = time.monotonic()
        self.log = open(directory / "serve.log", "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data", str(directory / "data")],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.search(line)
        if not match:
            self.process.kill()
            sys.exit(f"the server did not start: {line!r}\n{(directory / 'serve.log').read_text()[-2000:]}")
        Server.last = self
        self.ready_s = time.monotonic() - started
        self.api = (match.group(1), int(match.group(2)))

    def kill(self):
        killed = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        return killed


def live(server, ledger, life, seed, length_s):
    """Loads the server until it is killed; gives the moment of the kill."""
    stopping = threading.Event()

    def work(job, number_):
        random_ = random.Random(f"{seed}-{job.__name__}")
        client = Client(server.api)
        number = 0
        try:
            while not stopping.is_set():
                job(client, ledger, life, random_, number)
                number += 1
                with ledger.lock:
                    ledger.calls += 1
        except (OSError, http.client.HTTPException, ValueError):
            if not stopping.is_set():
                raise

    threads = [threading.Thread(target=work, args=(job, 0)) for job in (flood, see_once, override, look_and_judge)]
    for thread in threads:
        thread.start()
    time.sleep(length_s)
    stopping.set()
    killed = server.kill()
    for thread in threads:
        thread.join()
    return killed


def check_database(directory, ledger, killed, problems):
    database = sqlite3.connect(directory / "data" / "liminal.db")
    check = database.execute("PRAGMA integrity_check").fetchone()[0]
    if check != "ok":
        problems.append(f"integrity check: {check}")
    kept = {user for user, in database.execute("SELECT user FROM feature_rows")}
    database.close()
    # An answer that was on its way may have been read after the kill.
    lost_s = max((max(0, killed - when) for user, when in ledger.rows.items() if user not in kept), default=0)
    if lost_s > 1:
        problems.append(f"a row {lost_s:.2f} s old is lost")
    return lost_s


def check_server(server, ledger, killed, problems):
    client = Client(server.api)
    for identity, count in ledger.alerts.items():
        status, alert = client.call("GET", f"/ml/anomalies/{identity}")
        if status != 200:
            problems.append(f"alert {identity} is lost ({status})")
        elif alert["count"] < count:
            problems.append(f"alert {identity} has {alert['count']} findings, {count} were shown")
        elif identity in ledger.feedback and alert.get("feedback") != ledger.feedback[identity]:
            problems.append(f"feedback on {identity} is {alert.get('feedback')}, not {ledger.feedback[identity]}")
    for user, when in ledger.rows.items():
        if killed - when > 1 and client.call("GET", f"/ml/users/{user}")[0] != 200:
            problems.append(f"nobody knows {user}, whose event was accepted {killed - when:.2f} s before the kill")
    for user, rate in ledger.overrides.items():
        status, found = client.call("GET", f"/ml/limits/{user}")
        if status != 200 or found["messages_per_second"] != rate:
            problems.append(f"the override of {user} is {status} {found}, not {rate}")
    for user in ledger.removed:
        status, _ = client.call("GET", f"/ml/limits/{user}")
        if status != 404:
            problems.append(f"the override of {user} came back ({status})")


def preload(server, users, settle_s):
    client = Client(server.api)
    for first in range(0, users, 500):
        if not post_events(client, [event(f"user-{i}") for i in range(first, min(first + 500, users))]):
            sys.exit("the server did not take the events of the users")
    time.sleep(settle_s)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--longest", type=float, default=1.5)
    parser.add_argument("--ready", type=float, default=2)
    parser.add_argument("--users", type=int, default=0)
    # Rows are sampled, a thousand a second in all: what is looked for must not compete with the preloaded.
    parser.add_argument("--settle", type=float, default=2.5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not pathlib.Path(options.program).exists():
        sys.exit(f"{options.program} is not built")
    moments = random.Random(options.seed)
    ledger = Ledger()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="liminal-kill-"))
    server = Server(options.program, directory)
    if options.users:
        preload(server, options.users, options.settle)
    problems, worst_rows_s, worst_ready_s = [], 0, 0
    for life in range(1, options.rounds + 1):
        ledger.rows = {}
        length_s = moments.uniform(0.05, options.longest)
        killed = live(server, ledger, life, moments.random(), length_s)
        rows_s = check_database(directory, ledger, killed, problems)
        server = Server(options.program, directory)
        if server.ready_s > options.ready:
            problems.append(f"ready only after {server.ready_s:.2f} s")
        check_server(server, ledger, killed, problems)
        worst_rows_s, worst_ready_s = max(worst_rows_s, rows_s), max(worst_ready_s, server.ready_s)
        print(f"round {life}: killed after {length_s:.2f} s; {len(ledger.alerts)} alerts, {len(ledger.feedback)} feedbacks,"
              f" {len(ledger.overrides)} overrides known; rows of {rows_s * 1e3:.0f} ms lost; ready in {server.ready_s:.2f} s",
              flush=True)
        if problems:
            print(f"\n{len(problems)} problems; the data is in {directory}", *problems[:20], sep="\n", file=sys.stderr)
            server.kill()
            return 1
    server.process.send_signal(signal.SIGTERM)
    if server.process.wait(START_PATIENCE_S) != 0:
        print("the last life did not end in order", file=sys.stderr)
        return 1
    if not (ledger.alerts and ledger.feedback and ledger.overrides and ledger.removed):
        print("too little was acknowledged to prove anything", file=sys.stderr)
        return 1
    print(f"{options.rounds} kills, {ledger.calls} calls, nothing acknowledged lost; rows of at most {worst_rows_s * 1e3:.0f} ms"
          f" lost; ready in at most {worst_ready_s:.2f} s")
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:  # whatever went wrong, nothing is left running
        if Server.last and Server.last.process.poll() is None:
            Server.last.kill()
