"""The application on a real cluster of this machine: the program's answers, and what it survives."""
import collections
import concurrent.futures
import datetime
import http.client
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest
from cluster_events import recorded

import liminal
from liminal import _engine

PROJECT = pathlib.Path(__file__).resolve().parents[3]


def test_owners_are_in_the_states_of_one_engine(cluster, tmp_path):
    from liminal._owner import end_owners, make_owners
    from liminal.serve import settings_of

    settings = settings_of({"name": "replay", "owners": 3, "folder": str(tmp_path), "beat": False})
    owners, commons = make_owners(settings)
    router = _engine.Service(liminal.Engine())
    lines = recorded(seconds=240)
    now = None
    for second, events in itertools.groupby(lines, key=lambda line: int(line["t"])):
        events = list(events)
        now = second if now is None else now
        if second == now and second == int(lines[0]["t"]):
            cluster.get(commons.second.remote(float(now)))
        while now + 1 <= second:
            now += 1
            cluster.get(commons.second.remote(float(now)))
        body = "\n".join(json.dumps(event) for event in events).encode()
        (status, _, _), batches = router.route_events(
            "POST", "/ml/events", [(b"host", b"localhost")], body, "", True, len(owners))
        assert status == 200
        cluster.get([owner.track.remote(batch) for owner, batch in zip(owners, batches) if batch])

    whole = liminal.Engine(clock="events")
    whole.track_ndjson("\n".join(json.dumps(line) for line in lines))
    assert whole.recent_anomalies(min_severity="low"), "the log must have something to find"
    hashes = {}
    for told in cluster.get([owner.shard_hashes.remote() for owner in owners]):
        hashes.update(told)
    assert hashes == {shard: _engine.shard_hash(whole, shard) for shard in range(_engine.SHARDS)}
    assert end_owners(settings) == 4


def test_every_answer_is_as_described(application):
    base, _ = application
    done = subprocess.run(
        [os.environ.get("LIMINAL_CHECK_PYTHON", sys.executable),
         PROJECT / "tests/api/check_api.py", base],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "are as described" in done.stdout


class Load:
    """Clients that send events with keys, again when they are refused, until they are stopped."""

    def __init__(self, base: str, clients: int = 4):
        self.port = urllib.parse.urlsplit(base).port
        self.stop = threading.Event()
        self.acknowledged = 0
        self.failed = collections.Counter()
        self.slowest_s = 0.0
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.futures = [self.pool.submit(self.client, n) for n in range(clients)]

    def client(self, number: int) -> None:
        sent = 0
        while not self.stop.is_set():
            sent += 1
            line = json.dumps({"user_id": f"load-{number}-{sent % 50}", "kind": "message",
                               "message_size": 10})
            key = f"{os.getpid()}-{number}-{sent}"
            begin = time.monotonic()
            while not self.send(line, key):
                assert time.monotonic() - begin < 60, "a request was refused for a minute"
                time.sleep(.05)
            with self.lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)

    def send(self, line: str, key: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/ml/events", line, {
                "Content-Type": "application/x-ndjson", "Idempotency-Key": key})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                with self.lock:
                    self.failed[answer.status] += 1
                return False
            assert json.loads(body)["accepted"] == 1, body
            with self.lock:
                self.acknowledged += 1
            return True
        except (OSError, http.client.HTTPException) as wrong:
            with self.lock:
                self.failed[type(wrong).__name__] += 1
            return False
        finally:
            connection.close()

    def end(self) -> None:
        self.stop.set()
        for future in self.futures:
            future.result(timeout=90)
        self.pool.shutdown()


