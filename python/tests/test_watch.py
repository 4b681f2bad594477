import asyncio
import importlib.util
import json
import types

import pytest
from conftest import PROJECT

import liminal
from liminal import watch
from liminal.watch import WatchMiddleware, channel_of, watched

EXAMPLES = PROJECT / "examples/python"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_channels_are_read_from_json_objects_only():
    assert channel_of('{"channel": "general"}') == "general"
    assert channel_of(b'{"channel": "general"}') == "general"
    for other in ("hello", "[1]", "{", '{"channel": 5}', '{"x": 1}', b"\xff", "",
                  json.dumps({"channel": "a" * 257}), "{" * 100_000, '{"channel": "\\ud800"}'):
        assert channel_of(other) is None


def test_the_fastapi_example_is_watched():
    testclient = pytest.importorskip("fastapi.testclient")
    with testclient.TestClient(example("fastapi_chat").app, client=("192.0.2.31", 1)) as client:
        with client.websocket_connect("/chat") as chat:
            for i in range(200):
                chat.send_text(json.dumps({"channel": "general", "content": f"hello {i}"}))
                assert json.loads(chat.receive_text())["content"] == f"hello {i}"
        assert client.get("/").status_code == 200
    features = liminal.feature_extractor.features("192.0.2.31")
    assert features["messages_per_minute"] == 201 and features["channels_count"] == 1
    assert features["open_connections"] == 0


def app_of(engine, **options):
    starlette = pytest.importorskip("starlette.applications")
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    async def echo(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    async def page(request):
        if request.query_params.get("raise"):
            raise LookupError("a test")
        return PlainTextResponse("x", 500 if request.query_params.get("fail") else 200)

    app = starlette.Starlette(routes=[WebSocketRoute("/ws", echo), Route("/", page)])
    app.add_middleware(WatchMiddleware, engine=engine, **options)
    return app


def enforcing(*users):
    """An engine that enforces, with users who have used up what they may for a minute."""
    engine = liminal.Engine(mode="enforce")
    for user in users:
        for _ in range(20):
            engine.track_user_activity(user, 10)
        service = liminal._engine.Service(engine)
        rate = {"kind": "rate", "messages_per_second": .01, "burst": 1, "reason": "a test"}
        status, _, answer = service.handle(
            "PUT", f"/ml/limits/{user}", [(b"host", b"localhost")], json.dumps(rate).encode(), "", True)
        assert status == 201, answer
        engine.track_user_activity(user, 10)
    return engine


def test_enforcing_refuses_requests_and_closes_connections():
    testclient = pytest.importorskip("starlette.testclient")
    engine = enforcing("ann", "bob")
    client = testclient.TestClient(app_of(engine, user=lambda scope: "ann"))
    assert testclient.TestClient(app_of(engine, user=lambda scope: "eve")).get("/").status_code == 200
    refused = client.get("/")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"

    other = testclient.TestClient(app_of(engine, user=lambda scope: "bob"))
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect) as closed:
        with other.websocket_connect("/ws") as ws:
            for _ in range(300):
                ws.send_text("hello")
            ws.receive_text()
    assert closed.value.code == 1008


def test_answers_that_fail_are_errors():
    testclient = pytest.importorskip("starlette.testclient")
    engine = liminal.Engine()
    client = testclient.TestClient(app_of(engine, user=lambda scope: "ann"))
    for _ in range(10):
        client.get("/?fail=1")
    features = engine.features("ann")
    assert features["messages_per_minute"] == 10 and features["error_rate"] == 1


