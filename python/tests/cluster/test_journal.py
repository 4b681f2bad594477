"""What an owner took since its last snapshot, in this process: no cluster is there."""
import os
import threading

import pytest
from clients import routed
from cluster_events import recorded

from liminal import _engine, _journal
from liminal._journal import Journal, read_journal
from liminal._owner import MISMATCH


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


def test_the_next_incarnation_is_in_the_state_of_the_one_that_died(owner_of):
    """To the bit, with the seconds and what other owners told in between."""
    first, commons = owner_of(), _engine.Commons()
    lines = recorded(seconds=150)
    start = int(lines[0]["t"])
    for second in range(150):
        first.absorb(commons.advance([first.tick(float(start + second))], float(start + second)))
        if now := [line for line in lines if int(line["t"]) == start + second]:
            first.track(routed(now)[0])
        if second == 70:
            first.save()
    first.track(events())  # by which the last second is on the disk
    assert first._engine.recent_anomalies(min_severity="low")
    second = owner_of()
    assert second.shard_hashes() == first.shard_hashes()
    assert second._engine.recent_anomalies() == first._engine.recent_anomalies()


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
    for _ in range(2):  # the first one makes room
        owner.save()
    owner.track(events())
    assert files(owner._epochs.mine) == ["journal-000000003"]
    assert owner_of().about()["accepted"] == owner.about()["accepted"]


def test_without_a_journal_there_is_none(owner_of):
    owner = owner_of(journal=False)
    owner.track(events())
    assert not files(owner._epochs.mine)
    assert owner_of().about()["accepted"] == 0


def test_who_waits_together_is_written_together(tmp_path, monkeypatch):
    writes, entered, leave, done = [], threading.Event(), threading.Event(), []
    real = os.fsync

    def slow(file):
        writes.append(file)
        entered.set()
        assert leave.wait(60)
        real(file)

    journal = Journal(tmp_path)
    journal.begin()
    monkeypatch.setattr(_journal.os, "fsync", slow)

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
