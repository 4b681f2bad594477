#!/usr/bin/env python3
"""Shows that decisions of a real server can be lived again.

  explain.py LIMINAL

Raises alerts on a live server, then has `liminal explain ALERT --data DIR` replay each while the server
runs: the same alert must come out, bit for bit. Again after a reload, an override, feedback and a
clean-up came in between, after SIGKILL and a restart (of both lives), and after an orderly stop. With
the journal gone it must say so and fail. Needs nothing but Python's own library.
"""
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
PATIENCE_S = 60


class Server:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        self.log = open(directory / "serve.log", "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--shards", "2",
             "--data", str(directory / "data"), "--config", str(directory / "liminal.toml")],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.search(line)
        if not match:
            self.end(signal.SIGKILL)
            sys.exit(f"the server did not start: {line!r}\n{(directory / 'serve.log').read_text()[-2000:]}")
        self.connection = http.client.HTTPConnection(match[1], int(match[2]), timeout=PATIENCE_S)

    def call(self, method, path, body=None, kind="application/json"):
        self.connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None

    def post(self, events):
        body = "".join(json.dumps(event) + "\n" for event in events)
        if self.call("POST", "/ml/events", body, "application/x-ndjson")["rejected"]:
            sys.exit("events were rejected")

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait()
        self.log.close()


def message(user, **more):
    return {"user_id": user, "kind": "message", "message_size": 40, "ip_address": "10.0.0.1", "timestamp": time.time(), **more}


def chatter(server, random_):
    server.post([message(f"person-{random_.randrange(300)}", content_hash=str(random_.getrandbits(60))) for _ in range(400)])


def alerts(server):
    return server.call("GET", "/ml/anomalies/recent?min_severity=low&limit=1000")["alerts"]


def flood(server, user, **more):
    """Raises alerts about the user; gives the id of one that was not there before."""
    before = {alert["id"] for alert in alerts(server)}
    server.post([message(user, error=bool(i % 2), **{key: value(i) for key, value in more.items()}) for i in range(150)])
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        for alert in alerts(server):
            if alert["user_id"] == user and alert["id"] not in before:
                return alert["id"]
        time.sleep(0.05)
    sys.exit(f"no alert about {user}")


def explain(program, directory, alert, ending="reached"):
    """Waits for the journal, which is written ten times a second."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        run = subprocess.run([program, "explain", alert, "--data", str(directory / "data"), "--json"],
                             capture_output=True, text=True, check=False)
        answer = json.loads(run.stdout) if run.stdout else {}
        if answer.get("ending") == ending or time.monotonic() > give_up:
            break
        time.sleep(0.1)
    same = ending == "reached"
    if answer.get("ending") != ending or answer.get("same") is not same or (run.returncode == 0) is not same:
        sys.exit(f"explain {alert}: {run.returncode} {answer} {run.stderr}")
    print(f"{alert}: {answer['in_words']}; {answer['inputs']} inputs from input {answer['from_input']}, {answer['calls']} calls, "
          f"{answer['starts']} starts, state {answer.get('state_hash')}", flush=True)
    return answer


def main():
    program = sys.argv[1]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="liminal-explain-"))
    (directory / "liminal.toml").write_text("mode = \"shadow\"\n")
    random_ = random.Random(7)
    server = Server(program, directory)
    try:
        chatter(server, random_)
        first = flood(server, "flooder-1")
        explanation = server.call("GET", f"/ml/anomalies/{first}/explain")
        if not explanation["replay"]["available"] or f"explain {first} --data" not in explanation["replay"]["command"]:
            sys.exit(f"the API says: {explanation['replay']}")
        explain(program, directory, first)
        words = subprocess.run([program, "explain", first, "--data", str(directory / "data")], capture_output=True, text=True, check=True)
        if "bit for bit" not in words.stdout:
            sys.exit(words.stdout)
        print(words.stdout)

        # Everything that an operator may do, then another alert.
        server.call("PUT", "/ml/limits/flooder-1", json.dumps({"kind": "rate", "messages_per_second": 2, "burst": 5, "reason": "test"}))
        server.call("PUT", "/ml/limits/person-1", json.dumps({"kind": "allow", "reason": "test"}))
        server.call("DELETE", "/ml/limits/person-1")
        server.call("POST", f"/ml/anomalies/{first}/feedback", json.dumps({"verdict": "false_positive"}))
        server.call("DELETE", "/ml/features/cleanup?max_age_hours=1")
        (directory / "liminal.toml").write_text("mode = \"enforce\"\n[limits.user.messages]\nper_second = 3\nburst = 6\n")
        server.process.send_signal(signal.SIGHUP)
        give_up = time.monotonic() + PATIENCE_S
        while "reload.done" not in (directory / "serve.log").read_text():
            if time.monotonic() > give_up:
                sys.exit("the configuration was not reloaded")
            time.sleep(0.05)
        chatter(server, random_)
        second = flood(server, "flooder-2")
        explain(program, directory, second)
        explain(program, directory, first)
        # The one whose shard had override and feedback too.
        again = flood(server, "flooder-1", channel=lambda i: f"channel-{i}")
        if explain(program, directory, again)["calls"] < 7:
            sys.exit("what operators decided was not lived again")

        server.end(signal.SIGKILL)
        explain(program, directory, first)
        explain(program, directory, second)
        server = Server(program, directory)
        chatter(server, random_)
        third = flood(server, "flooder-3")
        for alert in (first, second, again, third):
            explain(program, directory, alert)
        server.end(signal.SIGKILL)  # perhaps before its first snapshot
        server = Server(program, directory)
        fourth = flood(server, "flooder-4")
        for alert in (first, second, again, third, fourth):
            explain(program, directory, alert)

        server.end(signal.SIGTERM)
        explain(program, directory, fourth)
        for segment in (directory / "data" / "journal").iterdir():
            segment.unlink()
        explain(program, directory, first, "no_snapshot")
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)
    shutil.rmtree(directory)
    print("every decision could be lived again")


if __name__ == "__main__":
    main()
