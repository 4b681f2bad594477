#!/usr/bin/env python3
"""Calls per second and their latency, of the program or of the application on Ray Serve.

  bench/python/serve.py http://127.0.0.1:8000 [--seconds 5] [--connections 8] [--only /ml/events] [--plain]

One process, so many connections, on each one request after the other: the three stateless calls and events of
users, 1 and 64 a request (one service each); --only those of one path. --plain asks only `POST /` with a salience event, for
bench/python/plain_serve.py.
"""
import argparse
import asyncio
import itertools
import json
import time
import urllib.parse

JSON, NDJSON = b"application/json", b"application/x-ndjson"


def requests(plain):
    event = {"type": "system_event", "severity": "high", "frequency": .8}
    salience = {batch: json.dumps({"features": [event] * batch}) for batch in (1, 64)}
    for batch in (1, 64):
        if plain:
            yield f"plain Python, {batch} a request", "/", JSON, lambda n, batch=batch: salience[batch]
        else:
            yield (f"POST /salience, {batch} a request", "/salience", JSON,
                   lambda n, batch=batch: salience[batch])
    if plain:
        return
    for batch in (1, 64):
        yield (f"POST /anomaly, {batch} a request", "/anomaly", JSON,
               lambda n, batch=batch: json.dumps({"source": f"bench-{n % 16}",
                                                  "metrics": [{"cpu": .3, "memory": .5}] * batch}))
    yield ("POST /scaling", "/scaling", JSON,
           lambda n: json.dumps({"service": f"bench-{n % 16}", "usage_patterns": {"request_rate": 5}}))
    for batch in (1, 64):
        yield (f"POST /ml/events, {batch} a request", "/ml/events", NDJSON,
               lambda n, batch=batch: "\n".join(
                   f'{{"user_id":"u{(n * batch + i) % 1000}","kind":"message","message_size":40}}'
                   for i in range(batch)))


async def connection(host, port, path, kind, body, numbers, until, took, wrong):
    reader, writer = await asyncio.open_connection(host, port)
    while time.monotonic() < until:
        text = body(next(numbers)).encode()
        begin = time.perf_counter()
        writer.write(b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
                     % (path.encode(), kind, len(text)) + text)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - begin)
        if not head.startswith(b"http/1.1 200"):
            wrong.append(head.split(b"\r\n")[0])
    writer.close()


async def measure(base, seconds, connections, only, plain):
    url = urllib.parse.urlsplit(base)
    print(f"{'':38s} {'calls/s':>9s} {'p50 ms':>8s} {'p99 ms':>8s}")
    for name, path, kind, body in requests(plain):
        if only not in ("", path):
            continue
        for length in (1, seconds):  # the first second warms up
            took, wrong, numbers = [], [], itertools.count()
            begin = time.monotonic()
            await asyncio.gather(*(connection(url.hostname, url.port, path, kind, body, numbers,
                                              begin + length, took, wrong) for _ in range(connections)))
            lasted = time.monotonic() - begin
        assert not wrong, wrong[:3]
        took.sort()
        print(f"{name:38s} {len(took) / lasted:9.0f} {took[len(took) // 2] * 1e3:8.2f} "
              f"{took[len(took) * 99 // 100] * 1e3:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--only", default="", metavar="PATH")
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    asyncio.run(measure(given.base, given.seconds, given.connections, given.only, given.plain))


if __name__ == "__main__":
    main()
