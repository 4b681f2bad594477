"""The application on a real cluster of this machine: the program's answers, and what it survives."""
import collections
import datetime
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from cluster_events import recorded
from clients import PATIENCE_S, Load, about, ask, get, routed, wait_for, wait_until_ready
from conftest import HAPROXY_FOLDER, REFUSED_BY_A_DEAD_REPLICA, kill_haproxy, processes

import liminal
from liminal import _engine

PROJECT = pathlib.Path(__file__).resolve().parents[3]


def test_owners_are_in_the_states_of_one_engine(cluster, tmp_path):
    from liminal._actors import end_owners, make_owners
    from liminal.serve import settings_of

    settings = settings_of({"name": "replay", "owners": 3, "folder": str(tmp_path), "beat": False})
    owners, commons = make_owners(settings)
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
        batches = routed(events, len(owners))
        cluster.get([owner.track.remote(batch) for owner, batch in zip(owners, batches) if batch])

    whole = liminal.Engine(clock="events")
    whole.track_ndjson("\n".join(json.dumps(line) for line in lines))
    assert whole.recent_anomalies(min_severity="low"), "the log must have something to find"
    hashes = {}
    for told in cluster.get([owner.shard_hashes.remote() for owner in owners]):
        hashes.update(told)
    assert hashes == {shard: _engine.shard_hash(whole, shard) for shard in range(_engine.SHARDS)}
    assert end_owners(settings) == 4


def test_a_second_waits_behind_no_request(cluster, tmp_path):
    from liminal._actors import end_owners, make_owners
    from liminal.serve import settings_of

    settings = settings_of({"name": "busy", "owners": 1, "folder": str(tmp_path / "busy"), "beat": False})
    [owner], commons = make_owners(settings)
    over = tmp_path / "over"

    def wait(self):
        while not over.exists():
            time.sleep(.01)

    waiting = [owner.__ray_call__.remote(wait) for _ in range(100)]
    for second in range(3):
        cluster.get(commons.second.remote(1_800_000_000.0 + second), timeout=60)
    done, _ = cluster.wait(waiting, timeout=0)
    assert not done
    over.touch()
    cluster.get(waiting)
    assert end_owners(settings) == 2