def test_exceptions_of_the_application_are_errors_once():
    testclient = pytest.importorskip("starlette.testclient")
    engine = liminal.Engine()
    client = testclient.TestClient(app_of(engine, user=lambda scope: "ann"),
                                   raise_server_exceptions=False)
    for _ in range(4):
        assert client.get("/?raise=1").status_code == 500
        assert client.get("/").status_code == 200
    assert engine.features("ann")["error_rate"] == .5

    async def starts_and_fails(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        raise LookupError("a test")

    async def nowhere(message):
        pass

    watching = WatchMiddleware(starts_and_fails, engine=engine, user=lambda scope: "bob")
    for _ in range(2):
        with pytest.raises(LookupError):
            asyncio.run(watching({"type": "http", "headers": []}, None, nowhere))
        engine.track_user_activity("bob", 1)
    assert engine.features("bob")["error_rate"] == .5


def test_http_requests_have_the_size_that_they_say():
    testclient = pytest.importorskip("starlette.testclient")
    engine = liminal.Engine()
    client = testclient.TestClient(app_of(engine, user=lambda scope: "ann"))
    client.post("/", content=b"x" * 1000)
    assert engine.features("ann")["avg_message_size"] == 1000
    for odd in (b"-5", b"many", b"9" * 19, b"9" * 5000):
        size = watch._body_bytes({"headers": [(b"Content-Length", odd)]})
        assert engine.track_user_activity("odd", size).allowed


def test_binary_messages_are_compared_as_texts_are():
    engine = liminal.Engine()
    ratios = {}
    for name, message in (("text", "the same"), ("bytes", b"the same"), ("odd", b"\xff\x00\xfe")):
        watched_one = watch._Watched(engine, name, None, channel_of)
        for _ in range(50):
            watched_one.message(message)
        ratios[name] = engine.features(name)["same_content_ratio"]
    assert ratios["text"] > .9 and set(ratios.values()) == {ratios["text"]}


def test_long_and_broken_names_do_not_stop_anything():
    testclient = pytest.importorskip("starlette.testclient")
    engine = liminal.Engine()
    for name in ("é" * 100, "\ud800", ""):
        client = testclient.TestClient(app_of(engine, user=lambda scope, name=name: name))
        assert client.get("/").status_code == 200
    assert engine.users == 3


def test_the_websockets_example_is_watched():
    pytest.importorskip("websockets")
    from websockets.asyncio.client import connect

    chat = example("websockets_chat")

    async def talk():
        async with chat.start(0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as ann, \
                    connect(f"ws://127.0.0.1:{port}") as bob:
                await bob.send(json.dumps({"channel": "watched", "content": "joined"}))
                await bob.recv()
                await ann.recv()
                for i in range(150):
                    await ann.send(json.dumps({"channel": "watched", "content": f"hello {i}"}))
                    assert json.loads(await bob.recv())["content"] == f"hello {i}"
                    await ann.recv()

    asyncio.run(talk())
    assert liminal.feature_extractor.features("127.0.0.1")["messages_per_minute"] >= 151


def test_a_watched_websocket_that_goes_too_far_is_closed():
    pytest.importorskip("websockets")
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosedError

    engine = enforcing("eve")
    ended = []

    async def echo(connection):
        async for message in connection:
            await connection.send(message)
        ended.append(True)

    async def flood():
        async with serve(watched(echo, engine=engine, user=lambda c: "eve"), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}") as eve:
                with pytest.raises(ConnectionClosedError) as closed:
                    for _ in range(300):
                        await eve.send("hello")
                    while True:
                        await eve.recv()
                assert closed.value.rcvd.code == 1008

    asyncio.run(flood())
    assert ended == [True]
    assert engine.features("eve")["open_connections"] == 0


class HoldingBack:
    """Stands for an engine that delays every second message."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.asked = 0

    def track_user_activity(self, *arguments, kind="message", **options):
        self.asked += kind == "message"
        delays = kind == "message" and self.asked % 2 == 0
        return types.SimpleNamespace(decision="delay" if delays else "allow", allowed=True, reason="a test",
                                     retry_after_s=self.seconds if delays else 0)


async def all_of(receive, count):
    """What comes to somebody who never waits as long as a message is held back."""
    got = []
    while len(got) < count:
        try:
            got.append(await asyncio.wait_for(receive(), .002))
        except asyncio.TimeoutError:
            pass
    return got


def filled(messages):
    queue = asyncio.Queue()
    for message in messages:
        queue.put_nowait(message)
    return queue


def test_who_gives_up_waiting_loses_no_message_of_an_application():
    engine, got = HoldingBack(.01), []

    async def app(scope, receive, send):
        got.extend(await asyncio.wait_for(all_of(receive, 10), 60))

    async def talk():
        queue = filled({"type": "websocket.receive", "text": f"m{i}"} for i in range(10))
        await WatchMiddleware(app, engine=engine)({"type": "websocket", "client": ("192.0.2.1", 1)}, queue.get, None)

    asyncio.run(talk())
    assert [event["text"] for event in got] == [f"m{i}" for i in range(10)] and engine.asked == 10


def test_who_gives_up_waiting_loses_no_message_of_a_connection():
    engine, got = HoldingBack(.01), []

    async def handler(connection):
        got.extend(await asyncio.wait_for(all_of(connection.recv, 10), 60))

    async def talk():
        queue = filled(f"m{i}" for i in range(10))
        await watched(handler, engine=engine)(types.SimpleNamespace(remote_address=("192.0.2.1", 1), recv=queue.get))

    asyncio.run(talk())
    assert got == [f"m{i}" for i in range(10)] and engine.asked == 10


def test_two_that_wait_at_once_get_a_message_each():
    got = []

    async def handler(connection):
        got.extend(await asyncio.gather(*(connection.recv() for _ in range(4))))

    async def talk():
        queue = filled(f"m{i}" for i in range(4))
        await watched(handler, engine=HoldingBack(.001))(
            types.SimpleNamespace(remote_address=("192.0.2.1", 1), recv=queue.get))

    asyncio.run(talk())
    assert sorted(got) == ["m0", "m1", "m2", "m3"]


class Closing:
    def track_user_activity(self, *arguments, kind="message", **options):
        decision = "close" if kind == "message" else "allow"
        return types.SimpleNamespace(decision=decision, allowed=decision == "allow", retry_after_s=0)


def test_a_server_that_stops_does_not_wait_for_a_peer_that_does_not_read():
    async def talk():
        async def send(message):
            await asyncio.Event().wait()

        async def app(scope, receive, send):
            await receive()

        queue = filled([{"type": "websocket.receive", "text": "x"}])
        connection = asyncio.create_task(
            WatchMiddleware(app, engine=Closing())({"type": "websocket"}, queue.get, send))
        await asyncio.sleep(.01)
        connection.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(connection, 5)

    asyncio.run(talk())


def test_a_connection_is_closed_though_nobody_waits_for_it():
    """Once, and whole: who gives up while the end is being sent is told of it the next time."""
    sent, told = [], []

    async def talk():
        may_go = asyncio.Event()

        async def send(message):
            await may_go.wait()
            sent.append(message)

        async def app(scope, receive, send):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), .001)
            may_go.set()
            told.extend([await receive(), await receive()])

        queue = filled([{"type": "websocket.receive", "text": "x"}])
        await WatchMiddleware(app, engine=Closing())({"type": "websocket"}, queue.get, send)

    asyncio.run(asyncio.wait_for(talk(), 60))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert told == [{"type": "websocket.disconnect", "code": 1008}] * 2
