"""Answers of several owners put together, without a cluster."""
import json

from liminal import _merge

HEADERS = [(b"Content-Type", b"text/plain")]


def metrics_of(*texts):
    answers = [(200, HEADERS, text.encode()) for text in texts]
    return _merge.MERGES["GET", "/metrics"](answers, "/metrics")[2].decode().splitlines()


def test_gauges_that_are_no_sums_are_the_largest():
    names = ("liminal_address_entropy", "liminal_address_users_max",
             "liminal_address_connections_per_minute_max",
             "liminal_channel_messages_per_minute_max")
    for name in names:
        told = [f"# TYPE {name} gauge\n{name} {value}\n" for value in (4.25, 5.5, 3)]
        assert metrics_of(*told)[-1] == f"{name} 5.5"
    assert metrics_of("liminal_users 2\n", "liminal_users 3\n") == ["liminal_users 5"]


def test_incidents_of_everybody_come_first():
    def told(*incidents, status="open", dismissed=0):
        listed = [{"id": name, "scope": scope, "status": status, "salience_now": salience,
                   "members": 1, "dismissed": dismissed}
                  for name, scope, salience in incidents]
        return 200, HEADERS, json.dumps({"incidents": listed, "count": len(listed)}).encode()

    answers = [told(("global-1", "global", .2), ("user-7", "user", .9)),
               told(("global-1", "global", .4), ("user-7", "user", .95))]
    merge = _merge.MERGES["GET", "/ml/incidents"]
    merged = json.loads(merge(answers, "/ml/incidents")[2])
    # And of those of two owners none is called as another.
    assert [one["id"] for one in merged["incidents"]] == ["global-3", "global-2", "user-15", "user-14"]
    merged = json.loads(merge(answers, "/ml/incidents?limit=1")[2])
    assert [one["id"] for one in merged["incidents"]] == ["global-3"] and merged["count"] == 1
    answers = [told(("user-1", "user", .9), status="ended", dismissed=1),
               told(("user-1", "user", .5), status="ended"), told(("user-1", "user", .1))]
    merged = json.loads(merge(answers, "/ml/incidents")[2])
    assert [one["salience_now"] for one in merged["incidents"]] == [.1, .5, .9]


def test_what_was_set_for_all_is_one_line_of_the_audit_log():
    def told(*entries):
        listed = [{"time": time, "action": action, "subject": subject} for time, action, subject in entries]
        return 200, HEADERS, json.dumps({"entries": listed, "count": len(listed), "limit": 100}).encode()

    merge = _merge.MERGES["GET", "/ml/audit"]
    for action in ("limits.reset", "limits.set"):
        answers = [told(("2026-01-01T00:00:03Z", action, "policies"), ("2026-01-01T00:00:01Z", "drop", "ann")),
                   told(("2026-01-01T00:00:03Z", action, "policies"), ("2026-01-01T00:00:02Z", "drop", "bob"))]
        merged = json.loads(merge(answers, "/ml/audit")[2])
        assert [one["subject"] for one in merged["entries"]] == ["policies", "bob", "ann"] and merged["count"] == 3
    merged = json.loads(merge(answers, "/ml/audit?limit=2")[2])
    assert [one["subject"] for one in merged["entries"]] == ["policies", "bob"]


def test_policies_are_those_of_an_owner_that_knows_of_some_that_were_set():
    def told(burst, is_set):
        return 200, HEADERS, json.dumps({"policies": burst, "set": is_set, "overrides": [{"created": str(burst)}],
                                         "count": 1}).encode()

    merge = _merge.MERGES["GET", "/ml/limits"]
    for answers in ([told(20, False), told(7, True)], [told(7, True), told(20, False)]):
        merged = json.loads(merge(answers, "/ml/limits")[2])
        assert merged["policies"] == 7 and merged["set"] is True and merged["count"] == 2
    assert json.loads(merge([told(20, False)] * 2, "/ml/limits")[2])["set"] is False


def test_as_many_overrides_as_by_one_program():
    told = [(200, HEADERS, json.dumps({"policies": {}, "set": False, "overrides": [
        {"created": f"{place}{number:04d}"} for number in range(700)], "count": 700}).encode()) for place in range(2)]
    merge = _merge.MERGES["GET", "/ml/limits"]
    assert json.loads(merge(told, "/ml/limits")[2])["count"] == 1000
    assert json.loads(merge(told, "/ml/limits?limit=5")[2])["count"] == 5


OWNERS = [{"place": place, "shards": 32, "epoch": 3, "events_accepted": 10, "events_lost": place,
           "snapshots_damaged": 0} for place in range(2)]


def test_how_owners_stand_is_told_with_the_status():
    answer = _merge.WITH_ACCOUNTS["GET", "/ml/status"]((200, HEADERS, b'{"shards":64}'), OWNERS, None)
    assert json.loads(answer[2]) == {"shards": 64, "owners": OWNERS}


def test_how_owners_stand_is_told_with_the_metrics():
    merge = _merge.WITH_ACCOUNTS["GET", "/metrics"]
    text = merge((200, HEADERS, b"liminal_users 2\n"), OWNERS, {"missed": 4})[2].decode()
    assert text.startswith("liminal_users 2\n") and text.endswith("liminal_commons_seconds_missed_total 4\n")
    assert 'liminal_owner_events_lost_total{owner="1"} 1\n' in text
    assert "# TYPE liminal_owner_events_lost_total counter\n" in text
    text = merge((200, HEADERS, b"liminal_users 2\n# EOF\n"), OWNERS, None)[2].decode()
    assert "# TYPE liminal_owner_events_lost counter\n" in text and text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1 and "seconds_missed" not in text
