"""What a replica of the ingress does by itself: no cluster is asked."""
import asyncio
import hashlib
import json
import threading
import types

import pytest
import ray
from conftest import PROJECT
from starlette.requests import Request

from liminal import _owner, serve

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
    made._counted, made._patience_s = Counted(), 20
    made._settings = serve.settings_of({"token": ""})
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


def test_a_large_body_of_events_does_not_hold_up_small_ones():
    made, large, small = ingress(), threading.Event(), threading.Event()

    class Bulk:
        @staticmethod
        def route_events(*asked):
            large.set()
            assert small.wait(60), "a small one was behind it"
            return (200, [], b"large"), []

    made._bulk, made._owners = Bulk, [None]

    def posted(body):
        return "POST", "/ml/events", [(b"host", b"localhost"), (b"content-type", b"application/json")], body, "", True

    async def both():
        behind = asyncio.create_task(made._answer(posted(b" " * 100_000)))
        while not large.is_set():
            await asyncio.sleep(.001)
        assert (await made._answer(posted(b"{")))[0] == 400
        small.set()
        return await behind

    assert asyncio.run(both())[2] == b"large"


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


def test_who_dies_over_a_question_is_not_the_last_one_asked():
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
    made._patience_s = .2
    assert asyncio.run(made(request("POST", "/ml/models/predict"))).status_code == 503


@pytest.fixture
def model_server(tmp_path, monkeypatch):
    """A server of models by its champions (model, version, file), and what the actor of models is asked for."""
    monkeypatch.setattr(serve.ray, "get", lambda told, timeout=None: told)
    return lambda *champions: made_model_server(tmp_path, champions)


def made_model_server(folder, champions):
    made = object.__new__(ModelServer)
    made._service = serve._engine.Service(serve.Engine(), models="copies")
    made._held, made._refused, made._compared, made._lock = {}, {}, set(), threading.Lock()
    made._counted, made._patience_s = Counted(), 20
    keeper = object.__new__(_owner.Models)
    keeper._folder = folder
    keeper._service = types.SimpleNamespace(
        champions=lambda: [(name, version, sha256_of(file)) for name, version, file in champions],
        compares=lambda name: False)
    asked = []

    class Models:
        @staticmethod
        def call(method, *arguments):
            asked.append(arguments[0])
            if method == "ask":
                return 200, [], b"by the models"
            (folder / "models").mkdir(exist_ok=True)
            for name, version, file in champions:
                (folder / "models" / f"{name}-{version}.onnx").write_bytes(file)
            return keeper.champions(*arguments)

    made._models = Models
    return made, asked


def sha256_of(file):
    return hashlib.sha256(file).hexdigest()


@pytest.fixture(scope="module")
def good():
    """A file that answers."""
    import numpy as np

    import liminal

    columns = {"size": np.arange(90.), "left": ["yes" if place % 3 else "no" for place in range(90)]}
    return liminal.train(columns, "left", features=["size"], name="good", fits_max=8).model.to_onnx()


def predicted(made, name, **more):
    wish = json.dumps({"model_name": name, "features": {"size": 3}} | more).encode()
    return made(("POST", "/ml/models/predict", [(b"host", b"localhost"), (b"content-type", b"application/json")],
                 wish, "", True))


def test_a_champion_that_cannot_be_answered_takes_no_other_along(model_server, good, capsys):
    champions = [["foreign", 1, b"no model"], ["good", 1, good]]
    made, asked = model_server(*champions)
    for _ in range(2):
        made._look()
        answer = predicted(made, "good")
        assert answer[0] == 200, answer
    assert asked == [{}, {"foreign": (1, sha256_of(b"no model")), "good": (1, sha256_of(good))}], "sent once"
    assert capsys.readouterr().out.count("foreign: its champion is asked of the actor of models") == 1
    # Another one is tried again.
    champions[0][1:] = [2, good]
    made._look()
    assert predicted(made, "foreign")[0] == 200
    assert made._counted == [{"by": "copy"}] * 3


