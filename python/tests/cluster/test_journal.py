"""What an owner took since its last snapshot, in this process: no cluster is there."""
import json
import os
import threading
from urllib.parse import quote

import pytest
from clients import routed
from cluster_events import recorded

from liminal import _engine, _epochs, _journal, _owner
from liminal._journal import Journal, read_journal
from liminal._owner import MISMATCH, Moving

LOCAL = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def events(count=1, user="ann"):
    return routed([{"user_id": user, "kind": "message"}] * count)[0]


def files(folder):
    return sorted(path.name for path in folder.glob("journal-*"))


def test_who_dies_loses_nothing_that_was_acknowledged(owner_of, capfd):
    first = owner_of()
    first.track(events(3))
    first.save()
    told = first.track(events(2), "key", "print")
    second = owner_of()
    second.was_told(*told)
    assert (second.about()["accepted"], second.about()["lost"]) == (5, 0)
    assert "2 events that no snapshot has are back" in capfd.readouterr().out
    # And what was repeated counts once.
    assert second.track(events(2), "key", "print") == (2, 5)
    assert second.track(events(2), "key", "another") == MISMATCH


def lived(owner):
    """Gives an owner events, seconds, decisions, and what other owners tell, with a snapshot amid them."""
    commons = _engine.Commons()
    lines = recorded(seconds=150)
    start = int(lines[0]["t"])
    for second in range(150):
        owner.absorb(commons.advance([owner.tick(float(start + second))], float(start + second)))
        if now := [line for line in lines if int(line["t"]) == start + second]:
            owner.track(routed(now)[0])
        if second == 70:
            owner.save()
        if second == 100:
            status, _, body = decide(owner, "DELETE", "/ml/features/cleanup?max_age_hours=0.01")
            assert status == 200 and json.loads(body)["removed_users"], body
            owner.count_feedback("message_flood", "false_positive", False)
            found = owner._engine.recent_anomalies(min_severity="low")[0]["id"]
            status, _, body = decide(owner, "POST", f"/ml/anomalies/{found}/feedback", {"verdict": "true_positive"})
            assert status == 200, body
    owner.track(events())  # by which the last second is on the disk


def decide(owner, method, target, wish=None, headers=()):
    return owner.ask(method, target, [*LOCAL, *headers], b"" if wish is None else json.dumps(wish).encode(),
                     "127.0.0.1", True)


def test_the_next_incarnation_is_in_the_state_of_the_one_that_died(owner_of, monkeypatch):
    """To the bit, with the seconds, what was decided and what other owners told in between."""
    first = owner_of()
    lived(first)
    assert first._engine.recent_anomalies(min_severity="low")
    hashes, found = first.shard_hashes(), first._engine.recent_anomalies()
    # One that dies before its first snapshot takes nothing along.
    with monkeypatch.context() as dies:
        dies.setattr(_epochs.Epochs, "save", raising)
        with pytest.raises(OSError):
            owner_of()
    third = owner_of()
    assert third.about()["epoch"] == 3
    assert third.shard_hashes() == hashes
    assert third._engine.recent_anomalies() == found


def test_a_decision_takes_a_record_and_no_snapshot(owner_of, monkeypatch, capfd):
    first = owner_of()
    headers = [(b"idempotency-key", b"one")]
    with monkeypatch.context() as kept:
        kept.setattr(first._epochs, "save", raising)
        for user in ("ann", "bob", "zo\u00eb"):
            assert decide(first, "PUT", f"/ml/limits/{quote(user)}", {"kind": "block", "reason": "spam"})[0] == 201
        assert decide(first, "DELETE", "/ml/limits/bob")[0] == 204
        assert decide(first, "DELETE", "/ml/limits/nobody")[0] == 404
        assert decide(first, "PUT", "/ml/limits/ann", {"kind": "allow", "reason": "a friend"}, headers)[0] == 200
    second = owner_of()
    told = [decide(second, "GET", f"/ml/limits/{quote(user)}") for user in ("ann", "bob", "zo\u00eb")]
    assert [one[0] for one in told] == [200, 404, 200]
    assert [json.loads(told[place][2])["kind"] for place in (0, 2)] == ["allow", "block"]
    assert "did not come back" not in capfd.readouterr().out


