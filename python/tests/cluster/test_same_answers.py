"""The application's answers against the program's, value by value, after the same requests. Owners, commons and models
are in this process: no cluster is asked."""
import asyncio
import contextlib
import datetime
import json
import types

import pytest
from conftest import PROJECT
from starlette.requests import Request

from liminal import _owner, serve
from liminal._gather import Gathering

JSON, NDJSON = "application/json", "application/x-ndjson"


class Here:
    """An actor of this process, by its name."""

    def __init__(self, actor):
        self.actor = actor

    def call(self, method, *arguments):
        return asyncio.to_thread(getattr(self.actor, method), *arguments)

    def forget(self):
        raise AssertionError("nobody dies here")


class Application:
    """A replica of the ingress and whom it asks."""

    def __init__(self, folder, **settings):
        settings = serve.settings_of({"folder": str(folder), "owners": 3, "beat": False} | settings)
        made = self.ingress = object.__new__(serve.Ingress.func_or_class)
        made._settings, made._patience_s = settings, 20
        made._local = serve._engine.Service(serve.Engine(), token=settings["token"])
        made._bulk = serve._engine.Service(serve.Engine(), token=settings["token"])
        self.owners = [_owner.UserShards(place, settings) for place in range(3)]
        self.commons = _owner.Commons(settings)
        made._owners = [Here(owner) for owner in self.owners]
        made._gathered = [Gathering(lambda _, *given, place=place: made._retrying(place, "track_all", *given), 20)
                          for place in range(3)]
        made._commons, made._models = Here(self.commons), Here(_owner.Models(settings))
        made._told = [(0, 0)] * 3
        made._counted = types.SimpleNamespace(inc=lambda tags: None)

    def second(self, now):
        """As the commons have it, once a second."""
        exchange = self.commons._commons.advance([owner.tick(now) for owner in self.owners], now)
        for owner in self.owners:
            owner.absorb(exchange)

    def ask(self, method, path, body=None, kind=JSON, token=None, peer="127.0.0.1"):
        async def receive():
            return {"type": "http.request", "body": body or b"", "more_body": False}

        headers = [(b"host", b"localhost")] + ([(b"content-type", kind.encode())] if body is not None else [])
        if token is not None:
            headers.append((b"authorization", b"Bearer " + token.encode()))
        path, _, query = path.partition("?")
        answer = asyncio.run(self.ingress(Request({
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "client": (peer, 1), "headers": headers}, receive)))
        return answer.status_code, json.loads(answer.body)


@pytest.fixture
def application(tmp_path, monkeypatch):
    monkeypatch.setattr(_owner.Snapshots, "start", lambda self: None)
    return lambda **settings: Application(tmp_path / "owners", **settings)


def test_with_a_token_reading_needs_it_whoever_asks(application):
    """Through HAProxy everybody comes from this machine."""
    made = application(token="s3cret")
    line = b'{"user_id":"secret-ann","kind":"message"}'
    assert made.ask("POST", "/ml/events", line, NDJSON, token="s3cret")[0] == 200
    for path in ("/ml/users", "/ml/users/secret-ann", "/ml/anomalies/recent", "/ml/limits", "/ml/audit",
                 "/ml/features/recent", "/ml/status", "/ml/crowd", "/ml/incidents"):
        for peer in ("127.0.0.1", "192.0.2.2"):
            assert made.ask("GET", path, peer=peer)[0] == 401, path
            assert made.ask("GET", path, token="s3cret", peer=peer)[0] == 200, path
    assert made.ask("GET", "/readyz")[0] == 200


@pytest.fixture
def program_asked(program, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "tests/serve"))
    import join_cluster

    with contextlib.ExitStack() as running:
        # Its time as good as stands still: the application's goes on when it is told to.
        server = join_cluster.Server(program, str(tmp_path / "program"), "127.0.0.1:0", "--time-scale", ".001")
        running.callback(server.kill)
        yield lambda method, path, body=None, kind=JSON: server.ask(method, path, body, kind, (200, 201))


def log(now):
    """Talk of sixty users, and one who floods: of the last twenty seconds, so that no window ends while it is asked."""
    lines = [{"user_id": f"user-{i % 60}", "kind": "message", "message_size": 20 + i % 50, "channel": f"room-{i % 5}",
              "ip_address": f"10.0.0.{i % 60 % 7}", "timestamp": now - 20 + i / 60} for i in range(600)]
    lines += [{"user_id": "mallory", "kind": "message", "message_size": 40, "ip_address": "10.0.0.99",
               "channel": "room-0", "timestamp": now - 9 + i / 50} for i in range(400)]
    return "\n".join(json.dumps(line) for line in sorted(lines, key=lambda line: line["timestamp"])).encode()


# What is of the moment of the question: ranks fade, and the controller moves rates, with every second.
OF_THE_MOMENT = {"created", "time", "salience", "salience_now", "score", "activity", "growth", "ratio",
                 "personal_ratio", "suspicion", "messages_per_second", "messages_per_second_max"}


def lasting(told):
    """An answer without what is of the moment; lists in an order of their own, since what ranks alike has none."""
    if isinstance(told, dict):
        return {name: lasting(value) for name, value in told.items() if name not in OF_THE_MOMENT}
    if isinstance(told, list):
        return sorted((lasting(one) for one in told), key=json.dumps)
    return told


def test_reading_gives_the_programs_values_after_the_same_requests(application, program_asked):
    made = application(rows=500)
    now = datetime.datetime.fromisoformat(
        program_asked("GET", "/ml/status")["time"].replace("Z", "+00:00")).timestamp()
    made.second(now)
    events = log(now)
    sources = [json.dumps({"source": f"source-{i}", "metrics": [{"cpu": .3, "memory": .5}] * 8}).encode()
               for i in range(7)]
    loads = [json.dumps({"service": f"service-{i}", "usage_patterns": {"request_rate": 5}}).encode() for i in range(7)]
    wishes = [("POST", "/ml/events", events, NDJSON),
              *(("PUT", f"/ml/limits/spam-{i}", b'{"kind":"block","reason":"spam"}') for i in range(150)),
              *(("POST", "/anomaly", body) for body in sources), *(("POST", "/scaling", body) for body in loads)]

    def both(*wish):
        status, told = made.ask(*wish)
        assert status in (200, 201), told
        return program_asked(*wish), told

    for wish in wishes:
        of_program, told = both(*wish)
        if wish[1] != "/scaling":  # what it advises has the time of now in it
            assert lasting(told) == lasting(of_program), wish[1]

    # Not incidents: every owner groups its own alerts, and the program does so beside what it answers.
    for path in ("/ml/users?limit=100", "/ml/users?order=messages_per_minute&limit=100", "/ml/users/mallory",
                 "/ml/users/user-7", "/ml/anomalies/recent", "/ml/limits", "/ml/audit?limit=500", "/ml/features/recent?limit=1000",
                 "/ml/jobs", "/anomaly/series/source-3/cpu"):
        of_program, told = both("GET", path)
        assert lasting(told) == lasting(of_program), path
        if path == "/ml/limits":
            assert told["count"] == 150

    of_program, told = both("GET", "/ml/status")
    assert told["feature_extractor"].pop("buffer_size") == 3 * 500
    del of_program["feature_extractor"]["buffer_size"]
    for part in ("feature_extractor", "anomaly_detector", "shards", "mode"):
        assert told[part] == of_program[part], part
    assert told["traffic"]["events_total"] == of_program["traffic"]["events_total"] == 1000
