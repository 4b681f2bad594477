"""What owners and models keep in an object store. But for the last, no cluster is there: an incarnation with another
folder is one on another node."""
import concurrent.futures
import json
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time

import pytest
import ray
from clients import routed, wait_for
from conftest import recipe

from liminal import _mirror, _owner
from liminal._beginning import begin_epoch
from liminal._epochs import SNAPSHOT, epoch_name
from liminal._folder import StorePlace, refusal
from liminal._mirror import claim
from liminal._owner import MISMATCH
from liminal._store import Store
from liminal.serve import settings_of

LOCAL = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def events(count=1, user="ann"):
    return routed([{"user_id": user, "kind": "message"}] * count)[0]


def say(owner, method, target, wish=None):
    status, _, body = owner.ask(method, target, LOCAL, b"" if wish is None else json.dumps(wish).encode(), "127.0.0.1",
                                True)
    return status, json.loads(body or "{}")


def refused(*_):
    raise OSError("no room")


@pytest.fixture(params=["s3", "folder"])
def store(request, tmp_path):
    """An address in a store that speaks S3, or in a folder that is spoken to like one."""
    if request.param == "folder":
        return f"file://{tmp_path}/store"
    server = request.getfixturevalue("object_store")
    return f"{server.ADDRESS}/{tmp_path.name}"


@pytest.fixture
def on(owner_of, tmp_path, monkeypatch, store):
    """Another incarnation of an owner, on a node. What changed goes into the store when it is told to."""
    monkeypatch.setattr(_mirror.Mirror, "start", lambda self: None)
    return lambda node, **settings: owner_of(folder=str(tmp_path / node), store=store, **settings)


def test_an_owner_on_another_node_has_what_the_store_had(on):
    first = on("a")
    first.track(events(3))
    assert say(first, "POST", "/anomaly", {"source": "db", "metrics": [{"cpu": .5}] * 3})[0] == 200
    first.save()
    first._mirror.copy()
    told = first.track(events(2), "key", "print")
    first._mirror.copy()  # the journal's new part alone
    second = on("b")
    second.was_told(*told)
    assert (second.about()["accepted"], second.about()["lost"]) == (5, 0)
    assert second.shard_hashes() == first.shard_hashes()
    assert say(second, "GET", "/anomaly/series/db/cpu")[1]["points"] == 3
    assert second.track(events(2), "key", "another") == MISMATCH
    assert second.track(events(2), "key", "print") == (2, 5)


def test_what_was_not_there_yet_is_lost_and_counted(on):
    first = on("a")
    first.track(events(3))
    first._mirror.copy()
    told = first.track(events(2))
    second = on("b")
    second.was_told(*told)
    assert (second.about()["accepted"], second.about()["lost"]) == (3, 2)


def test_a_node_that_is_still_there_has_it_all(on):
    first = on("a")
    first._mirror.copy()
    told = first.track(events(2))
    second = on("a")
    second.was_told(*told)
    assert (second.about()["accepted"], second.about()["lost"]) == (2, 0)


def test_a_node_that_comes_back_begins_with_what_another_had_meanwhile(on):
    first = on("a")
    first.track(events(1))
    first._mirror.copy()
    second = on("b")
    second.track(events(5))
    second._mirror.copy()
    assert on("a").about()["accepted"] == 6


def test_what_an_earlier_incarnation_still_writes_is_never_read(on):
    first = on("a")
    first.track(events(1))
    first._mirror.copy()
    second = on("b")
    second.track(events(2))
    assert first._mirror.over() and not second._mirror.over()
    second._mirror.copy()
    first.track(events(50))
    first.save()
    first._mirror.copy()
    third = on("c")
    assert third.about()["accepted"] == 3 and third.shard_hashes() == second.shard_hashes()


def test_of_many_that_claim_at_once_each_has_an_epoch_of_its_own(store):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        claimed = list(pool.map(lambda _: claim(Store(store), "owner-00"), range(12)))
    assert sorted(claimed) == list(range(1, 13))


def test_what_is_being_written_does_not_go_along(on, store):
    first = on("a")
    draft = first._epochs.mine / "signals/scaling/half.service.new"
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(b"half")
    first._mirror.copy()
    assert not [name for name in Store(store).below(f"owner-00/{epoch_name(1)}") if name.endswith(".new")]
    assert not list((on("a")._epochs.mine / "signals").rglob("*.new")), "nor to the next on this node"


