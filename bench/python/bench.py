#!/usr/bin/env python3
"""What a call of the Python package costs: README.md has the method.

  bench.py [PROGRAM]     PROGRAM: bench_python_engine, build/release/bin/bench_python_engine unless given
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import timeit

import numpy as np

import liminal

PROJECT = pathlib.Path(__file__).resolve().parents[2]
REPEATS = 7
USERS, EVENTS = 1000, 500_000


def loop_ns(statement, count=200_000, **names):
    def timed(what):
        runs = timeit.repeat(what, number=count, repeat=15, globals=names)
        return statistics.median(runs) / count * 1e9
    return timed(statement) - timed("pass")


def calls():
    live = liminal.FeatureExtractor()
    limit = liminal.GCRA(1e9, 1_000_000)
    recorded = liminal.FeatureExtractor(clock="events")
    for i in range(100):
        recorded.track_user_activity(f"user{i}", 40, "general", "192.0.2.1", timestamp=1.8e9)
    yield "property (buffer_size)", loop_ns("e.buffer_size", e=live)
    yield "method (GCRA.allow)", loop_ns("allow(1.0)", allow=limit.allow)
    yield "one event, recorded", loop_ns(
        'track("user1", 40, "general", "192.0.2.1", timestamp=1.8e9)',
        track=recorded.track_user_activity)
    yield "one event, now", loop_ns('track("user1", 40, "general", "192.0.2.1")',
                                    track=live.track_user_activity)
    yield "analysis of a calm user", loop_ns('analyze("user2")', 20_000,
                                             analyze=recorded.analyze_user_activity)


def made_up():
    """People who play: 1,000 users in 100 rooms behind 250 addresses, 5,000 messages a second."""
    draw = np.random.default_rng(1)
    user = draw.integers(0, USERS, EVENTS)
    return {"user": user, "t": np.arange(EVENTS) / 5000 + 1.8e9,
            "bytes": draw.integers(20, 80, EVENTS)}


def write_trace(events, path):
    with path.open("w") as out:
        for user, t, size in zip(events["user"].tolist(), events["t"].tolist(),
                                 events["bytes"].tolist()):
            out.write(f'{{"t":{t!r},"user":"user-{user}","kind":"message","bytes":{size},'
                      f'"ip":"10.0.0.{user % 250}","channel":"room-{user % 100}"}}\n')


def columns(events):
    def texts(pattern, codes, count):
        return [pattern.format(i) for i in range(count)], codes.astype(np.int32)
    user = events["user"]
    return {
        "user_ids": texts("user-{}", user, USERS),
        "ip_addresses": texts("10.0.0.{}", user % 250, 250),
        "channels": texts("room-{}", user % 100, 100),
        "timestamps": events["t"],
        "message_sizes": events["bytes"].astype(np.uint32),
    }


def batch(program):
    events = made_up()
    given = columns(events)
    users = given.pop("user_ids")
    count = EVENTS
    native, python = [], []
    folder = tempfile.TemporaryDirectory(prefix="liminal-bench-")
    path = pathlib.Path(folder.name) / "trace.ndjson"
    write_trace(events, path)
    for _ in range(REPEATS):
        told = json.loads(subprocess.run([program, path], capture_output=True, check=True).stdout)
        assert told["events"] == count, told
        native.append(told["seconds"])
        engine = liminal.FeatureExtractor(clock="events")
        begin = time.perf_counter()
        engine.track_batch(users, **given)
        python.append(time.perf_counter() - begin)
        assert engine.state_hash() == told["state_hash"], "the states differ"
    folder.cleanup()
    print(f"\n{count} events, the same state in both")
    print(f"  C++ engine   {min(native) / count * 1e9:7.1f} ns an event")
    print(f"  track_batch  {min(python) / count * 1e9:7.1f} ns an event "
          f"({min(python) / min(native) - 1:+.1%})")


def main():
    for name, ns in calls():
        print(f"{name:28s} {ns:9.1f} ns")
    batch(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "build/release/bin/bench_python_engine")


if __name__ == "__main__":
    main()
