#!/usr/bin/env python3
"""Asks a running Liminal everything that api/openapi.yaml describes, rightly and wrongly, and checks
every answer against it.

  tests/api/check_api.py http://127.0.0.1:8000 [TOKEN]      a server that runs
  tests/api/check_api.py [--without-models] [--token TOKEN] --start PROGRAM [ARGUMENT…]
        starts one that prints "ready … api=HOST:PORT"; an argument DATA becomes a new folder

Writes a user and an override of its own into the server that it asks.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

from described import DOCUMENT, Api, paths_of
from models_api import check_inference, check_models

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "remote_write"))
import remote_write  # noqa: E402

USER = "ann"
FAKE_NOW = 1_800_000_000  # of tests/api/fake_server


def flood(api):
    """Makes a user send far too much, and waits for the alert."""
    now = time.time()
    lines = [json.dumps({"user_id": USER, "kind": "connect", "ip_address": "10.0.0.1",
                         "timestamp": now - 5})]
    lines += [json.dumps({"user_id": USER, "kind": "message", "message_size": 40,
                          "ip_address": "10.0.0.1", "channel": "general",
                          "timestamp": now - 5 + i / 100}) for i in range(400)]
    report = api.ask("POST", "/ml/events", 200, "\n".join(lines), kind="application/x-ndjson")
    assert report == {"accepted": 401, "rejected": [], "rejected_count": 0}, report
    for _ in range(100):
        found = api.ask("GET", "/ml/anomalies/recent?limit=10000&min_severity=low", 200)["alerts"]
        if alerts := [alert for alert in found if alert["user_id"] == USER]:
            return alerts[0]
        time.sleep(.1)
    raise AssertionError("no alert came of a flood")


def check_events(api):
    report = api.ask("POST", "/ml/events", 200,
                     [{"user": "bob", "kind": "join", "t": time.time()}, {"user": "bob"}, 5])
    assert report["accepted"] == 1 and report["rejected_count"] == 2
    assert [one["line"] for one in report["rejected"]] == [2, 3]
    api.ask("POST", "/ml/events", 400, "[{", kind="application/json")
    api.ask("POST", "/ml/events", 400, "nonsense", kind="application/x-ndjson")
    api.ask("POST", "/ml/events", 422, '{"user_id":"x","kind":"x"}', kind="application/x-ndjson")
    api.ask("POST", "/ml/events", 415, "a,b", kind="text/csv")
    key = {"Idempotency-Key": f"key-{time.time()}"}
    line = json.dumps({"user_id": "bob", "kind": "message"})
    first = api.ask("POST", "/ml/events", 200, line, key, kind="application/x-ndjson")
    assert api.ask("POST", "/ml/events", 200, line, key, kind="application/x-ndjson") == first
    api.ask("POST", "/ml/events", 422, line + "\n", key, kind="application/x-ndjson")
    api.ask("POST", "/ml/events", 422, line, {"Idempotency-Key": "x" * 256})


def check_features(api):
    rows = api.ask("GET", "/ml/features/recent", 200)
    assert rows["count"] == len(rows["features"]) and rows["limit"] == 100
    api.ask("GET", f"/ml/features/recent?limit=10000&user_id={USER}", 200)
    for query in ("limit=0", "limit=10001", "limit=x", "limit=", "limit=1&limit=2", "user=x",
                  "user_id="):
        problem = api.ask("GET", f"/ml/features/recent?{query}", 422)
        assert paths_of(problem)[0] == query.split("=")[0]
    row = next((one for one in rows["features"] if one["user_id"] == USER), None)
    if row is not None:
        taken = api.ask("POST", "/ml/features/recent", 200,
                        {"features": [row, {**row, "user_id": "of another gateway", "ip_address": None}]})
        assert taken == {"accepted": 2}
    problem = api.ask("POST", "/ml/features/recent", 422, {"features": [{"user_id": "", "x": 1}]})
    assert {"features[0].user_id", "features[0].timestamp", "features[0].x"} <= set(paths_of(problem))
    api.ask("POST", "/ml/features/recent", 422, {"features": []})
    api.ask("POST", "/ml/features/recent", 400, "{")
    crowd = api.ask("GET", "/ml/crowd", 200)
    assert crowd["active_users"] >= 1 and crowd["limit"] == 10
    crowd = api.ask("GET", "/ml/crowd?limit=1000", 200)
    assert "10.0.0.1" in [address["ip_address"] for address in crowd["addresses"]]
    by_address = sum(address["connections_per_minute"] for address in crowd["connecting_addresses"])
    assert by_address <= crowd["connections_per_minute"] + 1e-6
    assert paths_of(api.ask("GET", "/ml/crowd?limit=1001", 422)) == ["limit"]
    api.ask("DELETE", "/ml/features/cleanup?max_age_hours=1000", 200)
    assert api.ask("DELETE", "/ml/features/cleanup", 200)["max_age_hours"] == 24
    for query in ("max_age_hours=-1", "max_age_hours=nan", "max_age_hours=1e9", "hours=1"):
        api.ask("DELETE", f"/ml/features/cleanup?{query}", 422)


def check_anomalies(api, alert):
    path = "/ml/anomalies/" + alert["id"]
    assert api.ask("GET", path, 200)["user_id"] == USER
    explanation = api.ask("GET", path + "/explain", 200)
    assert explanation["alert"]["id"] == alert["id"]
    assert explanation["first"]["evidence"], "an explanation needs evidence"
    judged = api.ask("POST", path + "/feedback", 200, {"verdict": "true_positive", "note": "yes"})
    assert judged["feedback"] == "true_positive"
    assert paths_of(api.ask("POST", path + "/feedback", 422, {"verdict": 1, "x": 1})) == \
        ["verdict", "x"]
    api.ask("POST", path + "/feedback", 400, "{")
    for unknown in ("63-99999999", "17-0", "x", "99-1"):
        api.ask("GET", f"/ml/anomalies/{unknown}", 404)
        api.ask("GET", f"/ml/anomalies/{unknown}/explain", 404)
        api.ask("POST", f"/ml/anomalies/{unknown}/feedback", 404, {"verdict": "expected"})
    api.ask("GET", "/ml/anomalies/recent", 200)
    api.ask("GET", "/ml/anomalies/recent?limit=1&min_severity=critical&order=time", 200)
    for query in ("limit=0", "min_severity=none", "order=best", "severity=low"):
        api.ask("GET", f"/ml/anomalies/recent?{query}", 422)
    ranked = api.ask("GET", "/ml/anomalies/recent?order=salience&limit=5", 200)["alerts"]
    order = [alert["salience"] for alert in ranked]
    assert order == sorted(order, reverse=True), order
    told = {key: alert[key] for key in ("user_id", "ip_address", "type", "severity", "status", "mode", "detector",
                                        "recommended_action", "score", "confidence", "first_seen", "last_seen",
                                        "count", "features")}
    told |= {"id": "3-7", "detectors": 1, "evidence": [], "feedback": None}

    def tell(status, gateway, *alerts):
        return api.ask("POST", "/ml/anomalies/recent", status, {"gateway": gateway, "alerts": list(alerts)})

    assert tell(200, "north", told) == {"accepted": 1}
    said = {"verdict": "expected", "time": alert["last_seen"], "note": "known"}
    assert tell(200, "north", told | {"feedback": said}, told | {"id": "3-8", "ip_address": None}) == {"accepted": 2}
    assert paths_of(tell(422, "", told)) == ["gateway"]
    assert paths_of(tell(422, "north")) == ["alerts"]
    problem = tell(422, "north", told | {"id": "64-1", "feedback": {"verdict": "none"}})
    assert {"alerts[0].id", "alerts[0].feedback.verdict", "alerts[0].feedback.time"} == set(paths_of(problem))
    words = api.ask("GET", "/ml/anomalies/feedback?gateway=north&limit=5", 200)
    assert words["count"] == len(words["feedback"])
    for query in ("limit=1", "gateway=", "gateway=north&limit=0"):
        api.ask("GET", f"/ml/anomalies/feedback?{query}", 422)
    analysis = api.ask("POST", "/ml/anomalies/analyze", 200, {"user_id": USER})
    assert analysis["anomalies_detected"] == len(analysis["alerts"])
    api.ask("POST", "/ml/anomalies/analyze", 404, {"user_id": "nobody at all"})
    for wrong in ({}, {"user_id": ""}, {"user_id": 1}, {"user_id": "a", "b": 1}, [], "x", None):
        api.ask("POST", "/ml/anomalies/analyze", 422, json.dumps(wrong))


def check_users(api):
    users = api.ask("GET", "/ml/users?limit=10000", 200)
    assert USER in [user["user_id"] for user in users["users"]]
    for order in ("score", "messages_per_minute", "last_seen", "activity", "growth", "salience"):
        ranked = [user[order] for user in api.ask("GET", f"/ml/users?order={order}", 200)["users"]]
        assert ranked == sorted(ranked, reverse=True), (order, ranked)
        api.ask("GET", f"/ml/users?order={order}&limit=1", 200)
    api.ask("GET", "/ml/users?order=name", 422)
    assert api.ask("GET", f"/ml/users/{USER}", 200)["user_id"] == USER
    api.ask("GET", "/ml/users/nobody%20at%20all", 404)
    api.ask("GET", "/ml/users/" + "a" * 200, 404)
    api.ask("GET", f"/ml/users/{USER}?x=1", 422)


def check_salience(api):
    asked = {"features": [{"type": "system_event", "severity": "high", "frequency": 0.8},
                          {"type": "user_interaction", "engagement": 0.6, "duration": 120}]}
    answer = api.ask("POST", "/salience", 200, asked)
    assert [round(score, 3) for score in answer["scores"]] == [.537, .258], answer
    assert answer["ranking"] == [0, 1] and answer["ignored"] == []
    assert api.ask("POST", "/salience", 200, asked) == answer
    many = {"features": [{"severity": "low", "colour": i} for i in range(10_000)]}
    assert api.ask("POST", "/salience", 200, many)["ignored"] == ["colour"]
    for event, field in (({"duration": -1}, "duration"), ({"value": "x"}, "value"),
                         ({"type": "x" * 1000}, "type"), ({"severity": []}, "severity")):
        problem = api.ask("POST", "/salience", 422, {"features": [{}, event]})
        assert paths_of(problem) == ["features[1]." + field]
    awful = {"features": [{"severity": "awful"}, {"severity": "HIGH"}]}
    assert api.ask("POST", "/salience", 200, awful)["ignored"] == ["severity awful"]
    api.ask("POST", "/salience", 400, '{"features":[{"value":NaN}]}')
    for wrong in ({}, [], {"features": {}}, {"features": [], "x": 1}):
        api.ask("POST", "/salience", 422, wrong)
    for query in ("", "?limit=1&scope=global", "?scope=user", "?scope=all&limit=500",
                  "?status=open", "?status=ended&since=2020-01-01T00:00:00Z"):
        answer = api.ask("GET", "/ml/incidents" + query, 200)
        assert answer["count"] == len(answer["incidents"])
    for query in ("limit=0", "limit=501", "scope=x", "x=1", "status=x", "since=yesterday"):
        api.ask("GET", "/ml/incidents?" + query, 422)


def check_limits(api):
    limits = api.ask("GET", "/ml/limits?limit=10000", 200)
    assert api.ask("PUT", "/ml/limits", 200, {"policies": limits["policies"]})["policies"] == \
        limits["policies"]
    other = json.loads(json.dumps(limits["policies"]))
    other["user"]["messages"] = {"per_second": 123, "burst": 456, "mode": None}
    changed = api.ask("PUT", "/ml/limits", 200, {"policies": other})
    assert changed["policies"] == other and changed["set"] is True
    for _ in range(2):  # there is nothing to take back the second time
        again = api.ask("DELETE", "/ml/limits", 200)
        assert again["policies"] == limits["policies"] and again["set"] is False
    log = api.ask("GET", "/ml/audit?limit=10&subject=policies", 200)["entries"]
    assert {"limits.set", "limits.reset"} <= {one["action"] for one in log}, log
    assert api.ask("GET", "/ml/limits", 200)["policies"] == limits["policies"]
    api.ask("DELETE", "/ml/limits?x=1", 422)
    wrong = json.loads(json.dumps(limits["policies"]))
    wrong["user"]["messages"] = {"per_second": 0, "burst": 1.5, "more": 1}
    del wrong["mode"]
    assert paths_of(api.ask("PUT", "/ml/limits", 422, {"policies": wrong})) == [
        "policies.mode", "policies.user.messages.per_second", "policies.user.messages.burst",
        "policies.user.messages.more"]
    path = "/ml/limits/check%20api"
    api.ask("DELETE", path, (204, 404))
    api.ask("GET", path, 404)
    asked = {"kind": "rate", "messages_per_second": .5, "burst": 3, "reason": "a test",
             "expires": int(time.time()) + 10**8}
    made = api.ask("PUT", path, 201, asked)
    assert made["user_id"] == "check api" and made["burst"] == 3
    assert api.ask("GET", path, 200) == made
    assert made in api.ask("GET", "/ml/limits?limit=10000", 200)["overrides"]
    log = api.ask("GET", "/ml/audit?limit=10&subject=check%20api", 200)["entries"]
    assert log and all(one["subject"] == "check api" for one in log), log
    assert api.ask("GET", "/ml/audit?limit=10000", 200)["entries"]
    api.ask("GET", "/ml/audit?limit=0", 422)
    api.ask("GET", "/ml/audit?user=ann", 422)
    assert api.ask("PUT", path, 200, {"kind": "block", "reason": "a test"})["kind"] == "block"
    assert api.ask("PUT", path, 200, {"kind": "allow", "reason": "a test"})["expires"] is None
    for one in ({}, {"kind": "rate", "reason": "x"}, {"kind": "allow"},
                {"kind": "block", "reason": "x", "burst": 1},
                {"kind": "allow", "reason": "x", "expires": 1}):
        api.ask("PUT", path, 422, one)
    api.ask("DELETE", path, 204)
    api.ask("DELETE", path, 404)


def check_scaling(api):
    fresh = f"check-{time.time()}"
    usage = {"cpu_avg": .7, "memory_avg": .6, "request_rate": 100, "response_time": .2}
    first = api.ask("POST", "/scaling", 200, {"usage_patterns": usage, "service": fresh})
    assert first["predictions"]["action"] == "monitor"
    assert first["predictions"]["recommended_replicas"] is None
    path = f"/scaling/{fresh}"
    api.ask("GET", path + "/metric", 409)
    api.ask("GET", path + "/backtest", 409)
    api.ask("DELETE", path, 204)
    # The server's time: it may be another one than ours.
    text = api.ask("GET", "/metrics", 200)
    engine = re.search(r"^liminal_engine_time_seconds (\S+)", text, re.M)
    now = float(engine[1]) if engine else FAKE_NOW
    history = [{"timestamp": now - 60 * t, "request_rate": 100 + t % 300, "replicas": 3,
                "cpu_avg": (100 + t % 300) / 600, "memory_avg": .5,
                "response_time": .1 / (1 - (100 + t % 300) / 900)}
               for t in range(2000, 0, -1)]
    asked = {"service": fresh, "usage_patterns": usage, "current_replicas": 3, "history": history}
    known = api.ask("POST", "/scaling", 200, asked)["predictions"]
    assert known["action"] != "monitor" and known["recommended_replicas"] >= 1, known
    assert known["bottleneck"] in ("cpu", "response_time"), known
    assert api.ask("GET", path, 200)["minutes"] >= 1990
    (at,) = api.ask("GET", path + "?load=450", 200)["performance"]
    assert abs(at["response_time_s"] - .2) < .01 and not at["saturated"], at
    assert api.ask("GET", path + "?load=2000", 200)["performance"][0]["saturated"]
    assert fresh in [one["service"] for one in api.ask("GET", "/scaling", 200)["services"]]
    assert api.ask("PUT", path, 200, {"replicas_min": 7})["replicas_min"] == 7
    assert api.ask("GET", path + "/metric", 200)["value"] >= 7
    assert api.ask("GET", path + "/backtest", 200)["planned"]
    assert api.ask("GET", path + "/backtest/plot", 200).startswith("<")
    wrong = {"usage_patterns": {"cpu_avg": "x"}, "history": [{"timestamp": -1}], "more": 1}
    assert set(paths_of(api.ask("POST", "/scaling", 422, wrong))) == {
        "usage_patterns.cpu_avg", "history[0].timestamp", "more"}
    rows = [{"timestamp": now, "instances": 1}] * 2000
    assert len(paths_of(api.ask("POST", "/scaling", 422, {**asked, "history": rows}))) == 10
    api.ask("PUT", path, 422, {"shortage_cost": -1, "more": 1})
    api.ask("DELETE", path, 204)
    api.ask("GET", path, 404)
    assert api.ask("PUT", path, 201, {"cooldown_s": 0})["cooldown_s"] == 0
    api.ask("DELETE", path, 204)


def check_metrics(api):
    example = {"metrics": [{"cpu_usage": 0.95, "memory_usage": 0.8, "timestamp": 1234567890}]}
    judged = api.ask("POST", "/anomaly", 200, example)
    assert len(judged["anomalies"]) == 1
    rows = [{"cpu": i % 17, "host": "a", "timestamp": 1e9 + i} for i in range(2000)]
    rows.append({"cpu": 400, "timestamp": 1e9 + 2000})
    judged = api.ask("POST", "/anomaly", 200, {"source": "check", "metrics": rows})
    assert judged["anomalies"][-1]["is_anomaly"] and judged["ignored"] == ["host"], judged
    path = "/anomaly/series/check/" + urllib.parse.quote("a/b", safe="")
    api.ask("PUT", path, (200, 201), {"min": 0, "max": 1, "alarms_per_week": 2})
    assert api.ask("PUT", path, 200, {})["min"] is None
    api.ask("GET", path, 404)
    assert paths_of(api.ask("PUT", path, 422, {"min": 1, "max": 0})) == ["max"]
    silent = api.ask("PUT", path, 201, {"suppress_until": "2100-01-01T01:00:00+01:00"})
    assert silent["suppress_until"] == "2100-01-01T00:00:00.000Z", silent
    assert api.ask("PUT", path, 200, {"lower_limit": 0})["lower_limit"] == 0
    both = {"lower_limit": 0, "upper_limit": 1}
    assert paths_of(api.ask("PUT", path, 422, both)) == ["upper_limit"]
    assert api.ask("GET", path, 200)["lower_limit"] == 0
    api.ask("PUT", path, 200, {"upper_limit": .9})
    api.ask("GET", "/anomaly/series/check/unknown", 404)
    api.ask("DELETE", path, 204)
    api.ask("DELETE", path, 404)
    api.ask("PUT", path, 201, {"upper_limit": .9})
    api.ask("DELETE", "/anomaly/series/check", 204)
    api.ask("GET", path, 404)
    api.ask("DELETE", "/anomaly/series/check", 404)
    wrong = {"metrics": [{"a": 1}, {"a": "x"}]}
    assert paths_of(api.ask("POST", "/anomaly", 422, wrong)) == ["metrics[1].a"]
    api.ask("POST", "/anomaly", 400, '{"metrics":[{"a":NaN}]}')
    for own in ("liminal", "upstream:ws://a"):
        rows = {"source": own, "metrics": [{"a": 1}]}
        assert paths_of(api.ask("POST", "/anomaly", 422, rows)) == ["source"]


def check_forecast(api):
    hours = [100 + 40 * (h % 24 in range(8, 18)) for h in range(24 * 15)]
    said = api.ask("POST", "/forecast", 200, {"values": hours, "horizon": 24, "quantiles": [.5]})
    assert said["seasons"] == [24] and len(said["mean"]) == 24 and said["begins"] is None, said
    assert abs(said["mean"][0] - 100) < 5 and abs(said["mean"][12] - 140) < 5, said["mean"]
    for half in ("near", "far"):
        assert abs(sum(one[half]["weight"] for one in said["members"]) - 1) < 1e-9, said["members"]
    moved = hours[:-12] + [2 * hour for hour in hours[-12:]]
    said = api.ask("POST", "/forecast", 200, {"values": moved, "horizon": 24, "seasons": [24]})
    assert said["level_shift"]["point"] == len(hours) - 12 and not said["level_shift"]["certain"], said["level_shift"]
    rows = [{"timestamp": 1e9 + 60 * t, "value": t % 4} for t in range(40) if t != 9]
    said = api.ask("POST", "/forecast", 200, {"rows": rows, "horizon": 2, "seasons": []})
    assert (said["points"], said["missing"], said["step_s"]) == (40, 1, 60), said
    assert said["begins"] == "2001-09-09T02:26:40.000Z", said
    wrong = {"values": [1, "x"], "horizon": 0, "more": 1}
    assert set(paths_of(api.ask("POST", "/forecast", 422, wrong))) == {"values[1]", "horizon", "more"}
    assert paths_of(api.ask("POST", "/forecast", 422, {"values": [1, 2]})) == ["values"]
    api.ask("POST", "/forecast", 400, '{"values":[NaN]}')
    for one in api.ask("GET", "/forecast", 200)["series"]:
        path = "/forecast/" + "/".join(urllib.parse.quote(one[part], safe="") for part in ("source", "metric"))
        said = api.ask("GET", path + "?horizon=3", 200)
        assert (said["forecast"] is None) == (said["state"] == "learning"), said
        assert said["forecast"] is None or len(said["forecast"]["mean"]) == 3, said
    api.ask("GET", "/forecast/unknown/metric", 404)
    assert paths_of(api.ask("GET", "/forecast/liminal/connections?horizon=49", 422)) == ["horizon"]
    api.ask("PUT", "/forecast", 405)


def check_remote_write(api):
    kind, snappy = "application/x-protobuf", {"Content-Encoding": "snappy"}
    labels = [("__name__", "up"), ("instance", "web:1"), ("job", "web")]
    body = remote_write.request([(labels, [(1, 1000), (float("nan"), 2000)])])
    api.ask("POST", "/api/v1/write", 204, body, snappy, kind)
    api.ask("POST", "/api/v1/write", 204, body, snappy, kind + ";proto=prometheus.WriteRequest")
    api.ask("POST", "/api/v1/write", 415, body, snappy, kind + ";proto=io.prometheus.write.v2.Request")
    api.ask("POST", "/api/v1/write", 415, body, {"Content-Encoding": "gzip"}, kind)
    api.ask("POST", "/api/v1/write", 415, "{}", snappy)
    api.ask("POST", "/api/v1/write", 400, body[:-5], snappy, kind)
    api.ask("POST", "/api/v1/write", 400, remote_write.block(b"x"), snappy, kind)
    api.ask("POST", "/api/v1/write", 413, b"\xff\xff\xff\x7f", snappy, kind)
    labels = [("__name__", "requests_total"), ("instance", "web:1")]
    counted = remote_write.request([(labels, [(10 * i, 1000 * i) for i in range(1, 5)])])
    api.ask("POST", "/api/v1/write", 204, counted, snappy, kind)
    path = "/anomaly/series/web:1/requests_total"
    judged = "points" in api.ask("GET", path, (200, 404))  # not by the fake
    told = api.ask("PUT", path, 201, {"min": 0, "max": 1, "alarms_per_week": 2})
    assert told["kind"] == ("counter" if judged else "gauge"), told
    told = api.ask("PUT", path, 200, {"suppress_until": "2100-01-01T00:00:00Z", "upper_limit": 9})
    assert (told["min"], told["max"], told["alarms_per_week"]) == (0, 1, 2), told
    assert told["kind"] == ("counter" if judged else "gauge"), told
    known = api.ask("GET", path, 200)
    assert (known["upper_limit"], known["max"], known["kind"]) == (9, 1, told["kind"]), known
    assert api.ask("PUT", path, 200, {"min": None, "upper_limit": None})["max"] is None
    assert api.ask("PUT", path, 200, {"kind": "gauge", "min": 0, "max": 1})["kind"] == "gauge"
    known = api.ask("PUT", path, 200, {"kind": None, "alarms_per_week": None})
    assert (known["kind"], known["alarms_per_week"]) == (told["kind"], 0), known
    assert known["max"] == (None if judged else 1), known  # a gauge's is none of a counter
    nameless = remote_write.request([([("instance", "web:1")], [(1, 1000)])])
    api.ask("POST", "/api/v1/write", 400, nameless, snappy, kind)


def check_operations(api):
    status = api.ask("GET", "/ml/status", 200)
    assert status["shards"] == 64
    api.ask("GET", "/livez", 200)
    api.ask("GET", "/readyz", 200)
    assert api.ask("GET", "/readyz?verbose", 200)["checks"]
    api.ask("GET", "/healthz?verbose=0", 200)
    api.ask("GET", "/readyz?verbose=perhaps", 422)
    text = api.ask("GET", "/metrics", 200)
    assert "# TYPE liminal_events_total counter" in text and "user_id=" not in text
    text = api.ask("GET", "/metrics", 200, headers={"Accept": "application/openmetrics-text"})
    assert text.endswith("# EOF\n")
    served = api.ask("GET", "/openapi.json", 200)
    served["info"]["version"] = DOCUMENT["info"]["version"]
    assert served == json.loads(json.dumps(DOCUMENT)), "the served description is another one"


def check_the_rest(api):
    for path in ("/", "/ml", "/ml/model", "/ml/job/1", "/v3", "/ml/status/"):
        api.ask("GET", path, 404)
    api.ask("PATCH", "/ml/limits", 405)
    api.ask("DELETE", "/ml/status", 405)
    api.ask("GET", "/salience", 405)
    api.ask("GET", "/ml/users/%zz", 404)
    if api.token:
        for value in ("Bearer wrong", "Basic x"):
            api.ask("DELETE", "/ml/features/cleanup", 401, headers={"Authorization": value})


OF_MODELS = ("/ml/models", "/ml/jobs", "/ml/learning", "/ml/experiments", "/v2")


def check(base, token, models=True):
    api = Api(base, token)
    alert = flood(api)
    check_events(api)
    check_features(api)
    # The clean-up that came first forgets sessions only: what is asked of the user is still there.
    check_anomalies(api, alert)
    check_users(api)
    check_salience(api)
    check_limits(api)
    check_scaling(api)
    check_metrics(api)
    check_forecast(api)
    check_remote_write(api)
    if models:
        check_models(api)
        check_inference(api)
    else:
        for path in ("/ml/models", "/ml/jobs", "/ml/learning", "/ml/experiments",
                     "/v2/models/anomaly_detection"):
            api.ask("GET", path, 503)
    check_operations(api)
    check_the_rest(api)
    asked = {one[0] for one in api.seen}
    described = {operation["operationId"] for path, item in DOCUMENT["paths"].items()
                 if models or not path.startswith(OF_MODELS) for operation in item.values() if isinstance(operation, dict)}
    assert described <= asked, f"never asked: {described - asked}"
    print(f"{api.answers} answers of {len(asked)} operations are as described")


def start_and_check(command, token, models):
    with tempfile.TemporaryDirectory(prefix="liminal-check-api-") as folder:
        command = [folder if word == "DATA" else word for word in command]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as server:
            try:
                ready = server.stdout.readline()
                found = re.search(r"api=(\S+)", ready)
                assert found, f"{command[0]} is not ready: {ready!r}"
                check("http://" + found[1], token, models)
            finally:
                server.stdin.close()
                server.terminate()


def main():
    arguments = sys.argv[1:]
    token = ""
    models = arguments[:1] != ["--without-models"]
    if not models:
        arguments = arguments[1:]
    if arguments[:1] == ["--token"]:
        token, arguments = arguments[1], arguments[2:]
    if arguments[:1] == ["--start"]:
        start_and_check(arguments[1:], token, models)
    elif len(arguments) in (1, 2):
        check(arguments[0], arguments[1] if len(arguments) > 1 else token, models)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