def test_a_decision_that_the_journal_cannot_take_is_in_a_snapshot(owner_of, monkeypatch):
    first, wish = owner_of(), {"kind": "block", "reason": "spam"}
    with monkeypatch.context() as full:
        full.setattr(_journal, "_write_all", raising)
        assert decide(first, "PUT", "/ml/limits/ann", wish)[0] == 201
        full.setattr(first._epochs, "save", raising)
        with pytest.raises(OSError):  # nor that: whoever asked is told
            decide(first, "PUT", "/ml/limits/bob", wish)
    second = owner_of()
    assert decide(second, "GET", "/ml/limits/ann")[0] == 200
    assert decide(second, "GET", "/ml/limits/bob")[0] == 404


def test_a_decision_under_a_key_is_answered_again_after_a_death(owner_of):
    first, key = owner_of(), [(b"idempotency-key", b"one")]
    lived(first)
    wish = f"/ml/anomalies/{first._engine.recent_anomalies(min_severity='low')[0]['id']}/feedback"
    told = decide(first, "POST", wish, {"verdict": "false_positive"}, key)
    assert told[0] == 200, told
    second = owner_of()
    assert second.shard_hashes() == first.shard_hashes()
    assert decide(second, "POST", wish, {"verdict": "false_positive"}, key)[2] == told[2]
    assert decide(second, "POST", wish, {"verdict": "true_positive"}, key)[0] == 422


def test_who_was_taken_for_dead_acknowledges_nothing_more(owner_of):
    first = owner_of()
    second = owner_of()
    for late in (lambda: first.track(events()),
                 lambda: decide(first, "PUT", "/ml/limits/ann", {"kind": "block", "reason": "spam"})):
        with pytest.raises(Moving):
            late()
    assert second.track(events()) == (2, 1)


def test_what_is_damaged_before_the_end_is_told_of(owner_of, monkeypatch, capfd):
    first = owner_of()
    with monkeypatch.context() as full:
        full.setattr(first._epochs, "save", raising)
        first.track(events(3))
        with pytest.raises(OSError):
            first.save()
    first.track(events(2))
    old, _ = sorted(first._epochs.mine.glob("journal-*"))
    old.write_bytes(old.read_bytes()[:-1])
    assert owner_of().about()["accepted"] == 2
    assert f"{old}: what follows its first 0 of" in capfd.readouterr().out


@pytest.mark.parametrize("torn", [1, 20])
def test_a_record_that_was_being_written_is_left_out(owner_of, torn):
    first = owner_of()
    first.track(events(3))
    first.track(events(2))
    [file] = first._epochs.mine.glob("journal-*")
    file.write_bytes(file.read_bytes()[:-torn])
    assert owner_of().about()["accepted"] == 3


def test_a_snapshot_makes_what_was_before_it_needless(owner_of):
    owner = owner_of()
    for number in (1, 2):
        owner.track(events())
        assert files(owner._epochs.mine) == [f"journal-{number:09d}"]
        owner.save()
    assert owner_of().about()["accepted"] == 2


def test_what_a_snapshot_failed_to_keep_is_in_the_journal(owner_of, monkeypatch):
    owner = owner_of()
    with monkeypatch.context() as full:
        full.setattr(owner._epochs, "save", raising)
        for _ in range(2):
            owner.track(events())
            with pytest.raises(OSError):
                owner.save()
    owner.track(events())
    assert len(files(owner._epochs.mine)) == 3
    assert owner_of().about()["accepted"] == 3


def raising(*given):
    raise OSError("the disk is full")


def test_a_disk_that_refuses_keeps_nobody_and_is_told_of_once(owner_of, monkeypatch, capfd):
    owner = owner_of()
    with monkeypatch.context() as full:
        full.setattr(_journal.os, "fsync", raising)
        for _ in range(3):
            owner.track(events())
    assert owner.about()["accepted"] == 3
    assert capfd.readouterr().out.count("is not written") == 1
    owner.save()
    owner.track(events(2))
    second = owner_of()
    second.was_told(1, 5)
    assert (second.about()["accepted"], second.about()["lost"]) == (5, 0)


