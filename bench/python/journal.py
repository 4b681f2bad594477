"""What an owner's journal costs: batches from four threads in this process, with and without it.

    build/ray-venv/bin/python bench/python/journal.py FOLDER       FOLDER: on the disk that is asked about
"""
import sys
import tempfile
import threading
import time

from liminal import _engine, _owner
from liminal.engine import Engine
from liminal.serve import settings_of

THREADS, SECONDS, TURNS = 4, 2, 3


def batch_of(events):
    lines = "\n".join('{"user_id":"user-%d","kind":"message","message_size":10}' % (i % 50) for i in range(events))
    _, [batch] = _engine.Service(Engine()).route_events(
        "POST", "/ml/events", [(b"host", b"localhost"), (b"content-type", b"application/x-ndjson")],
        lines.encode(), "", True, 1)
    return batch


def measure(batch, journal):
    took = []

    def ask(owner, until):
        while (begin := time.perf_counter()) < until:
            owner.track(batch)
            took.append(time.perf_counter() - begin)

    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        owner = _owner.UserShards(0, settings_of({
            "folder": folder, "owners": 1, "beat": False, "journal": journal, "snapshot_s": 3600.0}))
        until = time.perf_counter() + SECONDS
        threads = [threading.Thread(target=ask, args=(owner, until)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    took.sort()
    return len(took) / SECONDS, 1e3 * took[len(took) // 2], 1e3 * took[len(took) * 99 // 100]


def main():
    for events in (1, 64):
        batch = batch_of(events)
        for _ in range(TURNS):
            for journal in (False, True):
                rate, half, most = measure(batch, journal)
                print(f"{events:2} events, {'journal' if journal else 'none   '}: {rate:8,.0f} batches/s, "
                      f"median {half:.2f} ms, 99 % {most:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