def test_every_answer_is_as_described(application):
    base, _ = application
    done = subprocess.run(
        [os.environ.get("LIMINAL_CHECK_PYTHON", sys.executable),
         PROJECT / "tests/api/check_api.py", base],
        capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "are as described" in done.stdout


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def replicas(deployment: str = "Ingress") -> list[int]:
    return processes(f"ray::ServeReplica:liminal:{deployment}")


def lost(base: str) -> int:
    """Acknowledged events that owners tell are lost, by what the replicas know that were asked until now."""

    def told_alike() -> list[int] | None:
        for _ in range(10):  # a connection each: one replica or the other
            owners = [one["events_lost"] for one in get(base, "/ml/status")["owners"]]
        with urllib.request.urlopen(base + "/metrics", timeout=PATIENCE_S) as answer:
            told = re.findall(r"^liminal_owner_events_lost_total.* (\d+)$", answer.read().decode(), re.M)
        # Else the replica that was asked last knew more.
        return owners if owners == [int(count) for count in told] else None

    return sum(wait_for("the same losses told twice", told_alike, 60))


def accepted(cluster, settings) -> int:
    return sum(one["accepted"] for one in about(cluster, settings))


def test_an_owner_that_is_killed_comes_back_with_what_it_knew(cluster, application, capsys):
    base, settings = application
    before, lost_before = about(cluster, settings), lost(base)
    victim = before[1]["pid"]
    with Load(base) as load, Load(base, events=20, keys=False) as without:
        load.more(300)
        os.kill(victim, signal.SIGKILL)
        wait_for("another owner", lambda: about(cluster, settings)[1]["pid"] != victim)
        load.more(100)
        without.more(100)
    after = about(cluster, settings)
    assert after[1]["epoch"] == before[1]["epoch"] + 1
    assert after[1]["users"] >= before[1]["users"]
    with capsys.disabled():
        print(f"\n  owner killed: {load}; without keys: {without}; {lost(base) - lost_before} lost")
    assert not load.failed and not without.failed, (load.failed, without.failed)
    # Every acknowledged event is there, once, also where the client has no key: it was in the journal before its
    # answer, and what a replica gives again has a number.
    counted = sum(one["accepted"] for one in after) - sum(one["accepted"] for one in before)
    assert counted == load.acknowledged + without.acknowledged
    assert lost(base) == lost_before


def readiness(base: str) -> tuple[int, dict]:
    return ask(base, "/readyz?verbose")


@pytest.mark.parametrize("broken", [False, True])
def test_an_owner_does_not_begin_without_what_it_had(cluster, application, broken):
    """As on a node that does not see the folder, or cannot read it: requests wait, and it is said; with the folder
    everything is back."""
    base, settings = application
    before, lost_before = about(cluster, settings), lost(base)
    folder = pathlib.Path(settings["folder"])
    away = folder.with_name("elsewhere")
    (folder / "owner-01").rename(away)
    if broken:
        (folder / "owner-01").touch()
    os.kill(before[1]["pid"], signal.SIGKILL)
    status, told = wait_for("words", lambda: (said := readiness(base))[0] == 503 and "folder: " in str(said) and said)
    [check] = told["checks"]
    assert check["name"] == "owner-01" and not check["ok"], told
    wanted = "owner-01: Not a directory" if broken else f"ends with epoch 0, and {before[1]['epoch']} had begun"
    assert wanted in check["detail"], told
    assert "owner-01" in told["detail"]
    (folder / "owner-01").unlink(missing_ok=True)
    away.rename(folder / "owner-01")
    wait_until_ready(base)
    after = about(cluster, settings)
    assert after[1]["epoch"] > before[1]["epoch"] and after[1]["accepted"] >= before[1]["accepted"]
    assert lost(base) == lost_before


def test_an_owner_that_finds_no_room_is_told_of(cluster, tmp_path, monkeypatch):
    from liminal import _actors
    from liminal.serve import settings_of

    monkeypatch.setattr(_actors, "_ABOUT_PATIENCE_S", 1.0)
    monkeypatch.setattr(_actors, "_ROOM_PATIENCE_S", 0.0)
    settings = settings_of({"name": "large", "owners": 1, "folder": str(tmp_path), "owner_cpus": 50, "beat": False})
    try:
        with pytest.raises(RuntimeError, match="^models: no node has 50 CPU free for it$"):
            _actors.ensure(settings)
    finally:
        monkeypatch.setattr(_actors, "_RETIRING_PATIENCE_S", .1)
        assert _actors.end_owners(settings) == 3


def test_a_replica_that_is_killed_fails_few_requests(application, capsys):
    base, _ = application
    running = replicas()
    assert len(running) >= 2, running
    with Load(base) as load:
        load.more(200)
        os.kill(running[0], signal.SIGKILL)
        wait_for("another replica", lambda: len(set(replicas()) - {running[0]}) >= 2)
        load.more(200)
    with capsys.disabled():
        print(f"\n  replica killed: {load}")
    # One request of each client under way, and what comes until the proxy knows.
    assert sum(load.failed.values()) <= REFUSED_BY_A_DEAD_REPLICA, load.failed


def test_haproxy_that_is_killed_comes_back(cluster, application, capsys):
    base, settings = application
    before = accepted(cluster, settings)
    with Load(base, clients=2) as load:
        load.more(50)
        assert kill_haproxy(HAPROXY_FOLDER)
        begin, refused = time.monotonic(), sum(load.failed.values())
        wait_for("a refusal", lambda: sum(load.failed.values()) > refused, pause_s=.01)
        load.more(2)  # within the patience of tests
        away_s = time.monotonic() - begin
        load.more(50)
    with capsys.disabled():
        print(f"\n  HAProxy killed: nothing answered for {away_s:.1f} s; {load}")
    # What was repeated with its key counts once.
    assert accepted(cluster, settings) - before == load.acknowledged


class Questions(threading.Thread):
    """Asks for a prediction and for a large ranking, over and over, until it is stopped."""

    EVENTS = [{"type": "system_event", "severity": "high", "frequency": i / 2000} for i in range(2000)]
    WISHES = (("/ml/models/predict", {"model_name": "churn", "features": {
        "messages_per_minute": 6, "error_rate": .2, "days_silent": 12}}),
        ("/salience", {"features": EVENTS}))

    def __init__(self, base: str):
        super().__init__()
        self.base, self.over = base, threading.Event()
        self.answers: dict[str, set[bytes]] = {path: set() for path, _ in self.WISHES}
        self.count, self.refused, self.slowest_s = 0, collections.Counter(), 0.0

    def run(self) -> None:
        while not self.over.is_set():
            for path, wish in self.WISHES:
                begin = time.monotonic()
                request = urllib.request.Request(
                    self.base + path, json.dumps(wish).encode(), {"Content-Type": "application/json"})
                try:
                    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                        self.answers[path].add(answer.read())
                    self.count += 1
                except urllib.error.HTTPError as refused:
                    self.refused[refused.code] += 1
                except (OSError, http.client.HTTPException) as wrong:
                    self.refused[type(wrong).__name__] += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)

    def more(self, answers: int) -> None:
        """Waits until so many more are answered."""
        wanted = self.count + answers
        wait_for(f"{answers} more answers", lambda: self.count >= wanted, pause_s=.05)

    def __enter__(self) -> "Questions":
        self.start()
        return self

    def __exit__(self, *wrong) -> None:
        self.over.set()
        self.join(2 * PATIENCE_S)


