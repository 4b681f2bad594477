"""A `liminal serve` and its API."""
import http.client
import json
import re
import signal
import subprocess
import sys

READY = re.compile(r"ready listen=(\S+) api=(\S+):(\d+)")


class Server:
    def __init__(self, program, folder, *flags):
        self.log = open(folder / "serve.log", "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data", str(folder / "data"),
             "--set", "api.requests_per_second=0", *flags],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.search(line)
        if not match:
            self.process.kill()
            sys.exit(f"the server did not start: {line!r}\n{(folder / 'serve.log').read_text()[-2000:]}")
        self.listen = match[1]
        self.address = (match[2], int(match[3]))
        self.connection = http.client.HTTPConnection(*self.address, timeout=60)

    def send(self, method, path, body=None, headers=None, kind="application/json"):
        """The answer and its bytes."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        headers = {**(headers or {}), **({"Content-Type": kind} if body is not None else {})}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def ask(self, method, path, body=None, status=200, **more):
        answer, text = self.send(method, path, body, **more)
        assert answer.status == status, f"{method} {path}: {answer.status} {text[:500]!r}"
        return json.loads(text) if text else None

    def points(self, source, metric):
        return self.ask("GET", f"/anomaly/series/{source}/{metric}")["points"]

    def end(self, how=signal.SIGTERM):
        self.connection.close()
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.log.close()
        assert how == signal.SIGKILL or code == 0, f"the server ended with {code}"
