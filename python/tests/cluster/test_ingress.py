"""What a replica of the ingress does by itself: no cluster is asked."""
import asyncio
import json

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
    return made


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

    made._compared, made._service = Compared(), Service
    for target, body in (("/v2/models/a%20b/infer?x=1", b"{}"), ("/ml/models/predict", b'{"model_name":"c"}'),
                         ("/v2/models/d/versions/2/infer", b'{"model_name":"e"}'),
                         ("/ml/models/predict", b"[]")):
        assert made(("POST", target, [], body, "", True))[0] == 200
    assert names == ["a b", "c", "d", None]