def test_inner_parts_that_are_killed_fail_no_request(application, churn, capsys):
    base, _ = application
    with Load(base, clients=2) as load, Questions(base) as questions:
        questions.more(2)
        for victims in (replicas("ModelServer"), replicas("SalienceScorer"),
                        processes("ray::ServeController")):
            assert victims
            os.kill(victims[0], signal.SIGKILL)
            questions.more(6)
            load.more(20)
    with capsys.disabled():
        print(f"\n  inner replicas and controller killed: {load}; {questions.count} questions answered, "
              f"{dict(questions.refused)} refused, slowest {questions.slowest_s:.1f} s")
    assert not load.failed and not questions.refused
    # And always with the same words.
    assert all(len(answers) == 1 for answers in questions.answers.values())


def test_owners_that_are_ended_and_made_again_know_what_they_knew(cluster, application, churn):
    from liminal._actors import end_owners, ensure, owners_of

    base, settings = application
    before = about(cluster, settings)
    assert end_owners(settings) == settings["owners"] + 2  # and the commons, and the models
    assert ensure(settings) == []
    owners = owners_of(settings)
    # What comes before the first second counts at its time.
    owner = owners[_engine.shard_of("early") % len(owners)]
    [early] = routed([{"user_id": "early", "kind": "message", "timestamp": time.time()}])
    cluster.get(owner.track.remote(early))
    _, _, rows = cluster.get(owner.ask.remote(
        "GET", "/ml/features/recent?user_id=early", [], b"", "", True))
    assert time.time() - 60 < _seconds(json.loads(rows)["features"][0]["timestamp"]) < time.time() + 1
    after = about(cluster, settings)
    assert sum(one["users"] for one in after) == sum(one["users"] for one in before) + 1
    assert sum(one["accepted"] for one in after) == sum(one["accepted"] for one in before) + 1
    wait_until_ready(base)  # replicas have found who has the names now
    assert get(base, "/ml/models/churn")["champion"] == 1


def test_wrong_settings_are_named():
    from liminal.serve import settings_of

    for arguments, named in (({"owner": 1}, "owner"), ({"owners": 65}, "owners"),
                             ({"replicas": -1}, "replicas"), ({"mode": "x"}, "mode"),
                             ({"models": [1]}, "models"), ({"rows": 0}, "rows"),
                             ({"patience_s": 0}, "patience_s"), ({"journal": 1}, "journal"),
                             ({"provider": "gpu"}, "provider"), ({"token_file": "/nowhere"}, "token_file")):
        with pytest.raises(ValueError, match=named):
            settings_of(arguments)
