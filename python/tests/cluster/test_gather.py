"""What a replica of the ingress gives owners to count: no cluster is asked."""
import asyncio
import functools
import types

import pytest
import ray
from clients import routed

from liminal import _gather, _owner, serve
from liminal._gather import Gathering
from liminal._owner import MISMATCH


def events(count=1):
    return routed([{"user_id": "ann", "kind": "message"}] * count)[0]


class Owner:
    """Notes what it is given, and answers when it is told to."""

    def __init__(self):
        self.given, self.go = [], asyncio.Event()

    async def take(self, patience_s, sender, number, batch):
        self.given.append((number, [events for events, _, _ in batch]))
        await self.go.wait()
        if batch[0][0] == b"bad":
            raise LookupError("bad")
        return None if batch[0][0] == b"away" else [(number, place) for place, _ in enumerate(batch)]


def test_what_comes_while_an_owner_is_at_work_goes_together():
    async def all_of_it():
        owner = Owner()
        gathering = Gathering(owner.take, 20)
        asked = [asyncio.create_task(gathering.track(events, None, "")) for events in (b"1", b"2", b"3")]
        await asyncio.sleep(0)
        while not owner.given:
            await asyncio.sleep(0)
        more = [asyncio.create_task(gathering.track(events, None, "")) for events in (b"4", b"5", b"6")]
        await asyncio.sleep(0)
        more[1].cancel()  # whoever hangs up takes nobody along
        owner.go.set()
        answers = await asyncio.gather(*asked, *more, return_exceptions=True)
        assert owner.given == [(1, [b"1", b"2", b"3"]), (2, [b"4", b"5", b"6"])]
        assert [answers[i] for i in (0, 1, 2, 3, 5)] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 2)]
        assert isinstance(answers[4], asyncio.CancelledError)
        # And then the next one.
        assert await gathering.track(b"7", None, "") == (3, 0)

    asyncio.run(all_of_it())


def test_what_is_wrong_with_one_call_is_not_with_the_next():
    async def all_of_it():
        owner = Owner()
        owner.go.set()
        gathering = Gathering(owner.take, 20)
        with pytest.raises(LookupError):
            await gathering.track(b"bad", None, "")
        assert await gathering.track(b"away", None, "") is None
        assert await gathering.track(b"good", None, "") == (3, 0)

    asyncio.run(all_of_it())


