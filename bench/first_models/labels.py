"""Stored rows with their labels, as a training gives them (server/training/rows.cpp), of a data folder."""
import collections
import contextlib
import pathlib
import sqlite3
import struct
import time

SLACK_NS = 10_000_000_000  # rows.hpp: kSpanSlack
MEDIUM, TRUE_POSITIVE = 1, 1  # traffic/finding.hpp, traffic/alert.hpp
BY_MODEL = (17, 18)  # FindingType: a model's own alert, a model that does not answer


def word(time_ns, alerts):
    """Whether a row is positive; nothing where it is left out."""
    true = false = weak = mild = False
    for first, last, kind, severity, feedback in alerts:
        if (kind in BY_MODEL and not feedback) or not first <= time_ns <= last + SLACK_NS:
            continue
        true |= feedback == TRUE_POSITIVE
        false |= feedback > TRUE_POSITIVE
        weak |= not feedback and severity >= MEDIUM
        mild |= not feedback and severity < MEDIUM
    if not (true or false or weak) and mild:
        return None
    return true or (weak and not false)


def opened(data):
    file = next(pathlib.Path(data).glob("*.db"))
    return contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True))


def wait_until_stored(data, calm_s=4, patience_s=120):
    """Until neither rows nor alerts came or changed for so long."""
    before, since, begun = None, time.monotonic(), time.monotonic()
    while time.monotonic() - since < calm_s and time.monotonic() - begun < patience_s:
        with opened(data) as store:
            now = store.execute("SELECT (SELECT count(*) FROM feature_rows), count(*), sum(last_seen_ns / 1000000) "
                                "FROM alerts").fetchone()
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(.2)


def labelled(data, names):
    """(nanoseconds, user, values of `names`, whether positive) of all rows, by time."""
    with opened(data) as store:
        schemas = {number: text.split("\n") for number, text in
                   store.execute("SELECT id, names FROM feature_schemas")}
        alerts = collections.defaultdict(list)
        for user, *alert in store.execute(
                "SELECT user, first_seen_ns, last_seen_ns, type, severity, feedback FROM alerts"):
            alerts[user].append(alert)
        rows = []
        for time_ns, user, schema, blob in store.execute(
                "SELECT time_ns, user, schema, features FROM feature_rows ORDER BY time_ns"):
            positive = word(time_ns, alerts[user])
            if positive is None:
                continue
            stored = dict(zip(schemas[schema], struct.unpack(f"<{len(blob) // 4}f", blob)))
            rows.append((time_ns, user, [stored[name] for name in names], positive))
    return rows
