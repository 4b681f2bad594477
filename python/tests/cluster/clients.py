"""Who asks the application while the tests do something to it."""
import collections
import concurrent.futures
import http.client
import json
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


# Longer than the application has a request wait.
PATIENCE_S = 150


class Load:
    """Clients that send events with keys, again when they are refused, until they are stopped.

    Each has one request under way, and pauses between two, so that what is begun meanwhile gets a processor.
    ``acknowledged`` counts events, ``failed`` requests.
    """

    def __init__(self, base: str, clients: int = 4, events: int = 1, pause_s: float = .02):
        self.events = events  # of a request
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

    def client(self, number: int) -> None:
        sent = 0
        while not self.stop.is_set():
            sent += 1
            lines = "\n".join(json.dumps({"user_id": f"load-{number}-{(sent * self.events + i) % 50}",
                                          "kind": "message", "message_size": 10})
                              for i in range(self.events))
            key = f"{self.name}-{number}-{sent}"
            begin = time.monotonic()
            while not self.send(lines, key):
                assert time.monotonic() - begin < PATIENCE_S, f"a request was refused for {PATIENCE_S} s"
                time.sleep(.05)
            with self.lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.stop.wait(self.pause_s)

    def send(self, lines: str, key: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/ml/events", lines, {
                "Content-Type": "application/x-ndjson", "Idempotency-Key": key})
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
        wanted, until = self.acknowledged + events, time.monotonic() + PATIENCE_S
        while self.acknowledged < wanted:
            assert time.monotonic() < until, (wanted, self.acknowledged, self.failed)
            time.sleep(.05)

    def end(self) -> None:
        self.stop.set()
        for future in self.futures:
            future.result(timeout=2 * PATIENCE_S)
        self.pool.shutdown()


def about(cluster, settings):
    from liminal._actors import owners_of

    until = time.monotonic() + 60
    while True:
        try:
            return cluster.get([owner.about.remote() for owner in owners_of(settings)], timeout=20)
        except (cluster.exceptions.RayError, ValueError):
            assert time.monotonic() < until
            time.sleep(.2)


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
