"""What an owner's journal costs: batches from threads in this process, with and without it, and beside snapshots.

    build/ray-venv/bin/python bench/python/journal.py FOLDER       FOLDER: on the disk that is asked about
"""
import sys
import tempfile
import threading
import time

from liminal import _engine, _owner
from liminal.engine import Engine
from liminal.serve import settings_of

# Threads, events of a batch, the journal, seconds between snapshots.
CASES = [(4, events, journal, 3600.0) for events in (1, 64) for journal in (False, True)] + [
    (32, 1, True, 3600.0), (32, 1, True, 2.0), (32, 64, True, 2.0)]
SECONDS, TURNS = 5, 3


def batch_of(events):
    lines = "\n".join('{"user_id":"user-%d","kind":"message","message_size":10}' % (i % 50) for i in range(events))
    _, [batch] = _engine.Service(Engine()).route_events(
        "POST", "/ml/events", [(b"host", b"localhost"), (b"content-type", b"application/x-ndjson")],
        lines.encode(), "", True, 1)
    return batch


def measure(threads, batch, journal, snapshot_s):
    """Batches a second, median and 99th percentile of a batch, 99th percentile and most of a second's beginning."""
    took, ticks = [], []

    def ask(owner, until):
        while (begin := time.perf_counter()) < until:
            owner.track(batch)
            took.append(time.perf_counter() - begin)

    def tick(owner, until):
        while (begin := time.perf_counter()) < until:
            owner.tick(time.time())
            ticks.append(time.perf_counter() - begin)
            time.sleep(.02)

    def save(owner, until):
        while (left := until - time.perf_counter()) > snapshot_s:
            time.sleep(min(left, snapshot_s))
            owner.save()

    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        owner = _owner.UserShards(0, settings_of({
            "folder": folder, "owners": 1, "beat": False, "journal": journal, "snapshot_s": 3600.0}))
        until = time.perf_counter() + SECONDS
        working = [threading.Thread(target=ask, args=(owner, until)) for _ in range(threads)]
        working += [threading.Thread(target=one, args=(owner, until)) for one in (tick, save)]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        owner.retire()
    took.sort()
    ticks.sort()
    return (len(took) / SECONDS, *(1e3 * one for one in (
        took[len(took) // 2], took[len(took) * 99 // 100], ticks[len(ticks) * 99 // 100], ticks[-1])))


def main():
    for threads, events, journal, snapshot_s in CASES:
        batch = batch_of(events)
        for _ in range(TURNS):
            rate, half, most, tick, longest = measure(threads, batch, journal, snapshot_s)
            print(f"{threads:2} threads, {events:2} events, {'journal' if journal else 'none   '}, snapshots every "
                  f"{snapshot_s:6.0f} s: {rate:8,.0f} batches/s, median {half:.2f} ms, 99 % {most:.2f} ms; a second "
                  f"begins within {tick:.2f} ms (99 %), {longest:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
