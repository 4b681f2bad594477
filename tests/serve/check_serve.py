#!/usr/bin/env python3
"""Operates a server: starts a second one in its place, breaks its configuration, moves its
upstreams, asks as a stranger.

  check_serve.py LIMINAL
"""
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60
CONFIGURATION = """
shards = 2
[api]
hosts = ["liminal.internal"]
[log]
format = "json"
[engine]
buffer_size = 7
"""


class Server:
    def __init__(self, program, folder, configuration=CONFIGURATION, *flags):
        self.program, self.file = program, folder / "liminal.toml"
        self.file.write_text(configuration)
        self.log = folder / "log.txt"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--config", str(self.file), "--listen", "127.0.0.1:0", "--api",
                 "127.0.0.1:0", "--data", str(folder / "data"), *flags],
                stdout=subprocess.PIPE, stderr=log, text=True)
        ready = self.process.stdout.readline()
        self.listen, self.api = re.match(r"ready listen=(\S+) api=(\S+)", ready).groups()

    def ask(self, method, path, body=None, **headers):
        host, port = self.api.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        connection.request(method, path, body,
                           {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def status(self):
        return json.loads(self.ask("GET", "/ml/status")[1])

    def reload(self, configuration, event="reload.done"):
        """Gives what the log says of it, once it does."""
        before = len(self.logged(event))
        self.file.write_text(configuration)
        self.process.send_signal(signal.SIGHUP)
        return until(event, lambda: self.logged(event)[before:])

    def logged(self, event):
        whole = self.log.read_text().split("\n")[:-1]  # the last line may still be written
        return [line for line in map(json.loads, whole) if line["event"] == event]


def until(what, condition):
    give_up = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < give_up, f"not within {PATIENCE_S} s: {what}"
        time.sleep(.05)
    return found


def a_second_server_fails(program, server, folder):
    second = subprocess.run(
        [program, "serve", "--listen", server.listen, "--api", "127.0.0.1:0", "--shards", "2",
         "--data", str(folder / "second")], capture_output=True, text=True, timeout=PATIENCE_S)
    assert second.returncode == 1, second
    assert "ready" not in second.stdout, second.stdout
    assert f"liminal: listen: {server.listen}: Address already in use" in second.stderr, second


def a_broken_configuration_is_told_in_the_log(server):
    [broken] = server.reload(CONFIGURATION + "[[detect.rules]]\ntype = 'mesage_flood'\n[log]\n", "reload.failed")
    assert broken["level"] == "ERROR" and "liminal.toml" in broken["where"], broken
    [failed] = server.reload(CONFIGURATION + "horison = '1 s'\n", "reload.failed")
    assert failed["key"] == "engine.horison", failed
    assert failed["error"] == "is not known; did you mean engine.horizon?", failed
    server.reload(CONFIGURATION)


def a_reload_that_cannot_read_a_token_changes_nothing(server):
    empty = server.file.parent / "empty"
    empty.write_text("\n")
    for failures, token in ((3, "/nowhere/token"), (4, str(empty))):
        done = len(server.logged("reload.done"))
        [problem] = server.reload(CONFIGURATION.replace("[api]", f'[api]\ntoken_file = "{token}"')
                                  .replace("shards = 2", 'shards = 2\nmode = "enforce"'), "reload.failed")
        assert token in problem["error"], problem
        checked = subprocess.run([server.program, "check-config", "--config", str(server.file)],
                                 capture_output=True, text=True, timeout=PATIENCE_S)
        assert checked.returncode == 2 and token in checked.stderr, checked
        assert server.status()["mode"] == "shadow", server.status()
        assert f'liminal_config_reloads_total{{result="failed"}} {failures}' in server.ask("GET", "/metrics")[1]
        assert len(server.logged("reload.done")) == done, server.logged("reload.done")


def a_reload_names_each_file_that_cannot_be_read_once(server):
    before = len(server.logged("reload.failed"))
    server.reload(CONFIGURATION.replace("[api]", '[identity]\njwt_algorithm = "ES256"\njwt_key_file = "/nowhere/key"\n'
                                        '[api]\ntoken_file = "/nowhere/token"'), "reload.failed")
    server.reload(CONFIGURATION)
    failed = [problem["key"] for problem in server.logged("reload.failed")[before:]]
    assert failed == ["identity.jwt_key_file", "api.token_file"], failed


def a_reload_warns_of_files_that_only_a_start_reads(server):
    done = len(server.logged("reload.done"))
    [warned] = server.reload(CONFIGURATION + "[[scaling.actors]]\nservice = 'hook'\nurl = 'http://127.0.0.1:1'\n"
                             "token_file = '/nowhere/token'\n", "reload.restart_would_fail")
    assert warned["level"] == "WARNING" and warned["key"] == "scaling.actors[0].token_file", warned
    until("reload.done", lambda: server.logged("reload.done")[done:])
    server.reload(CONFIGURATION)


def check_config_names_every_file_that_a_start_would_stop_at(program, folder):
    file, nonsense = folder / "files.toml", folder / "nonsense"
    nonsense.write_text("nonsense")

    def run(command, certificate, token):
        file.write_text(CONFIGURATION + f'[scaling]\ngrpc = "127.0.0.1:0"\ngrpc_certificate = "{certificate}"\n'
                        f'grpc_key = "{nonsense}"\n[[scaling.actors]]\nservice = "hook"\n'
                        f'url = "http://127.0.0.1:1"\ntoken_file = "{token}"\n')
        flags = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data", str(folder / "files")]
        ended = subprocess.run([program, command, "--config", str(file), *(flags if command == "serve" else [])],
                               capture_output=True, text=True, timeout=PATIENCE_S)
        return ended.returncode, ended.stderr

    code, words = run("check-config", "/nowhere/certificate", "/nowhere/token")
    assert code == 2, words
    assert 'liminal: scaling.grpc_certificate: "/nowhere/certificate" cannot be read' in words, words
    assert 'liminal: scaling.actors[0].token_file: "/nowhere/token" cannot be read' in words, words
    for command in "check-config", "serve":
        code, words = run(command, nonsense, nonsense)
        assert code == 2 and "liminal: scaling.grpc_certificate: " in words, words
        assert "token_file" not in words, words


def a_start_refuses_what_check_config_does(program, folder):
    for flags, key in ((["--upstream", "ws://h:9000/path"], "upstreams"),
                       (["--set", "identity.jwt_secret=short"], "identity.jwt_secret"),
                       (["--listen", "127.0.0.1:9", "--api", "127.0.0.1:9"], "api.address")):
        said = []
        for command in "check-config", "serve":
            ended = subprocess.run([program, command, "--data", str(folder / "refused"), *flags],
                                   capture_output=True, text=True, timeout=PATIENCE_S)
            assert ended.returncode == 2 and f"{key}: " in ended.stderr, ended
            said.append(ended.stderr)
        assert said[0] == said[1], said
    assert not (folder / "refused").exists()


class Client:
    """A WebSocket whose request was answered with `status`."""

    def __init__(self, address, status=101):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.socket.recv(1)
        assert self.head.startswith(b"HTTP/1.1 %d " % status), self.head

    def close_code(self):
        """That of the close frame, which comes first."""
        frame = b""
        while len(frame) < 4:
            frame += self.socket.recv(4 - len(frame))
        assert frame[0] == 0x88, frame
        return int.from_bytes(frame[2:4], "big")


def upstreams_come_by_name_and_go_when_they_are_empty(program, server, folder):
    (folder / "behind").mkdir()
    behind = Server(program, folder / "behind")
    try:
        # No name server needs to be asked about a label of 70 bytes.
        url, unknown = f"ws://{behind.listen}", f"ws://{'x' * 70}:80"

        def with_upstreams(*urls, more=""):
            return CONFIGURATION.replace("shards = 2", f"shards = 2\nupstreams = {list(urls)}") + more

        server.reload(with_upstreams(url, unknown))
        assert [(one["url"], one["up"]) for one in server.status()["upstreams"]] == [
            (url, True), (unknown, False)], server.status()
        [told] = [line for line in server.logged("upstream.unresolved") if line["upstream"] == unknown][:1]
        assert told["level"] == "ERROR", told
        client = Client(server.listen)
        server.reload(CONFIGURATION)
        assert server.status()["upstreams"] == [
            {"url": url, "up": False, "connections": 1, "draining": True}], server.status()
        metrics = server.ask("GET", "/metrics")[1]
        for line in (f'websocket_upstream_draining{{upstream="{url}"}} 1',
                     f'websocket_upstream_connections{{upstream="{url}"}} 1'):
            assert line in metrics, line
        assert f'websocket_upstream_up{{upstream="{url}"}}' not in metrics
        server.reload(CONFIGURATION + '[gateway]\ndrain_timeout = "100 ms"\n')
        assert client.close_code() == 1001
        until("nothing is left of it", lambda: not server.status()["upstreams"])
        server.reload(with_upstreams("ws://127.0.0.1:9"))  # nobody is at the discard port
        Client(server.listen, 502)
        assert 'liminal_events_total{kind="not_served"} 1' in server.ask("GET", "/metrics")[1]
        server.reload(CONFIGURATION)
        checked = subprocess.run([program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data",
                                  str(folder / "none"), "--upstream", unknown],
                                 capture_output=True, text=True, timeout=PATIENCE_S)
        assert checked.returncode == 1 and f'"{unknown}" cannot be used' in checked.stderr, checked
    finally:
        behind.process.send_signal(signal.SIGTERM)
        assert behind.process.wait(timeout=PATIENCE_S) == 0


def limits_that_were_put_hold_and_say_so(server):
    def policies(method="GET", body=None):
        answer, text = server.ask(method, "/ml/limits", body, Content_Type="application/json")
        assert answer.status == 200, text
        return json.loads(text)["policies"]

    first = policies()
    put = json.loads(json.dumps(first))
    put["user"]["messages"]["burst"] = 7
    assert policies("PUT", json.dumps({"policies": put})) == put
    server.reload(CONFIGURATION.replace("shards = 2", 'shards = 2\nmode = "enforce"')
                  + "[limits]\nallow_users = ['vip']\n[limits.user.messages]\nper_second = 1\nburst = 2\n")
    assert policies() == {**put, "mode": "enforce"}, policies()
    assert server.status()["mode"] == "enforce"
    [kept] = server.logged("limits.kept")
    assert kept["level"] == "WARNING" and "DELETE /ml/limits" in kept["why"], kept
    until("the audit entry", lambda: [
        one for one in json.loads(server.ask("GET", "/ml/audit?limit=100")[1])["entries"]
        if one["action"] == "reload" and 'mode: "shadow" -> "enforce"' in one["detail"]])

    def violations(user):
        lines = f'{{"user_id":"{user}","kind":"message"}}\n' * 100
        answer, text = server.ask("POST", "/ml/events", lines, Content_Type="application/x-ndjson")
        assert answer.status == 200, text
        return until("the user", lambda: [
            one["rate_limit_violations"] for one in
            json.loads(server.ask("GET", "/ml/users")[1])["users"] if one["user_id"] == user])[0]

    assert violations("vip") == 0 and violations("guest") > 50
    # Told of, not let in: nothing was enforced.
    assert not re.search(r"^websocket_rate_limit_total.* [1-9]", server.ask("GET", "/metrics")[1],
                         re.M)
    assert "guest" not in server.ask("GET", "/ml/audit?limit=1000")[1]
    configured = policies("DELETE")
    assert configured["user"]["messages"] == {"per_second": 1, "burst": 2, "mode": None}, configured
    server.reload(CONFIGURATION)
    assert policies() == first and len(server.logged("limits.kept")) == 1


def a_strangers_name_is_not_served(server):
    for host, expected in (("evil.example", 403), ("liminal.internal:8000", 200), (server.api, 200)):
        answer, text = server.ask("GET", "/ml/status", Host=host)
        assert answer.status == expected, f"{host}: {answer.status} {text}"


def early_answers_carry_an_id_and_packed_bodies_are_refused(server):
    answer, text = server.ask("POST", "/ml/events", "x", X_Request_Id="mine",
                              Content_Length=str(1 << 30))
    assert (answer.status, answer.headers["X-Request-Id"]) == (413, "mine"), text
    answer, text = server.ask("POST", "/ml/events", b"\x1f\x8b", Content_Encoding="gzip")
    assert answer.status == 415, text


def the_rate_is_that_of_the_last_seconds(server):
    lines = "".join('{"user_id":"eve","kind":"message"}\n' for _ in range(2_000))

    def rate():
        return server.status()["traffic"]["events_per_second"]

    # Again and again: on a busy machine the seconds of one batch may pass unseen.
    until("a rate", lambda: server.ask("POST", "/ml/events", lines, Content_Type="application/x-ndjson")
          and rate() > 0)
    until("quiet", lambda: rate() == 0)
    assert server.status()["traffic"]["events_total"] >= 2_000
    assert server.status()["feature_extractor"]["buffer_size"] == 7, server.status()


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(program, folder)
        try:
            a_second_server_fails(program, server, folder)
            a_broken_configuration_is_told_in_the_log(server)
            a_reload_that_cannot_read_a_token_changes_nothing(server)
            a_reload_names_each_file_that_cannot_be_read_once(server)
            a_reload_warns_of_files_that_only_a_start_reads(server)
            check_config_names_every_file_that_a_start_would_stop_at(program, folder)
            a_start_refuses_what_check_config_does(program, folder)
            upstreams_come_by_name_and_go_when_they_are_empty(program, server, folder)
            limits_that_were_put_hold_and_say_so(server)
            a_strangers_name_is_not_served(server)
            early_answers_carry_an_id_and_packed_bodies_are_refused(server)
            the_rate_is_that_of_the_last_seconds(server)
        finally:
            server.process.send_signal(signal.SIGTERM)
            code = server.process.wait(timeout=PATIENCE_S)
        assert code == 0, code
    print("ok")


if __name__ == "__main__":
    main()
