import os
import pathlib
import random
import re
import secrets
import shutil
import signal
import socket
import tempfile

import pytest


PROJECT = pathlib.Path(__file__).resolve().parents[3]


def recipe(language: str) -> list[str]:
    """The blocks of docs/adding-a-model.md in a language."""
    text = (PROJECT / "docs/adding-a-model.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def free_port() -> int:
    """Below the ports that the system hands out by itself: whoever starts meanwhile does not get it."""
    while True:
        with socket.socket() as one:
            try:
                one.bind(("", random.randrange(20_000, 32_000)))
                return one.getsockname()[1]
            except OSError:
                continue


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
# at home, no port is anybody else's, and a machine that is busy otherwise is given time.
_folder = tempfile.mkdtemp(prefix="lmh.", dir="/tmp")
os.environ.update({
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
} | haproxy_of_its_own(_folder))

ray = pytest.importorskip("ray")


def end_haproxy(folder: str) -> None:
    """Ends what Ray's shutdown leaves running, and takes its files away."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"haproxy" in command.split(b"\0", 1)[0] and folder.encode() in command:
                os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def folder_of_haproxy():
    yield
    end_haproxy(_folder)


@pytest.fixture(scope="package")
def cluster():
    """A real cluster of one node on this machine."""
    ray.init(num_cpus=4, include_dashboard=False, _node_ip_address="127.0.0.1", namespace="liminal",
             log_to_driver=False, object_store_memory=200 * 2**20)
    yield ray
    from ray import serve

    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="package")
def application(cluster, tmp_path_factory):
    """The application on it: where it answers, and its settings."""
    from ray import serve

    from liminal.serve import app, settings_of

    arguments = {"owners": 3, "replicas": 2, "folder": str(tmp_path_factory.mktemp("owners")),
                 "snapshot_s": 1.0, "models": re.findall(r"^    - (.*)$", recipe("yaml")[0], re.M)}
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(app(arguments), name="liminal", blocking=False)
    base = f"http://127.0.0.1:{port}"
    wait_until_ready(base)
    return base, settings_of(arguments)


def wait_until_ready(base: str, seconds: float = 120) -> None:
    import time
    import urllib.request

    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(base + "/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError as wrong:
            if time.monotonic() > until:
                raise AssertionError(f"not ready: {wrong}") from None
        time.sleep(.2)
