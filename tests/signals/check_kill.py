#!/usr/bin/env python3
"""What was learnt of system signals survives SIGKILL, within its stated loss.

  check_kill.py LIMINAL [KILLS]

Metrics, a service's load and judged alerts are told; when their files have been written (every five
seconds), more is told and the server is killed at once. After the next start

  - what was told of a series and of a service (settings, limits) is there, also what was
    acknowledged in the last moment,
  - a series goes on: it is judged, not learnt anew, what was ordinary still is and a jump alarms; it
    has all points that were told before its file was written,
  - so does a service: it is advised, not monitored, with its history,
  - every judgement of an alert that was acknowledged counts for the ranking, those of the last moment
    too, none twice.

Then it is killed KILLS times (5) at random moments while rows, loads and settings are told: each start has the
settings that were acknowledged last, or that were on their way, and no fewer points of a series than the start
before.
"""
import http.client
import json
import pathlib
import random
import re
import signal
import sys
import tempfile
import threading
import time

from server import Server

BEGIN = int(time.time()) - 6 * 3600
USAGE = {"request_rate": 110, "cpu_avg": .55}
SAVED_WITHIN_S = 60  # five on a machine that is not busy


def rows(first, count):
    return [{"cpu": .3 + .01 * (i * 7 % 20), "timestamp": BEGIN + i} for i in range(first, first + count)]


def load(minutes, until):
    return [{"timestamp": until - 60 * (minutes - i), "request_rate": 100 + i % 30, "cpu_avg": .5 + .004 * (i % 30),
             "replicas": 2} for i in range(minutes)]


def flood(server, users):
    now = time.time()
    lines = [json.dumps({"user_id": user, "kind": "message", "message_size": 40, "timestamp": now, "error": bool(i % 2),
                         "ip_address": f"10.0.0.{n}"})
             for n, user in enumerate(users) for i in range(200)]
    server.ask("POST", "/ml/events", "\n".join(lines) + "\n", kind="application/x-ndjson")


def alerts(server, users):
    """One alert a user."""
    end = time.monotonic() + 30
    while True:
        found = {a["user_id"]: a["id"] for a in
                 server.ask("GET", "/ml/anomalies/recent?limit=1000&min_severity=low")["alerts"]}
        if all(user in found for user in users):
            return [found[user] for user in users]
        assert time.monotonic() < end, f"alerts of {sorted(found)} only"
        time.sleep(.05)


def judge(server, ids):
    """Every other one is true."""
    for i, id_ in enumerate(ids):
        say(server, id_, "expected" if i % 2 else "true_positive")


def say(server, id_, verdict):
    server.ask("POST", f"/ml/anomalies/{id_}/feedback", {"verdict": verdict})


def judged(server):
    """How many alerts the ranking knows that were true, and that were not."""
    detail = server.ask("POST", "/ml/models/train", {"model_name": "salience_ranking", "data_source": "store"},
                        status=409)["detail"]
    return tuple(map(int, re.search(r"(\d+) anomalous and (\d+) ordinary", detail).groups()))


def wait_until_saved(server, data, since):
    """Until all that is kept was written after that; something changes meanwhile, or nothing would be."""
    end = time.monotonic() + SAVED_WITHIN_S
    while True:
        server.ask("POST", "/anomaly", {"source": "mark", "metrics": [{"a": 1}]})
        server.ask("POST", "/scaling", {"service": "shop", "usage_patterns": USAGE, "current_replicas": 2})
        files = [data / "anomaly.snapshot", data / "salience.snapshot",
                 *(file for file in data.glob("scaling/*.service") if b"shop" in file.read_bytes())]
        if len(files) == 3 and all(file.exists() and file.stat().st_mtime > since for file in files):
            return
        assert time.monotonic() < end, f"one of {files} was not written"
        time.sleep(.1)


