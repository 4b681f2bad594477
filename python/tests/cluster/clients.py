"""Who asks the application while the tests do something to it."""
import collections
import concurrent.futures
import functools
import http.client
import json
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

# Longer than the application has a request wait.
PATIENCE_S = 150


def wait_for(what: str, look: Callable[[], Any], seconds: float = PATIENCE_S, pause_s: float = .1,
             passing: tuple[type[Exception], ...] = ()) -> Any:
    """Looks until there is something, and gives it. Exceptions of the kinds `passing` are nothing yet."""
    until = time.monotonic() + seconds
    while True:
        try:
            if seen := look():
                return seen
        except passing as wrong:
            seen = wrong
        assert time.monotonic() < until, f"{what}: not in {seconds:.0f} s ({seen!r})"
        time.sleep(pause_s)


class Load:
    """Clients that send events, again when they are refused, until they are stopped; with keys unless told otherwise.

        with Load(base) as load:
            load.more(100)

    Each has one request under way, and pauses between two, so that what is begun meanwhile gets a processor.
    ``acknowledged`` counts events, ``failed`` requests; ``slowest_s`` is until a request was taken, repeated or not.
    """

    def __init__(self, base: str, clients: int = 4, events: int = 1, pause_s: float = .02, keys: bool = True):
        self.events = events  # of a request
        self.keys = keys
        self.pause_s = pause_s
        self.name = secrets.token_hex(4)  # of its keys
        self.port = urllib.parse.urlsplit(base).port
        self.stop = threading.Event()
        self.acknowledged = 0
        self.failed = collections.Counter()
        self.slowest_s = 0.0
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.futures = [self.pool.submit(self.client, n) for n in range(clients)]

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *wrong) -> None:
        self.stop.set()
        try:
            for future in self.futures:
                future.result(timeout=2 * PATIENCE_S)
        finally:
            self.pool.shutdown()

    def client(self, number: int) -> None:
        sent = 0
        while not self.stop.is_set():
            sent += 1
            lines = "\n".join(json.dumps({"user_id": f"load-{number}-{(sent * self.events + i) % 50}",
                                          "kind": "message", "message_size": 10})
                              for i in range(self.events))
            key = f"{self.name}-{number}-{sent}"
            begin = time.monotonic()
            wait_for("a request is taken", lambda: self.send(lines, key), pause_s=.05)
            with self.lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.stop.wait(self.pause_s)

    def send(self, lines: str, key: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            headers = {"Content-Type": "application/x-ndjson"} | ({"Idempotency-Key": key} if self.keys else {})
            connection.request("POST", "/ml/events", lines, headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                with self.lock:
                    self.failed[answer.status] += 1
                return False
            assert json.loads(body)["accepted"] == self.events, body
            with self.lock:
                self.acknowledged += self.events
            return True
        except (OSError, http.client.HTTPException) as wrong:
            with self.lock:
                self.failed[type(wrong).__name__] += 1
            return False
        finally:
            connection.close()

    def more(self, events: int) -> None:
        """Waits until so many more events are acknowledged."""
        wanted = self.acknowledged + events
        wait_for(f"{events} more events", lambda: self.acknowledged >= wanted, pause_s=.05)

    def __str__(self) -> str:
        return (f"{self.acknowledged} acknowledged, {dict(self.failed)} refused and repeated, "
                f"slowest {self.slowest_s:.1f} s")


def about(cluster, settings):
    from liminal._actors import owners_of

    return wait_for("what owners say", lambda: cluster.get(
        [one.about.remote() for one in owners_of(settings)], timeout=20),
        60, passing=(cluster.exceptions.RayError, ValueError))


def wait_until_ready(base: str, seconds: float = 180) -> None:
    def ready() -> bool:
        with urllib.request.urlopen(base + "/readyz", timeout=5) as answer:
            return answer.status == 200

    wait_for("ready", ready, seconds, passing=(OSError, http.client.HTTPException))


def wait_for_job(base: str, job: int) -> dict:
    """Until it has ended: how."""

    def ended() -> dict | None:
        told = ask(base, f"/ml/jobs/{job}")[1]
        return None if told["state"] in ("queued", "running") else told

    return wait_for(f"the end of job {job}", ended, 300)


@functools.cache
def router() -> Any:
    from liminal import _engine
    from liminal.engine import Engine

    return _engine.Service(Engine())


def routed(lines: list[dict], owners: int = 1) -> list[bytes]:
    """Events as the ingress gives them to owners, for each its own."""
    (status, _, said), batches = router().route_events(
        "POST", "/ml/events", [(b"host", b"localhost"), (b"content-type", b"application/x-ndjson")],
        "\n".join(map(json.dumps, lines)).encode(), "", True, owners)
    assert status == 200, said
    return batches


def get(base: str, path: str) -> dict:
    with urllib.request.urlopen(base + path, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def ask(base: str, path: str, body=None, method: str | None = None) -> tuple[int, dict]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
