"""Watches a server of one's own in Python.

A FastAPI or Starlette application, WebSockets and HTTP alike:

    from liminal.watch import WatchMiddleware
    app.add_middleware(WatchMiddleware)

A server by the library ``websockets``:

    from liminal.watch import watched
    serve(watched(handler), "127.0.0.1", 8765)

Nothing is refused before it was shown: the engine runs in shadow unless it is made with
``mode="enforce"``.
"""
from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from liminal._engine import Verdict
from liminal.engine import Engine
from liminal.feature_extractor import feature_extractor

Scope = dict[str, Any]
POLICY_VIOLATION = 1008

_USER_BYTES_MAX, _ADDRESS_BYTES_MAX, _CHANNEL_BYTES_MAX = 128, 64, 256
# Longer messages are not looked into for their channel.
_LOOKED_AT_MAX = 64 * 1024
_BYTES_MAX = 2**32 - 1
# How long a connection that has ended waits for its close to be sent.
_CLOSE_WITHIN_S = 10.0


def channel_of(message: str | bytes) -> str | None:
    """The text of "channel" in a message that is a JSON object; None for any other."""
    if len(message) > _LOOKED_AT_MAX or not message.lstrip()[:1] in ("{", b"{"):
        return None
    try:
        channel = json.loads(message).get("channel")
    except (ValueError, RecursionError):
        return None
    if isinstance(channel, str) and _fits(channel, _CHANNEL_BYTES_MAX):
        return channel
    return None


def _fits(text: str, bytes_max: int) -> bool:
    """Whether the engine takes a name. JSON may escape half of a surrogate pair, which is no text."""
    try:
        return 0 < len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def _fitting(text: str, bytes_max: int) -> str:
    """A name as long as the engine takes; what is longer is named by its hash."""
    if _fits(text, bytes_max):
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:bytes_max]


def _content(message: str | bytes) -> str | None:
    """What a message is compared by. The engine hashes text: bytes that are none are read one by one."""
    if isinstance(message, str):
        return message or None
    try:
        return message.decode() or None
    except UnicodeDecodeError:
        return message.decode("latin-1")


def _body_bytes(scope: Scope) -> int:
    """What an HTTP request says of its body's size; 0 when it says nothing that is a number."""
    for name, value in scope.get("headers", ()):
        if name.lower() == b"content-length":
            return min(int(value), _BYTES_MAX) if value.isdigit() and len(value) < 20 else 0
    return 0


class _Watched:
    """One connection's part of the engine."""

    def __init__(self, engine: Engine, user: str, address: str | None, channel: Callable):
        self._engine = engine
        self._user = _fitting(user, _USER_BYTES_MAX)
        self._address = _fitting(address, _ADDRESS_BYTES_MAX) if address else None
        self._channel = channel

    def event(self, kind: str, message_size: int = 0) -> Verdict:
        return self._engine.track_user_activity(
            self._user, message_size, None, self._address, kind=kind)

    def message(self, message: str | bytes) -> Verdict:
        raw = message.encode() if isinstance(message, str) else message
        return self._engine.track_user_activity(
            self._user, len(raw), self._channel(message), self._address,
            content_hash=_content(message))

    def failed(self) -> None:
        self._engine.track_user_activity(self._user, 0, None, self._address, kind="failed")


class _Messages:
    """What a connection receives, judged, each message when it may pass or is refused.

    What was taken from the connection is kept until somebody has it: who gives up waiting while it is held
    back, by a time limit or because something else came first, leaves it to the next call. Several may wait at
    once; each gets another one.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._kept: tuple[Any, Verdict | None, float] | None = None

    async def next(
        self, receive: Callable[[], Awaitable[Any]], judge: Callable[[Any], Verdict | None]
    ) -> tuple[Any, Verdict | None]:
        """The next message with its verdict; None for what is not judged."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if self._kept is None:
                message = await receive()
                verdict = judge(message)
                wait = verdict.retry_after_s if verdict and verdict.decision == "delay" else 0
                self._kept = message, verdict, clock() + wait
            message, verdict, due = self._kept
            while (left := due - clock()) > 0:
                await asyncio.sleep(left)
            self._kept = None
            return message, verdict