def test_what_nobody_will_begin_from_is_taken_away(on, store):
    for node in "abcd":
        owner = on(node)
        say(owner, "POST", "/scaling", {"service": f"of-{node}", "usage_patterns": {"request_rate": 5}})
        owner.track(events(2))
        owner._mirror.copy()
        owner.save()
        owner._mirror.copy()
        owner.track(events(2))
        owner._mirror.copy()
    there = Store(store)
    assert [name for name in there.names("owner-00") if there.mark(f"owner-00/{name}/{SNAPSHOT}")] == [
        epoch_name(3), epoch_name(4)]
    parts = [name for name in there.below(f"owner-00/{epoch_name(4)}") if name.startswith("journal-")]
    assert len(parts) == 1, "those before the snapshot are needless"
    # A service that is forgotten does not come back.
    assert say(owner, "DELETE", "/scaling/of-a")[0] == 204
    owner.save()
    owner._mirror.copy()
    assert {one["service"] for one in say(on("e"), "GET", "/scaling")[1]["services"]} == {"of-b", "of-c", "of-d"}


def test_incarnations_that_end_at_once_take_the_place_of_none_that_is_whole(on, store, tmp_path, monkeypatch):
    first = on("a")
    first.track(events(3))
    first.save()
    first._mirror.copy()
    for _ in range(3):
        claim(Store(store), "owner-00")
    settings = settings_of({"folder": str(tmp_path / "a"), "store": store, "owners": 1, "beat": False})
    assert begin_epoch(settings, "owner-00")[0].number == 5  # and nothing more comes of it
    sixth = on("a")
    sixth._mirror.copy()
    whole = [name for name in Store(store).names("owner-00") if Store(store).mark(f"owner-00/{name}/{SNAPSHOT}")]
    assert whole == [epoch_name(1), epoch_name(6)]
    assert sixth._epochs.earlier() == [1], "nor on the node"


def test_a_part_that_is_missing_ends_the_journal_and_is_told_of(on, store, capfd):
    first = on("a")
    for count in (1, 10, 100):
        first.track(events(count))
        first._mirror.copy()
    under = f"owner-00/{epoch_name(1)}"
    parts = [name for name in Store(store).below(under) if name.startswith("journal-")]
    assert len(parts) == 3
    Store(store).remove([f"{under}/{parts[1]}"])
    second = on("b")
    second.was_told(1, 111)
    assert (second.about()["accepted"], second.about()["lost"]) == (1, 110)
    assert "what comes before it is missing" in capfd.readouterr().out


def test_a_snapshot_that_is_damaged_there_is_left_for_the_one_before(on, store):
    first = on("a")
    first.track(events(3))
    first.save()
    first._mirror.copy()
    second = on("b")
    second.save()
    second._mirror.copy()
    name = f"owner-00/{epoch_name(2)}/{SNAPSHOT}"
    Store(store).put(name, Store(store).get(name)[:-9])
    third = on("c")
    assert (third.about()["accepted"], third.about()["damaged"]) == (3, 1)


@pytest.mark.parametrize("moment", range(5))
def test_whatever_happens_while_it_is_copied_the_store_has_a_state_that_was(on, monkeypatch, moment):
    first, states, put, sent = on("a"), [], Store.put, []

    def track(count):
        states.append(first.track(events(count))[1])

    def amid(self, name, content):
        sent.append(name)
        if len(sent) == moment:
            track(7)
            first.save()  # takes away files that are to be sent
            track(1)
        put(self, name, content)

    track(5)
    first.save()
    track(5)
    with monkeypatch.context() as full, pytest.raises(OSError):
        full.setattr(first._epochs, "save", refused)
        first.save()  # so that the journal has two files
    track(3)
    with monkeypatch.context() as late:
        late.setattr(Store, "put", amid)
        first._mirror.copy()
    kept = on("b").about()["accepted"]
    assert kept in states and kept >= 13 and len(sent) >= 2, (kept, states, sent)


