"""What a replica of the ingress has for one owner to count, put together while the owner is at what came before."""
from __future__ import annotations

import asyncio
import collections
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

# Events, a client's key or None, and what the key was used for.
Given = tuple[bytes, "str | None", str]
# What goes with one call, unless one request has more by itself.
BYTES_MAX = 2**20


class _Waiting(NamedTuple):
    given: Given
    until: float
    told: asyncio.Future


class Gathering:
    """Has one call to an owner under way; what comes meanwhile goes with the next.

    Each call has a number, and is given again with the same one, so that an owner that counted it and died before it
    said so counts it once (``UserShards.track_all``). ``give`` is told for how many seconds it may give again; it
    gives None when the owner did not take it. Each request waits for a while from when it came, whatever it goes with
    and behind.
    """

    def __init__(self, give: Callable[[float, str, int, list[Given]], Awaitable[list[Any] | None]], patience_s: float):
        self._give, self._patience_s = give, patience_s
        self._sender, self._number = secrets.token_hex(8), 0
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._giving: asyncio.Task | None = None

    async def track(self, *given: Any) -> Any:
        """What the owner answers to what is given; None when it is away for too long."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(given, time.monotonic() + self._patience_s, told))
        if self._giving is None:
            self._giving = asyncio.create_task(self._give_all())
        return await told

    def _next(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        size = len(batch[0].given[0])
        while self._waiting and (size := size + len(self._waiting[0].given[0])) <= BYTES_MAX:
            batch.append(self._waiting.popleft())
        return batch

    async def _give_all(self) -> None:
        try:
            while self._waiting:
                self._number += 1
                await self._give_one(self._next())
        finally:
            self._giving = None
            # There are some when this is ended from outside: nobody is left waiting.
            _cancel(self._waiting)
            self._waiting.clear()

    async def _give_one(self, batch: list[_Waiting]) -> None:
        """Gives a batch until it is taken, or nobody of it waits any more. The first of it came first."""
        left = batch
        try:
            while left:
                answers = await self._give(left[0].until - time.monotonic(), self._sender, self._number,
                                           [one.given for one in left])
                if answers is not None:
                    _answer(left, answers)
                    return
                over = max(left[0].until, time.monotonic())
                _answer([one for one in left if one.until <= over], None)
                left = [one for one in left if one.until > over]
        except Exception as wrong:  # of the owner, or an answer that is too short: of who has none yet
            for one in left:
                if not one.told.done():
                    one.told.set_exception(wrong)
        finally:
            _cancel(batch)


def _answer(asked: list[_Waiting], answers: list[Any] | None) -> None:
    for place, one in enumerate(asked):
        if not one.told.done():  # else who waited has gone
            one.told.set_result(None if answers is None else answers[place])


def _cancel(asked: collections.deque[_Waiting] | list[_Waiting]) -> None:
    for one in asked:
        one.told.cancel()  # unless it has its answer