class WatchMiddleware:
    """Tells an engine what happens in an ASGI application, and does what it decides.

    engine: the shared one unless given. user: who a connection belongs to, from its scope; the client's
    address unless given. channel: which channel a WebSocket message is for.

    A WebSocket connection that is refused is closed with 1008; a message is held back, dropped, or its
    connection closed; one that is held back stays there for who gives up waiting and asks again. An HTTP
    request is a message of its Content-Length, an answer of 500 or more and an exception of the application
    are errors, and a refused one is answered 429 with Retry-After. In shadow, which is the default, nothing
    of this happens.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        *,
        engine: Engine | None = None,
        user: Callable[[Scope], str] | None = None,
        channel: Callable[[str | bytes], str | None] = channel_of,
    ):
        self.app = app
        self._engine = feature_extractor if engine is None else engine
        self._user = user
        self._channel = channel

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        address = scope["client"][0] if scope.get("client") else None
        user = self._user(scope) if self._user else address or "unknown"
        watched = _Watched(self._engine, user, address, self._channel)
        if scope["type"] == "http":
            await self._http(watched, scope, receive, send)
        else:
            await self._websocket(watched, scope, receive, send)

    async def _http(
        self, watched: _Watched, scope: Scope, receive: Callable, send: Callable
    ) -> None:
        verdict = watched.event("message", _body_bytes(scope))
        if not verdict.allowed:
            return await _refuse_http(verdict, send)
        if verdict.decision == "delay":
            await asyncio.sleep(verdict.retry_after_s)

        counted = False

        async def send_and_see(message: dict[str, Any]) -> None:
            nonlocal counted
            if message["type"] == "http.response.start" and message["status"] >= 500:
                counted = True
                watched.failed()
            await send(message)

        try:
            await self.app(scope, receive, send_and_see)
        except Exception:
            # Whoever called answers 500, above what is seen here.
            if not counted:
                watched.failed()
            raise

    async def _websocket(
        self, watched: _Watched, scope: Scope, receive: Callable, send: Callable
    ) -> None:
        if not watched.event("connect").allowed:
            await receive()
            return await send({"type": "websocket.close", "code": POLICY_VIOLATION})

        messages = _Messages()
        closing: asyncio.Future[None] | None = None

        def judge(event: dict[str, Any]) -> Verdict | None:
            if event["type"] != "websocket.receive":
                return None
            text = event.get("text")
            return watched.message(text if text is not None else event.get("bytes") or b"")

        async def receive_and_judge() -> dict[str, Any]:
            nonlocal closing
            while closing is None:
                event, verdict = await messages.next(receive, judge)
                if verdict is None or verdict.allowed:
                    return event
                if verdict.decision == "close":
                    closing = asyncio.ensure_future(
                        send({"type": "websocket.close", "code": POLICY_VIOLATION}))
            # Sent whole, and once, whoever gives up waiting for it.
            await asyncio.shield(closing)
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        try:
            await self.app(scope, receive_and_judge, send)
        except asyncio.CancelledError:
            if closing is not None:
                closing.cancel()
            raise
        finally:
            watched.event("disconnect")
            if closing is not None:
                await _given_up(closing)


async def _given_up(closing: asyncio.Future[None]) -> None:
    """Waits until the close is sent, but not for a peer that does not read."""
    await asyncio.wait({closing}, timeout=_CLOSE_WITHIN_S)
    closing.cancel()
    if closing.done() and not closing.cancelled():
        closing.exception()  # of a connection that is gone there is nothing to say


async def _refuse_http(verdict: Verdict, send: Callable) -> None:
    body = json.dumps({"type": "about:blank", "title": "Too Many Requests", "status": 429,
                       "detail": f"refused: {verdict.reason}"}).encode()
    headers = [(b"content-type", b"application/problem+json"),
               (b"content-length", str(len(body)).encode())]
    if math.isfinite(verdict.retry_after_s):
        headers.append((b"retry-after", str(max(1, math.ceil(verdict.retry_after_s))).encode()))
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _WatchedConnection:
    """A connection of the library ``websockets`` whose messages are judged before they are received."""

    def __init__(self, connection: Any, watched: _Watched):
        self._connection = connection
        self._watched = watched
        self._messages = _Messages()
        self._closing: asyncio.Task | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def recv(self, *arguments: Any, **options: Any) -> str | bytes:
        while True:
            message, verdict = await self._messages.next(
                lambda: self._connection.recv(*arguments, **options), self._judge)
            if verdict is None:
                continue  # what is still under way; then this says that the connection is closed
            if verdict.decision == "close":
                # Beside receiving: the peer's answer may stand behind what it sent before.
                self._closing = asyncio.create_task(self._connection.close(POLICY_VIOLATION))
            elif verdict.allowed:
                return message

    def _judge(self, message: str | bytes) -> Verdict | None:
        return None if self._closing else self._watched.message(message)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            while True:
                yield await self.recv()
        except ConnectionClosedOK:
            return
        except ConnectionClosed:
            if not self._closing:
                raise


def watched(
    handler: Callable[[Any], Awaitable[None]],
    *,
    engine: Engine | None = None,
    user: Callable[[Any], str] | None = None,
    channel: Callable[[str | bytes], str | None] = channel_of,
) -> Callable[[Any], Awaitable[None]]:
    """A handler of the library ``websockets`` that is watched; arguments as of ``WatchMiddleware``, but
    that ``user`` is given the connection."""
    watching = feature_extractor if engine is None else engine

    async def handle(connection: Any) -> None:
        peer = connection.remote_address
        address = peer[0] if isinstance(peer, tuple) and peer else None
        name = user(connection) if user else address or "unknown"
        told = _Watched(watching, name, address, channel)
        if not told.event("connect").allowed:
            return await connection.close(POLICY_VIOLATION)
        try:
            await handler(_WatchedConnection(connection, told))
        finally:
            told.event("disconnect")

    return handle