def test_what_changed_while_it_was_copied_is_there_the_next_time(on, monkeypatch):
    first, put = on("a"), Store.put

    def amid(self, name, content):
        put(self, name, content)
        monkeypatch.setattr(Store, "put", put)
        first.track(events(7))
        first.save()
        first.track(events(1))

    first.track(events(5))
    monkeypatch.setattr(Store, "put", amid)
    first._mirror.copy()
    first._mirror.copy()
    assert on("b").about()["accepted"] == 13


def test_many_parts_are_found(on):
    first = on("a")
    first._mirror.copy()
    for _ in range(1_030):  # more than a store lists at once
        first.track(events(1))
        first._mirror.copy()
    assert on("b").about()["accepted"] == 1_030


def test_a_store_that_is_away_keeps_nobody_and_is_told_of_once(on, object_store, store, capfd):
    if not store.startswith("s3:"):
        pytest.skip("a folder is not away")
    first = on("a")
    first._mirror.copy()
    object_store.stop()
    try:
        for _ in range(3):
            assert first.track(events(1))[0] == 1
            with pytest.raises(OSError, match="s3://kept/of"):
                first._mirror.copy()
        assert first.account(0, 0)["store_behind_s"] > 0
        with pytest.raises(OSError):  # it goes on as it was
            first.retire()
        assert first.track(events(1)) == (1, 4)
    finally:
        object_store.start()
    first._mirror.copy()
    said = capfd.readouterr().out
    assert said.count("does not have what comes now") == 1 and said.count("has everything again") == 1
    assert on("b").about()["accepted"] == 4


def test_a_part_whose_store_is_away_waits_and_says_so(tmp_path, node, object_store):
    address = f"{object_store.ADDRESS}/{tmp_path.name}"
    settings = {"folder": str(tmp_path / "a"), "store": address, "store_s": 1.0, "owners": 1, "name": "liminal"}
    object_store.stop()
    said = []
    node.waits = [lambda: said.append(node.memory["owner-00/refused"]), object_store.start]
    epochs, mirror = begin_epoch(settings, "owner-00")
    assert said[0].startswith(f"store: {address}: ") and "(node 192.0.2.1)" in said[0]
    assert (epochs.number, mirror.under, node.memory["owner-00/epoch"]) == (1, f"owner-00/{epoch_name(1)}", "1")
    assert "owner-00/refused" not in node.memory


def test_another_store_or_one_that_lost_something_is_refused(tmp_path, node, store):
    settings = {"folder": str(tmp_path / "a"), "store": store, "store_s": 1.0, "owners": 1, "name": "liminal"}
    begin_epoch(settings, "owner-00")
    begin_epoch(settings, "owner-00")
    other = StorePlace(Store(f"{store}-other"))
    assert "not there, or empty, unlike the one" in refusal(other, "owner-00", node.memory)
    Store(store).remove([f"owner-00/{epoch_name(2)}/claim"])
    if store.startswith("file:"):  # where empty folders stay
        shutil.rmtree(f"{store[7:]}/owner-00/{epoch_name(2)}")
    assert "ends with epoch 1, and 2 had begun" in refusal(StorePlace(Store(store)), "owner-00", node.memory)
    with pytest.raises(ValueError, match=f"owners: {store} was begun by 1"):
        begin_epoch(settings | {"owners": 2}, "owner-01")
    with pytest.raises(ValueError, match=f"name: {store} was begun by liminal; another application takes another"):
        begin_epoch(settings | {"name": "shop/chat"}, "owner-01")


def test_models_on_another_node_are_those_that_were_acknowledged(tmp_path, monkeypatch, store):
    monkeypatch.setattr(_mirror.Mirror, "start", lambda self: None)
    there: dict = {}
    exec(recipe("python")[0], there)
    made = there["Churn"]()

    def on(node):
        return _owner.Models(settings_of({"folder": str(tmp_path / node), "store": store, "owners": 1, "beat": False,
                                          "models": [made.definition]}))

    first = on("a")
    version = first.add("churn", made.train().model.to_onnx())
    assert say(first, "POST", "/ml/models/churn/load", {"version": version})[0] == 200
    second = on("b")
    assert second.champions({}) == first.champions({})
    assert say(second, "DELETE", f"/ml/models/churn/versions/{version}")[0] >= 400, "it is the champion"
    # On the node where another one has it open still.
    third = on("b")
    assert [one[:3] for one in third.champions({})] == [one[:3] for one in first.champions({})]
    assert first._mirror.over() and second._mirror.over() and not third._mirror.over()


