import logging
import os
import pathlib
import random
import re
import secrets
import shutil
import signal
import socket
import tempfile
import types
import urllib.request

import pytest
from clients import ask, wait_for, wait_until_ready
from moto.server import ThreadedMotoServer

PROJECT = pathlib.Path(__file__).resolve().parents[3]
# Requests, of four clients with one under way each: what was at it, and what came until HAProxy knew.
REFUSED_BY_A_DEAD_REPLICA = 12


def pytest_collection_modifyitems(items) -> None:
    # Before there are users who flood, whose ways the others' are compared with.
    items.sort(key=lambda item: item.name != "test_every_answer_is_as_described")


def recipe(language: str) -> list[str]:
    """The blocks of docs/adding-a-model.md in a language."""
    text = (PROJECT / "docs/adding-a-model.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


_handed_out: set[int] = set()


def free_port() -> int:
    """Another one each time, below the ports that Serve gives its replicas (from 30,000) and those that the
    system hands out by itself: whoever starts meanwhile does not get it."""
    while True:
        port = random.randrange(20_000, 30_000)
        if port in _handed_out:
            continue
        with socket.socket() as one:
            try:
                one.bind(("", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


def haproxy_of_its_own(folder: str) -> dict[str, str]:
    """The environment of a cluster whose HAProxy shares no port and no file with another's."""
    return {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
    }


# Before Ray is imported, and for every process that it starts: nothing is reported, nothing is left behind
# at home, no port is anybody else's, a machine that is busy otherwise is given time, and one that is short of
# memory is not helped by ending whom the tests ask. HAProxy is looked for every second, as the scripts have it. A
# replica that goes stays reachable for 5 s, not 30, since nobody but HAProxy has to learn of it; a node that does
# not answer is looked for every second, not every third, and is given up after as many tries.
HAPROXY_FOLDER = tempfile.mkdtemp(prefix="lmh.", dir="/tmp")
os.environ.update({
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    "RAY_health_check_period_ms": "1000",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(200 * 2**20),
} | haproxy_of_its_own(HAPROXY_FOLDER))

ray = pytest.importorskip("ray")


def processes(command: str, environment: str = "") -> list[int]:
    """Processes of the clusters of these tests whose command begins so: nobody else's on this machine."""
    token, found = os.environ["RAY_AUTH_TOKEN"].encode(), []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(command.encode()):
                held = (process / "environ").read_bytes()
                if token in held and environment.encode() in held:
                    found.append(int(process.name))
        except OSError:
            continue
    return found


def kill_node(folder: pathlib.Path, name: str) -> None:
    """Kills a node of docker/ray-workers.sh with all that it runs; returns when the script sees it gone."""
    pid = int((folder / f"{name}.pid").read_text())
    os.killpg(pid, signal.SIGKILL)
    wait_for(f"the end of {name}", lambda: pid not in processes(""), 60)


def kill_haproxy(folder: str) -> int:
    """Kills those whose files are in a folder: how many."""
    killed = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"haproxy" in command.split(b"\0", 1)[0] and folder.encode() in command:
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
        except (FileNotFoundError, ProcessLookupError):
            continue
    return killed


def end_haproxy(folder: str) -> None:
    """Ends what Ray's shutdown leaves running, and takes its files away."""
    kill_haproxy(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def folder_of_haproxy():
    yield
    end_haproxy(HAPROXY_FOLDER)


class ObjectStore:
    """A server that speaks S3, with one bucket, in this process: it can be stopped and started."""

    ADDRESS = "s3://kept/of"

    def __init__(self):
        self.port = free_port()
        self._server = None
        self.start()
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/kept", method="PUT")):
            pass

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="session")
def object_store():
    there = ObjectStore()
    os.environ |= {"AWS_ENDPOINT_URL": there.endpoint, "AWS_ACCESS_KEY_ID": "somebody", "AWS_REGION": "us-east-1",
                   "AWS_SECRET_ACCESS_KEY": "of the test"}
    yield there
    there.stop()


@pytest.fixture(scope="package")
def cluster(object_store):
    """A real cluster of one node on this machine, whose actors may know an object store."""
    ray.init(num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1", namespace="liminal",
             log_to_driver=False, object_store_memory=200 * 2**20)
    yield ray
    ray.shutdown()  # takes everything along; Serve's own end would be waited for in vain


@pytest.fixture(scope="package")
def application(cluster, tmp_path_factory):
    """The application on it: where it answers, and its settings, which `deploy` changes."""
    from ray import serve

    settings: dict = {}
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deploy(settings, owners=2, replicas=2, folder=str(tmp_path_factory.mktemp("owners")), snapshot_s=1.0,
           patience_s=120.0)  # how long it took is told, not judged
    base = f"http://127.0.0.1:{port}"
    wait_until_ready(base)
    return base, settings


@pytest.fixture
def owner_of(tmp_path, monkeypatch):
    """Another incarnation of an owner each time, in this process. It saves itself when it is told to."""
    from liminal import _owner
    from liminal.serve import settings_of

    monkeypatch.setattr(_owner.Snapshots, "start", lambda self: None)

    def begin(**settings):
        return _owner.UserShards(0, settings_of({"folder": str(tmp_path), "owners": 1, "beat": False} | settings))

    return begin


class Memory(dict):
    def put(self, name, text):
        self[name] = text

    def put_first(self, name, text):
        return self.setdefault(name, text)

    def forget(self, name):
        self.pop(name, None)


@pytest.fixture
def node(monkeypatch):
    """An actor's, on a cluster of one node: what its memory has, and what is done whenever it waits a second."""
    from liminal import _beginning, _folder

    there = types.SimpleNamespace(memory=Memory(), waits=[], nodes=[{"Alive": True}], now=0.0, ended=[])

    def sleep(seconds):
        there.now += seconds
        there.waits.pop(0)()

    def end(status):
        there.ended.append(status)
        raise SystemExit(status)

    monkeypatch.setattr(_folder, "time", types.SimpleNamespace(monotonic=lambda: there.now, sleep=sleep))
    monkeypatch.setattr(_folder.ray, "nodes", lambda: there.nodes)
    monkeypatch.setattr(_folder.ray.util, "get_node_ip_address", lambda: "192.0.2.1")
    monkeypatch.setattr(_folder.os, "_exit", end)
    monkeypatch.setattr(_beginning, "memory_of", lambda settings: there.memory)
    return there


@pytest.fixture
def churn(cluster, application):
    """Has the model of docs/adding-a-model.md be champion, if it is not."""
    from liminal._actors import models_of

    base, settings = application
    there: dict = {}
    exec(recipe("python")[0], there)
    made = there["Churn"]()
    if made.definition not in settings["models"]:
        deploy(settings, models=[*settings["models"], made.definition])
    status, told = ask(base, "/ml/models/churn")
    assert status == 200, told
    if told["champion"] is None:
        file = made.train().model.to_onnx()
        version = cluster.get(models_of(settings["name"]).add.remote("churn", file), timeout=120)
        status, told = ask(base, "/ml/models/churn/load", {"version": version})
        assert status == 200, told


def deploy(settings: dict, **changed) -> None:
    """Deploys the application with these arguments, beside those that it has; returns when it runs."""
    from ray import serve

    from liminal.serve import app, settings_of

    settings.update(settings_of(settings | changed))
    serve.run(app(settings), name="liminal", blocking=False)