def tell_until_it_ends(server, told):
    """Settings of one series and of one service, larger with each round, beside rows and loads. `told`: what was
    acknowledged last, and what was sent last."""
    try:
        for i in range(10_000):
            told["sent"] = told["kept"] + 1
            server.ask("PUT", "/anomaly/series/web/cpu", {"min": 0, "max": told["sent"]})
            server.ask("PUT", "/scaling/shop", {"replicas_max": 1000 + told["sent"]})
            told["kept"] = told["sent"]
            server.ask("POST", "/anomaly", {"source": "web", "metrics": [{"cpu": .4}] * 3})
            server.ask("POST", "/scaling", {"service": "shop", "usage_patterns": USAGE, "current_replicas": 2})
    except (OSError, http.client.HTTPException):  # it was killed
        told["rounds"] += i
    except AssertionError as wrong:
        told["wrong"] = wrong


def kill_at_random(program, folder, kills):
    """What was told, and the longest start in seconds."""
    told, points, longest = {"kept": 0, "sent": 0, "rounds": 0}, 0, 0.
    for number in range(kills + 1):
        begun = time.monotonic()
        server = Server(program, folder)
        longest = max(longest, time.monotonic() - begun)
        if number:
            series = server.ask("GET", "/anomaly/series/web/cpu")
            service = server.ask("GET", "/scaling/shop")["settings"]
            for name, found in (("series", series["max"]), ("service", service["replicas_max"] - 1000)):
                assert told["kept"] <= found <= told["sent"] or not told["kept"], (number, name, found, told)
            assert series["points"] >= points, (number, series["points"], points)
            points = series["points"]
            told["kept"] = told["sent"]
        if number < kills:
            telling = threading.Thread(target=tell_until_it_ends, args=(server, told))
            telling.start()
            time.sleep(random.uniform(.02, 1.2))
            server.process.kill()
            telling.join()
            server.end(signal.SIGKILL)
            assert "wrong" not in told, told
        else:
            server.end()
    return told, longest


def main():
    program = sys.argv[1]
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(prefix="liminal-signals-kill-") as name:
        folder = pathlib.Path(name)
        data = folder / "data"
        server = Server(program, folder)
        assert judged(server) == (0, 0)
        server.ask("POST", "/anomaly", {"source": "web", "metrics": rows(0, 3000)})
        before = server.ask("POST", "/scaling", {"service": "shop", "history": load(300, int(time.time())),
                                                 "usage_patterns": USAGE,
                                                 "current_replicas": 2})["predictions"]
        assert before["action"] != "monitor", before
        users = [f"user-{i}" for i in range(8)]
        flood(server, users)
        told = alerts(server, users)
        judge(server, told[:4])
        assert judged(server) == (2, 2)
        # What was begun before all was told has ended by then.
        wait_until_saved(server, data, time.time() + 1)

        server.ask("PUT", "/anomaly/series/web/cpu", {"min": 0, "max": 1, "upper_limit": .9}, status=201)
        server.ask("PUT", "/scaling/shop", {"replicas_min": 2})
        server.ask("POST", "/anomaly", {"source": "web", "metrics": rows(3000, 10)})
        judge(server, told[4:])
        say(server, told[0], "expected")
        assert judged(server) == (3, 5), judged(server)
        server.end(signal.SIGKILL)

        server = Server(program, folder)
        series = server.ask("GET", "/anomaly/series/web/cpu")
        assert 3000 <= series["points"] <= 3010, series
        assert (series["min"], series["max"], series["upper_limit"]) == (0, 1, .9), series
        scored = server.ask("POST", "/anomaly", {"source": "web", "metrics": [*rows(3010, 20), {"cpu": .99, "timestamp": BEGIN + 3030}]})
        states = [row["state"] for row in scored["anomalies"]]
        assert set(states[:-1]) == {"normal"} and scored["anomalies"][-1]["is_anomaly"], states
        after = server.ask("POST", "/scaling", {"service": "shop", "usage_patterns": USAGE,
                                                "current_replicas": 2})["predictions"]
        assert after["action"] == before["action"], (before, after)
        service = server.ask("GET", "/scaling/shop")
        assert service["settings"]["replicas_min"] == 2, service
        assert judged(server) == (3, 5), "acknowledged judgements are lost, or count twice"
        server.end()
        server = Server(program, folder)
        assert judged(server) == (3, 5)
        server.end()
        told, longest = kill_at_random(program, folder, kills)
        assert told["rounds"] > kills, "nothing was told"
    print(f"series, service and judgements came back; of {kills} kills at random moments amid {told['rounds']} rounds, "
          f"too, ready within {longest:.2f} s")


main()
