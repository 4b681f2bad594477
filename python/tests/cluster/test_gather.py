"""What a replica of the ingress gives owners to count: no cluster is asked."""
import asyncio

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

    async def take(self, sender, number, batch):
        self.given.append((number, [events for events, _, _ in batch]))
        await self.go.wait()
        if batch[0][0] == b"bad":
            raise LookupError("bad")
        return None if batch[0][0] == b"away" else [(number, place) for place, _ in enumerate(batch)]


def test_what_comes_while_an_owner_is_at_work_goes_together():
    async def all_of_it():
        owner = Owner()
        gathering = Gathering(owner.take)
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
        gathering = Gathering(owner.take)
        with pytest.raises(LookupError):
            await gathering.track(b"bad", None, "")
        assert await gathering.track(b"away", None, "") is None
        assert await gathering.track(b"good", None, "") == (3, 0)

    asyncio.run(all_of_it())


def test_large_bodies_do_not_go_together(monkeypatch):
    monkeypatch.setattr(_gather, "BYTES_MAX", 4)

    async def all_of_it():
        owner = Owner()
        owner.go.set()
        gathering = Gathering(owner.take)
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
        gathering = Gathering(lambda *given: serve._again(Dying, 20, "track_all", *given))
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
