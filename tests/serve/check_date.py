#!/usr/bin/env python3
"""Sets the date under a running server, an hour ahead and back again.

  check_date.py LIMINAL SHIM

Ahead, as after a sleep: the engine follows, honest times are taken.
Back, as after a date that was wrong: it stays ahead, says so, and honest times are taken all the same.
"""
import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time

from check_serve import Server, until

HOUR_S = 3600
CONFIGURATION = """
shards = 2
[log]
format = "json"
"""


def engine_time(server):
    metrics = server.ask("GET", "/metrics")[1]
    return float(re.search(r"^liminal_engine_time_seconds (\S+)", metrics, re.M)[1])


def judge(server, at):
    body = json.dumps({"source": "web", "metrics": [{"cpu": .5, "timestamp": at}]})
    answer, text = server.ask("POST", "/anomaly", body, Content_Type="application/json")
    assert answer.status == 200, text


def clock_check(server):
    answer, text = server.ask("GET", "/readyz?verbose")
    assert answer.status == 200, text
    return next(check for check in json.loads(text)["checks"] if check["name"] == "clock")


def main():
    program, shim = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="liminal-date-") as name:
        folder = pathlib.Path(name)
        offset = folder / "offset"
        with open(offset, "wb") as file:
            file.write(bytes(8))
        os.environ.update(LD_PRELOAD=shim, DATE_SHIM=str(offset))
        server = Server(program, folder, CONFIGURATION)
        del os.environ["LD_PRELOAD"]

        def set_date(ahead_s):
            with open(offset, "r+b") as file:
                file.write((ahead_s * 10**9).to_bytes(8, sys.byteorder, signed=True))

        try:
            assert abs(engine_time(server) - time.time()) < 2
            set_date(HOUR_S)
            until("the engine follows", lambda: abs(engine_time(server) - time.time() - HOUR_S) < 2)
            judge(server, time.time() + HOUR_S)
            [followed] = server.logged("clock.followed")
            assert abs(float(followed["s"]) - HOUR_S) < 2, followed
            assert not server.logged("clock.apart")
            set_date(0)
            [apart] = until("it is said", lambda: server.logged("clock.apart"))
            assert abs(float(apart["ahead_s"]) - HOUR_S) < 2, apart
            assert re.fullmatch(r"3[56]\d\d s ahead of the date", clock_check(server)["detail"]), clock_check(server)
            judge(server, time.time())
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) == 0
        finally:
            server.process.kill()
            server.process.wait()
    return 0


sys.exit(main())
