#!/usr/bin/env python3
"""Replays one trace with programs of two compilers: every byte of the answers must be the same.

  same_bits.py LIMINAL OTHER_LIMINAL

The trace is made here: people who chat, some of them flooding, failing, repeating themselves, coming
and going; with it every statistic and most rules have something to say. Exit code 77 when there is no
other program.
"""
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

USERS = 200
DURATION_S = 3 * 3600


def talk(rng, user, rate_s, until_s):
    t = rng.uniform(0, 60)
    yield {"t": t, "user": user, "kind": "join"}
    while (t := t + rng.expovariate(1 / rate_s)) < until_s:
        yield {"t": t, "user": user, "kind": "message", "bytes": int(math.exp(rng.gauss(3.6, .8))),
               "error": int(rng.random() < .01), "channel": rng.randrange(5), "hash": rng.getrandbits(60)}
    yield {"t": t, "user": user, "kind": "part"}


def burst(rng, user, at_s, count, gap_s, **fields):
    for i in range(count):
        yield {"t": at_s + gap_s * i * rng.uniform(.9, 1.1), "user": user, "kind": "message", "bytes": 40,
               "hash": rng.getrandbits(60), **fields}


def trace():
    rng = random.Random(7)
    events = []
    for i in range(USERS):
        events += talk(rng, f"user{i}", rng.uniform(10, 90), DURATION_S)
    for i in range(10):
        at = rng.uniform(3600, DURATION_S - 600)
        events += burst(rng, f"user{i}", at, 150, .2)
        events += burst(rng, f"user{20 + i}", at, 30, 1, error=1)
        events += burst(rng, f"user{40 + i}", at, 60, 5, hash=99)
        events += burst(rng, f"user{60 + i}", at, 40, 1, bytes=60_000)
        events += burst(rng, f"ring{i}", 5000 + i, 60, 2, ip="10.9.9.9")
        for n in range(40):
            events.append({"t": at + n, "user": f"user{80 + i}", "kind": "join"})
            events.append({"t": at + n + .5, "user": f"user{80 + i}", "kind": "part"})
    events.sort(key=lambda event: event["t"])
    for event in events:
        event.setdefault("ip", f"10.0.{hash_of(event['user']) % 4}.{hash_of(event['user']) % 250}")
    return events


def hash_of(text):
    return sum(ord(letter) * 31 ** i for i, letter in enumerate(text)) & 0xFFFF


def replay(program, file):
    return subprocess.run([program, "replay", file, "--set", "mode=enforce"], check=True,
                          capture_output=True, timeout=240).stdout


def main():
    one, other = sys.argv[1:]
    if not pathlib.Path(other).exists():
        print(f"skipped: {other} is not built")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "trace.ndjson"
        file.write_text("".join(json.dumps(event) + "\n" for event in trace()))
        answers = [replay(program, str(file)).decode().splitlines() for program in (one, other)]
    summary = answers[0][-1]
    print(f"{len(answers[0]) - 1} alerts; {summary}")
    assert len(answers[0]) > 20, "the trace was meant to raise alerts"
    for a, b in zip(*answers):
        assert a == b, f"\n{a}\n{b}"
    assert len(answers[0]) == len(answers[1])


if __name__ == "__main__":
    main()