def test_what_changes_models_waits_once_for_a_store_that_is_away(tmp_path, monkeypatch, store):
    monkeypatch.setattr(_mirror.Mirror, "start", lambda self: None)
    there: dict = {}
    exec(recipe("python")[0], there)
    made = there["Churn"]()
    models = _owner.Models(settings_of({"folder": str(tmp_path / "a"), "store": store, "owners": 1, "beat": False,
                                        "models": [made.definition]}))
    version = models.add("churn", made.train().model.to_onnx())
    asked, put = [], Store.put

    def away(self, name, content):
        asked.append(name)
        raise OSError("away")

    monkeypatch.setattr(Store, "put", away)
    for _ in range(3):
        assert say(models, "POST", "/ml/models/churn/load", {"version": version})[0] == 200
    assert len(asked) == 1 and models._mirror.away
    monkeypatch.setattr(Store, "put", put)
    models._mirror.copy()
    assert not models._mirror.away


def test_a_database_is_copied_while_somebody_writes_it(tmp_path):
    database = tmp_path / "registry.db"
    held = sqlite3.connect(database, check_same_thread=False)
    held.execute("PRAGMA journal_mode=WAL")
    held.execute("CREATE TABLE pairs (a, b)")
    held.commit()
    over = threading.Event()

    def write():
        while not over.is_set():
            with held:
                held.executemany("INSERT INTO pairs VALUES (?, ?)", [(1, 2)] * 50)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for count in range(4):
            copy = tmp_path / f"copy-{count}"
            copy.write_bytes(_mirror.copy_of_database(database))
            [[rows]] = sqlite3.connect(copy).execute("SELECT count(*) FROM pairs")
            assert rows % 50 == 0
    finally:
        over.set()
        writer.join()
    (other := tmp_path / "other.db").write_bytes(b"no database" * 100)
    with pytest.raises(OSError, match="cannot be copied: .*not a database"):
        _mirror.copy_of_database(other)


@pytest.mark.parametrize("given, words", [
    ({"store": "bucket/path"}, "store: 'bucket/path' must be s3://BUCKET/PATH"),
    ({"store": "http://bucket/path"}, "store: 'http://bucket/path' must be"),
    ({"store": "s3://key:secret@bucket"}, "store: credentials belong into the environment"),
    ({"store_s": 0}, "store_s: must be above 0")])
def test_wrong_settings_of_a_store_are_named(given, words):
    with pytest.raises(ValueError, match=words):
        settings_of(given)


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ValueError, match=r"store: needs the package obstore \(pip install 'liminal\[store\]'\)"):
        settings_of({"store": "s3://bucket/path"})


def test_an_owner_whose_node_is_lost_comes_back_with_what_the_store_has(cluster, object_store, tmp_path, capsys):
    """Its folder goes with it, as that of a node does."""
    from liminal._actors import end_owners, make_owners

    settings = settings_of({"name": "stored", "owners": 2, "folder": str(tmp_path / "node"), "beat": False,
                            "store": f"{object_store.ADDRESS}/cluster", "store_s": .3})
    owners, _ = make_owners(settings)
    first = owners[0]
    batch = events(20)
    for _ in range(10):
        told = cluster.get(first.track.remote(batch))
    since = time.monotonic()
    wait_for("the store", lambda: cluster.get(first.account.remote(0, 0))["store_behind_s"] < time.monotonic() - since)
    pid = cluster.get(first.about.remote())["pid"]
    late = cluster.get(first.track.remote(batch))
    os.kill(pid, signal.SIGKILL)
    shutil.rmtree(tmp_path / "node", ignore_errors=True)

    def back():
        try:
            return cluster.get(first.account.remote(*late), timeout=10)
        except ray.exceptions.RayError:
            return None

    account = wait_for("the owner", back)
    with capsys.disabled():
        print(f"\n  node lost: {account['events_accepted']} of {late[1]} events are back, "
              f"{account['events_lost']} lost")
    assert account["epoch"] == told[0] + 1
    assert account["events_accepted"] + account["events_lost"] == late[1] and account["events_accepted"] >= told[1]
    assert end_owners(settings) == 3