def about(cluster, settings):
    from liminal._owner import owners_of

    until = time.monotonic() + 60
    while True:
        try:
            return cluster.get([owner.about.remote() for owner in owners_of(settings)], timeout=20)
        except (cluster.exceptions.RayError, ValueError):
            assert time.monotonic() < until
            time.sleep(.2)


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def replicas() -> list[int]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ServeReplica:liminal:Ingress" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_an_owner_that_is_killed_comes_back_with_what_it_knew(cluster, application, capsys):
    base, settings = application
    before = about(cluster, settings)
    load = Load(base)
    time.sleep(4)
    victim = before[1]["pid"]
    os.kill(victim, signal.SIGKILL)
    time.sleep(8)
    load.end()
    after = about(cluster, settings)
    assert after[1]["pid"] != victim and after[1]["epoch"] == before[1]["epoch"] + 1
    assert after[1]["users"] >= before[1]["users"]
    kept = sum(one["accepted"] for one in after) - sum(one["accepted"] for one in before)
    lost = sum(one["lost"] for one in after)
    # Every acknowledged event is there, or counted as lost; and no more than the snapshots' interval.
    assert kept + lost >= load.acknowledged, (kept, lost, load.acknowledged)
    assert kept <= load.acknowledged + sum(load.failed.values())
    with capsys.disabled():
        print(f"\n  owner killed: {load.acknowledged} acknowledged, {dict(load.failed)} refused and "
              f"repeated, {lost} lost, slowest {load.slowest_s:.1f} s")
    assert lost <= load.acknowledged * .5


def test_a_replica_that_is_killed_fails_few_requests(cluster, application, capsys):
    base, settings = application
    running = replicas()
    assert len(running) >= 2, running
    load = Load(base)
    time.sleep(3)
    before = load.acknowledged
    os.kill(running[0], signal.SIGKILL)
    time.sleep(10)
    load.end()
    with capsys.disabled():
        print(f"\n  replica killed: {load.acknowledged} acknowledged, {dict(load.failed)} refused and "
              f"repeated, slowest {load.slowest_s:.1f} s")
    assert load.acknowledged > before
    # One request of each client under way, and what comes until the proxy knows.
    assert sum(load.failed.values()) <= 60, load.failed


def test_an_upgrade_fails_no_request(cluster, application, capsys):
    from ray import serve

    from liminal.serve import app

    base, settings = application
    load = Load(base)
    time.sleep(2)
    arguments = {key: settings[key]
                 for key in ("owners", "replicas", "folder", "snapshot_s", "models")}
    serve.run(app(arguments | {"token": ""}), name="liminal", blocking=False)
    time.sleep(8)
    load.end()
    with capsys.disabled():
        print(f"\n  upgrade: {load.acknowledged} acknowledged, {dict(load.failed)} refused")
    assert not load.failed, load.failed


def test_owners_that_are_ended_and_made_again_know_what_they_knew(cluster, application):
    from liminal._owner import end_owners, make_models, make_owners

    _, settings = application
    before = about(cluster, settings)
    from liminal._owner import owners_of

    cluster.get([owner.save.remote() for owner in owners_of(settings)])
    assert end_owners(settings) == settings["owners"] + 2  # and the commons, and the models
    time.sleep(1)
    owners, _ = make_owners(settings)
    make_models(settings)
    # What comes before the first second counts at its time.
    line = json.dumps({"user_id": "early", "kind": "message", "timestamp": time.time()}).encode()
    _, batches = _engine.Service(liminal.Engine()).route_events(
        "POST", "/ml/events", [(b"host", b"localhost")], line, "", True, 1)
    owner = owners[_engine.shard_of("early") % len(owners)]
    cluster.get(owner.track.remote(batches[0]))
    _, _, rows = cluster.get(owner.ask.remote(
        "GET", "/ml/features/recent?user_id=early", [], b"", "", True))
    assert time.time() - 60 < _seconds(json.loads(rows)["features"][0]["timestamp"]) < time.time() + 1
    after = about(cluster, settings)
    assert sum(one["users"] for one in after) == sum(one["users"] for one in before) + 1
    assert sum(one["accepted"] for one in after) == sum(one["accepted"] for one in before) + 1


def test_wrong_settings_are_named():
    from liminal.serve import settings_of

    for arguments, named in (({"owner": 1}, "owner"), ({"owners": 65}, "owners"),
                             ({"replicas": -1}, "replicas"), ({"mode": "x"}, "mode"),
                             ({"models": [1]}, "models")):
        with pytest.raises(ValueError, match=named):
            settings_of(arguments)
