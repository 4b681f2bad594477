"""What a replica of the ingress has for one owner to count, put together while the owner is at what came before."""
from __future__ import annotations

import asyncio
import collections
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

# Events, a client's key or None, and what the key was used for.
Given = tuple[bytes, "str | None", str]
# What goes with one call, unless one request has more by itself.
BYTES_MAX = 2**20


class Gathering:
    """Has one call to an owner under way; what comes meanwhile goes with the next.

    Each call has a number, and is given again with the same one, so that an owner that counted it and died before it
    said so counts it once (``UserShards.track_all``). ``give`` gives until it is taken, or gives None.
    """

    def __init__(self, give: Callable[[str, int, list[Given]], Awaitable[list[Any] | None]]):
        self._give = give
        self._sender, self._number = secrets.token_hex(8), 0
        self._waiting: collections.deque[tuple[Given, asyncio.Future]] = collections.deque()
        self._giving: asyncio.Task | None = None

    async def track(self, *given: Any) -> Any:
        """What the owner answers to what is given; None when it is away for too long."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append((given, told))
        if self._giving is None:
            self._giving = asyncio.create_task(self._give_all())
        return await told

    def _next(self) -> list[tuple[Given, asyncio.Future]]:
        batch = [self._waiting.popleft()]
        size = len(batch[0][0][0])
        while self._waiting and (size := size + len(self._waiting[0][0][0])) <= BYTES_MAX:
            batch.append(self._waiting.popleft())
        return batch

    async def _give_all(self) -> None:
        while self._waiting:
            batch = self._next()
            self._number += 1
            wrong, answers = None, None
            try:
                answers = await self._give(self._sender, self._number, [given for given, _ in batch])
            except Exception as raised:
                wrong = raised
            for place, (_, told) in enumerate(batch):
                if told.done():  # who waited has gone
                    continue
                if wrong is not None:
                    told.set_exception(wrong)
                else:
                    told.set_result(None if answers is None else answers[place])
        self._giving = None