def test_the_same_file_as_another_version_is_answered_here(model_server, good, capsys):
    champions = [["good", 4, good]]
    made, _ = model_server(*champions)
    made._look()
    champions[0][1] = 5
    for _ in range(2):
        made._look()
        assert json.loads(predicted(made, "good")[2])["version"] == 5
    assert made._counted == [{"by": "copy"}] * 2 and not capsys.readouterr().out


LIBRARY = PROJECT / "build/lib/libonnxruntime.so"


def test_a_champion_of_others_is_computed_by_the_library_that_is_named(tmp_path, monkeypatch):
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not there (tools/install)")
    monkeypatch.syspath_prepend(str(PROJECT / "tests/models"))
    import onnx_file

    keeper = serve._engine.Service(serve.Engine(), folder=str(tmp_path), models="apart", onnxruntime=str(LIBRARY))
    version = keeper.add_model("anomaly_detection", onnx_file.network([.2, 0, 0, 0], -8))
    file = (tmp_path / "models" / f"anomaly_detection-{version}.onnx").read_bytes()
    server = serve._engine.Service(serve.Engine(), models="copies", onnxruntime=str(LIBRARY), threads=2)
    assert server.take_copies([("anomaly_detection", version, sha256_of(file), file)]) == []
    row = dict.fromkeys(("messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"), 0)
    status, _, body = server.handle(
        "POST", "/ml/models/predict", [(b"host", b"localhost"), (b"content-type", b"application/json")],
        json.dumps({"model_name": "anomaly_detection", "features": row | {"messages_per_minute": 60}}).encode(),
        "", True)
    assert status == 200 and json.loads(body)["prediction"] == pytest.approx(1 / (1 + 2.718281828 ** -4), abs=1e-5)


def test_what_models_of_others_cannot_be_computed_with_is_told_at_once():
    def copies(**given):
        return serve._engine.Service(serve.Engine(), models="copies", **given)

    with pytest.raises(RuntimeError, match="/nowhere/lib.so"):
        copies(onnxruntime="/nowhere/lib.so", required=True)
    for wrong, named in (({"provider": "gpu"}, "provider: must be cpu, cuda or tensorrt"), ({"threads": 0}, "threads")):
        with pytest.raises(ValueError, match=named):
            copies(**wrong)
        with pytest.raises(ValueError, match=named):
            serve.settings_of(wrong)
    if LIBRARY.exists():
        with pytest.raises(RuntimeError, match="does not offer cuda, only: cpu"):
            copies(onnxruntime=str(LIBRARY), provider="cuda", required=True)


def test_the_library_is_that_of_the_python_package_unless_another_is_named(tmp_path, monkeypatch):
    held = tmp_path / "onnxruntime/capi/libonnxruntime.so.1.24.4"
    held.parent.mkdir(parents=True)
    held.touch()  # of no use
    (tmp_path / "onnxruntime/__init__.py").touch()
    assert _owner.onnxruntime_of({"onnxruntime": "/a/file.so"}) == "/a/file.so"
    monkeypatch.syspath_prepend(str(tmp_path))
    assert _owner.onnxruntime_of({"onnxruntime": ""}) == str(held)
    # Nobody asked for it: replicas begin without.
    settings = serve.settings_of({})
    assert not _owner.names_onnxruntime(settings)
    serve._engine.Service(serve.Engine(), models="copies", onnxruntime=_owner.onnxruntime_of(settings))
    assert _owner.names_onnxruntime(settings | {"onnxruntime": "/a/file.so"})
    assert _owner.names_onnxruntime(settings | {"provider": "cuda"})


def test_strangers_are_not_answered_without_a_token():
    for token, host in (("s3cret", "0.0.0.0"), ("", "127.0.0.1"), ("", "::1"), ("", "localhost")):
        serve.refuse_strangers(token, host)
    for host in ("0.0.0.0", "::", "192.0.2.1", None):
        with pytest.raises(ValueError, match="token: is needed"):
            serve.refuse_strangers("", host)


def test_what_is_for_batches_is_asked_of_the_actor_of_models(model_server, good):
    made, _ = model_server(["good", 1, good])
    made._look()
    assert predicted(made, "good", batch=True)[2] == b"by the models"
    assert predicted(made, "good", batch=False)[0] == 200
    assert made._counted == [{"by": "models"}, {"by": "copy"}]
