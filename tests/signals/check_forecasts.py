#!/usr/bin/env python3
"""What a server forecasts without being asked: its own totals, and the load of a service.

  check_forecasts.py LIMINAL

Time runs five hundred times as fast. While the series learns, the answer says how many minutes are missing;
after forty there are mean, quantiles and who said so, and the same as metrics. After a restart they are
there at once, without those minutes. A service that is forgotten is forecast no more.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from server import Server

FLAGS = ["--time-scale", "500"]
OWN, LOAD = "/forecast/liminal/messages_per_second", "/forecast/shop/load"
PATIENCE_S = 60


def wait_for(server, path, good):
    end = time.monotonic() + PATIENCE_S
    while True:
        answer, text = server.send("GET", path)
        if answer.status == 200 and good(said := json.loads(text)):
            return said
        assert time.monotonic() < end, (answer.status, text[:500])
        time.sleep(.05)


def is_ready(said):
    return said["state"] == "ready"


def check_ahead(said, low, high):
    ahead = said["forecast"]
    assert said["minutes_missing"] == 0 and len(ahead["mean"]) == 48, said
    levels = [one["level"] for one in ahead["quantiles"]]
    assert levels == sorted(levels) and len(levels) == 7, levels
    for step, mean in enumerate(ahead["mean"]):
        values = [one["values"][step] for one in ahead["quantiles"]]
        assert values == sorted(values) and values[0] >= 0, values
        assert low <= mean <= high, (step, mean)
    for half in ("near", "far"):
        assert abs(sum(one[half]["weight"] for one in ahead["members"]) - 1) < 1e-9, ahead["members"]


def wait_for_metrics(server):
    """Median and ends for an hour and for four; hidden while nothing is told for an hour, here 7 s."""
    name = 'liminal_metric_forecast{source="liminal",metric="messages_per_second",'
    end = time.monotonic() + PATIENCE_S
    while True:
        _, text = server.send("GET", "/metrics")
        lines = [line for line in text.decode().splitlines() if line.startswith(name)]
        if len(lines) == 6:
            return
        assert time.monotonic() < end, lines
        time.sleep(.05)


def by_name(said):
    return {(one["source"], one["metric"]): one for one in said["series"]}


def is_tested(said):
    return by_name(said)["liminal", "messages_per_second"]["backtest"] is not None


def tell_load(server):
    now = int(time.time())
    history = [{"timestamp": now - 60 * t, "request_rate": 100 + t % 20, "cpu_avg": .5, "replicas": 2}
               for t in range(600, 0, -1)]
    server.ask("POST", "/scaling", {"service": "shop", "history": history, "current_replicas": 2,
                                    "usage_patterns": {"request_rate": 100, "cpu_avg": .5}})


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="liminal-forecasts-") as name:
        folder = pathlib.Path(name)
        server = Server(program, folder, *FLAGS)
        player = subprocess.Popen([program, "play", "--synthetic", "--length", "10 h", "--speed", "600",
                                   "--target", f"ws://{server.listen}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.ask("GET", "/forecast/liminal/unknown", status=404)
            learning = wait_for(server, OWN, lambda said: True)
            # A machine that is slow to answer may be past it.
            if learning["state"] == "learning":
                assert learning["forecast"] is None, learning
                assert 0 <= learning["minutes_missing"] <= 40, learning
            tell_load(server)
            check_ahead(wait_for(server, LOAD, is_ready), 90, 130)
            # The first steps may have ended before the player was there.
            own = wait_for(server, OWN, lambda said: is_ready(said) and said["forecast"]["mean"][0] > 0)
            check_ahead(own, 0, 1e6)
            listed = by_name(wait_for(server, "/forecast", is_tested))
            assert listed["liminal", "messages_per_second"]["unit"] == "1/s", listed
            assert listed["liminal", "messages_per_second"]["backtest"]["member"], listed
            assert listed["shop", "load"]["points"] >= 119, listed
            wait_for_metrics(server)
        finally:
            player.kill()
            player.wait()
        server.end()
        before = listed["liminal", "messages_per_second"]["points"]
        server = Server(program, folder, *FLAGS)
        again = wait_for(server, OWN, is_ready)
        assert again["points"] >= before, (before, again["points"])
        check_ahead(again, 0, 1e6)
        check_ahead(wait_for(server, LOAD, is_ready), 90, 130)
        wait_for(server, OWN, lambda said: said["points"] > again["points"])
        server.ask("DELETE", "/scaling/shop", status=204)
        server.ask("GET", LOAD, status=404)
        server.end()
    print(f"{len(listed)} series are forecast, {before} points of messages came back")


if __name__ == "__main__":
    main()