@pytest.fixture
def clock(monkeypatch):
    """Goes on when it is told to."""
    now = [1000.0]
    monkeypatch.setattr(_gather, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def idle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_requests_wait_from_when_they_came_whatever_they_are_behind(clock, monkeypatch):
    monkeypatch.setattr(_gather, "BYTES_MAX", 3)
    waited, given = {}, []

    async def away(patience_s, sender, number, batch):
        given.append((number, [events for events, _, _ in batch]))
        await asyncio.sleep(0)
        clock[0] += max(0, patience_s)

    async def all_of_it():
        gathering = Gathering(away, 20)

        async def ask(events):
            began = clock[0]
            assert await gathering.track(events, None, "") is None
            waited[events] = clock[0] - began

        asked = [asyncio.create_task(ask(b"of its own %d" % place)) for place in range(8)]
        asked.append(asyncio.create_task(ask(b"a")))
        await asyncio.sleep(0)
        clock[0] += 5
        asked.append(asyncio.create_task(ask(b"b")))
        await asyncio.gather(*asked)

    asyncio.run(all_of_it())
    assert set(waited.values()) == {20.0}, waited
    # Who came later waits on, and what was maybe counted has its number.
    assert given[-2:] == [(9, [b"a", b"b"]), (9, [b"b"])]


def test_an_owner_that_is_back_takes_what_still_waits(clock):
    async def back(patience_s, sender, number, batch):
        if len(batch) == 1:
            await idle()
            return [(number, batch[0][0])]
        clock[0] += patience_s
        return None

    async def all_of_it():
        gathering = Gathering(back, 20)
        asked = []
        for events in (b"0", b"1", b"2"):
            asked.append(asyncio.create_task(gathering.track(events, None, "")))
            await asyncio.sleep(0)
            clock[0] += 1
        assert await asyncio.gather(*asked) == [(1, b"0"), None, (2, b"2")]

    asyncio.run(all_of_it())


def test_an_answer_that_is_short_fails_those_without_one_alone():
    async def short(patience_s, sender, number, batch):
        return [(number, place) for place, _ in enumerate(batch)][:2]

    async def all_of_it():
        gathering = Gathering(short, 20)
        told = await asyncio.gather(*(gathering.track(b"x", None, "") for _ in range(3)), return_exceptions=True)
        assert told[:2] == [(1, 0), (1, 1)] and isinstance(told[2], IndexError)
        assert await asyncio.wait_for(gathering.track(b"y", None, ""), 5) == (2, 0)

    asyncio.run(all_of_it())


def test_who_is_ended_while_it_gives_leaves_nobody_waiting():
    async def all_of_it():
        owner = Owner()
        gathering = Gathering(owner.take, 20)
        asked = [asyncio.create_task(gathering.track(b"1", None, ""))]
        await idle()
        asked.append(asyncio.create_task(gathering.track(b"2", None, "")))
        await idle()
        gathering._giving.cancel()
        done, _ = await asyncio.wait(asked, timeout=5)
        assert len(done) == 2 and all(one.cancelled() for one in done)
        owner.go.set()
        assert await asyncio.wait_for(gathering.track(b"3", None, ""), 5) == (2, 0)

    asyncio.run(all_of_it())


def test_large_bodies_do_not_go_together(monkeypatch):
    monkeypatch.setattr(_gather, "BYTES_MAX", 4)

    async def all_of_it():
        owner = Owner()
        owner.go.set()
        gathering = Gathering(owner.take, 20)
        await asyncio.gather(*(gathering.track(events, None, "") for events in (b"12345", b"12", b"34", b"5")))
        assert [batch for _, batch in owner.given] == [[b"12345"], [b"12", b"34"], [b"5"]]

    asyncio.run(all_of_it())


def test_what_is_given_again_after_a_death_counts_once(owner_of):
    """The owner had written it and died before it said so: who gave it has no answer, and no key."""
    owners, deaths = [owner_of()], []

    class Dying:
        @staticmethod
        async def call(method, *arguments):
            told = getattr(owners[-1], method)(*arguments)
            if len(deaths) < 2:
                deaths.append(1)
                owners.append(owner_of())
                raise ray.exceptions.ActorDiedError()
            return told

        @staticmethod
        def forget():
            pass

    async def all_of_it():
        gathering = Gathering(functools.partial(serve._given, Dying), 20)
        return await asyncio.gather(gathering.track(events(3), None, ""), gathering.track(events(2), "key", "print"))

    assert asyncio.run(all_of_it()) == [(3, 5), (3, 5)]
    assert owners[-1].about()["accepted"] == 5


def test_numbers_are_known_from_the_snapshot_too(owner_of):
    first = owner_of()
    assert first.track_all("one", 4, [(events(3), None, "")]) == [(1, 3)]
    first.save()
    second = owner_of()
    assert second.track_all("one", 4, [(events(3), None, "")]) == [(2, 3)]
    assert second.track_all("two", 1, [(events(3), None, "")]) == [(2, 6)]
    assert second.track_all("one", 5, [(events(1), None, "")]) == [(2, 7)]


def test_senders_that_went_are_forgotten(owner_of, monkeypatch):
    monkeypatch.setattr(_owner, "_SENDERS_KEPT", 2)
    owner = owner_of()
    for sender in ("one", "two", "one", "three"):
        owner.track_all(sender, len(owner._senders) + 1, [(events(), None, "")])
    assert list(owner._senders) == ["one", "three"]


def test_of_a_batch_each_counts_once_for_its_key(owner_of):
    owner = owner_of()
    batch = [(events(3), "key", "print"), (events(3), "key", "print"), (events(3), "key", "another"),
             (events(2), None, ""), (events(2), None, "")]
    told = (1, 7)
    wanted = [told, told, MISMATCH, told, told]
    assert owner.track_all("one", 1, batch) == wanted
    # And as it was lived, it is lived again.
    second = owner_of()
    told = (2, 7)
    assert second.track_all("one", 1, batch) == [told, told, MISMATCH, told, told]
    assert second.track_all("one", 2, batch[:1]) == [told]


def test_events_that_an_earlier_version_wrote_are_lived_again(owner_of):
    first = owner_of()
    with first._lock:
        held = first._note(_owner._EVENTS, _owner._LENGTHS.pack(3, 5) + b"key" + b"print" + events(2))
    first._kept(held)
    second = owner_of()
    assert second.track(events(2), "key", "print") == (2, 2)