def test_a_journal_that_no_snapshot_shortens_is_bounded(owner_of, monkeypatch, capfd):
    monkeypatch.setattr(_journal, "BYTES_MAX", 1000)
    owner = owner_of()
    while "wait for a snapshot" not in capfd.readouterr().out:
        owner.track(events())
    [file] = owner._epochs.mine.glob("journal-*")
    size = file.stat().st_size
    owner.track(events())
    assert file.stat().st_size == size < 1500
    owner.save()
    owner.track(events())
    assert files(owner._epochs.mine) == ["journal-000000003"]
    assert owner_of().about()["accepted"] == owner.about()["accepted"]


def test_without_a_journal_there_is_none(owner_of):
    owner = owner_of(journal=False)
    owner.track(events())
    assert not files(owner._epochs.mine)
    assert owner_of().about()["accepted"] == 0


@pytest.fixture
def slow_disk(tmp_path, monkeypatch):
    """A journal whose `fsync` waits until it is told to: it, whether one waits, what lets it go, and the files."""
    writes, entered, leave = [], threading.Event(), threading.Event()
    real = os.fsync

    def slow(file):
        writes.append(file)
        entered.set()
        assert leave.wait(60)
        real(file)

    journal = Journal(tmp_path)
    journal.prepare()
    journal.begin()
    with monkeypatch.context() as disk:
        disk.setattr(_journal.os, "fsync", slow)
        yield journal, entered, leave, writes


def test_who_waits_together_is_written_together(slow_disk, tmp_path):
    journal, entered, leave, writes = slow_disk
    done = []

    def add(place):
        journal.sync(journal.append(b"E", bytes([place])))
        done.append(place)

    threads = [threading.Thread(target=add, args=[0])]
    threads[0].start()
    assert entered.wait(60)
    threads += [threading.Thread(target=add, args=[place]) for place in range(1, 5)]
    for thread in threads[1:]:
        thread.start()
    while journal.appended < 5:
        assert not done
    leave.set()
    for thread in threads:
        thread.join()
    assert len(writes) == 2 and sorted(done) == list(range(5))
    assert sorted(content for _, content in read_journal(tmp_path, 1)) == [bytes([place]) for place in range(5)]


def test_another_file_is_begun_while_the_disk_works_on_this_one(slow_disk, tmp_path, monkeypatch):
    journal, entered, leave, _ = slow_disk
    with monkeypatch.context() as fast:
        fast.setattr(_journal, "sync_folder", lambda folder: None)
        journal.prepare()
    kept = []
    writer = threading.Thread(target=lambda: kept.append(journal.sync(journal.append(b"E", b"one"))))
    writer.start()
    assert entered.wait(60)
    journal.append(b"E", b"two")
    assert journal.begin() == 2
    last = journal.append(b"E", b"three")
    leave.set()
    assert journal.sync(last)
    writer.join()
    assert kept == [True]
    assert [content for _, content in read_journal(tmp_path, 1)] == [b"one", b"two", b"three"]
    assert [content for _, content in read_journal(tmp_path, 2)] == [b"three"]
    journal.forget_before(2)
    assert files(tmp_path) == ["journal-000000002"]


def test_what_follows_a_hole_is_refused(slow_disk, tmp_path, monkeypatch):
    """Also where another file was begun while the disk failed at this one."""
    journal, entered, leave, _ = slow_disk
    kept = []
    writer = threading.Thread(target=lambda: kept.append(journal.sync(journal.append(b"E", b"one"))))
    with monkeypatch.context() as disk:
        disk.setattr(_journal, "sync_folder", lambda folder: None)
        journal.prepare()

        def failing(file):
            entered.set()
            assert leave.wait(60)
            raise OSError("the disk is full")

        disk.setattr(_journal.os, "fsync", failing)
        writer.start()
        assert entered.wait(60)
        second = journal.append(b"E", b"two")
        journal.begin()
        third = journal.append(b"E", b"three")
        leave.set()
        writer.join()
    assert kept == [False] and not journal.sync(second) and not journal.sync(third)
    assert not journal.writes
    journal.prepare()
    journal.begin()
    assert journal.sync(journal.append(b"E", b"four"))
