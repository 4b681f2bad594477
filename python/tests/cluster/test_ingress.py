"""What a replica of the ingress does by itself: no cluster is asked."""
import asyncio
import hashlib
import json

import ray
from starlette.requests import Request

from liminal import serve

Ingress = serve.Ingress.func_or_class
ModelServer = serve.ModelServer.func_or_class


def request(method, path):
    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    return Request({"type": "http", "method": method, "path": path, "raw_path": path.encode(),
                    "query_string": b"", "client": ("127.0.0.1", 1),
                    "headers": [(b"host", b"localhost"), (b"x-request-id", b"seven")]}, receive)


def ingress():
    made = object.__new__(Ingress)
    made._local = serve._engine.Service(serve.Engine())
    made._counted = Counted()
    return made


class Counted(list):
    def inc(self, tags=None):
        self.append(tags)


def test_an_exception_is_a_problem():
    made = ingress()

    class Broken:
        @staticmethod
        async def remote(asked):
            raise LookupError("a secret")

    made._predictor = Broken
    answer = asyncio.run(made(request("POST", "/ml/models/predict")))
    assert answer.status_code == 500 and b"secret" not in answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "seven"
    assert json.loads(answer.body)["status"] == 500
    assert made._counted == [{"status": "500"}]


def test_a_path_without_a_model_is_not_asked_of_one():
    made = ingress()
    asked = []

    async def ask_models(request):
        asked.append(request[1])
        return 404, [], b""

    made._ask_models = ask_models
    assert asyncio.run(made(request("POST", "/v2/infer"))).status_code == 404
    assert asked == ["/v2/infer"]


def test_a_model_server_knows_whom_it_is_asked_for():
    made = object.__new__(ModelServer)
    names = []

    class Compared:
        def __contains__(self, name):
            names.append(name)
            return False

    class Service:
        @staticmethod
        def handle(*request):
            return 200, [], b""

    made._compared, made._service, made._counted = Compared(), Service, Counted()
    for target, body in (("/v2/models/a%20b/infer?x=1", b"{}"), ("/ml/models/predict", b'{"model_name":"c"}'),
                         ("/v2/models/d/versions/2/infer", b'{"model_name":"e"}'),
                         ("/ml/models/predict", b"[]")):
        assert made(("POST", target, [], body, "", True))[0] == 200
    assert names == ["a b", "c", "d", None]
    assert made._counted == [{"by": "copy"}] * 4


def test_who_dies_over_a_question_is_not_the_last_one_asked(monkeypatch):
    made, deaths = ingress(), [ray.exceptions.ActorDiedError(), ray.exceptions.ActorUnavailableError("", b"0" * 16)]

    class Dying:
        @staticmethod
        async def remote(asked):
            if deaths:
                raise deaths.pop()
            return 200, [], b"here"

    made._predictor = Dying
    assert asyncio.run(made(request("POST", "/ml/models/predict"))).body == b"here"
    deaths = [ray.exceptions.ActorDiedError()] * 100
    monkeypatch.setattr(serve, "OWNER_PATIENCE_S", .2)
    assert asyncio.run(made(request("POST", "/ml/models/predict"))).status_code == 503


def model_server(*champions):
    """A server of models, and what the actor of models is asked for."""
    import threading

    made = object.__new__(ModelServer)
    made._service = serve._engine.Service(serve.Engine(), models="copies")
    made._held, made._refused, made._compared, made._lock = {}, {}, set(), threading.Lock()
    made._counted = Counted()
    asked = []

    class Models:
        @staticmethod
        def call(method, held):
            asked.append(dict(held))
            return [(name, 1, sha256, b"" if held.get(name) == sha256 else file, False)
                    for name, sha256, file in champions]

    made._models = Models
    return made, asked


def test_a_champion_that_cannot_be_answered_takes_no_other_along(monkeypatch, capsys):
    import numpy as np

    import liminal

    columns = {"size": np.arange(90.), "left": ["yes" if place % 3 else "no" for place in range(90)]}
    good = liminal.train(columns, "left", features=["size"], name="good", fits_max=8).model.to_onnx()
    sha256 = {file: hashlib.sha256(file).hexdigest() for file in (good, b"no model")}
    champions = [["foreign", sha256[b"no model"], b"no model"], ["good", sha256[good], good]]
    made, asked = model_server(*champions)
    monkeypatch.setattr(serve.ray, "get", lambda told, timeout: told)
    for _ in range(2):
        made._look()
        wish = json.dumps({"model_name": "good", "features": {"size": 3}}).encode()
        answer = made(("POST", "/ml/models/predict", [(b"host", b"localhost"),
                                                      (b"content-type", b"application/json")], wish, "", True))
        assert answer[0] == 200, answer
    assert asked == [{}, {"foreign": sha256[b"no model"], "good": sha256[good]}], "sent once"
    assert capsys.readouterr().out.count("foreign: its champion is asked of the actor of models") == 1
    # Another one is tried again.
    champions[0][1:] = [sha256[good], good]
    made._look()
    wish = json.dumps({"model_name": "foreign", "features": {"size": 3}}).encode()
    assert made(("POST", "/ml/models/predict", [(b"host", b"localhost"),
                                                (b"content-type", b"application/json")], wish, "", True))[0] == 200
