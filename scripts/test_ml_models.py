#!/usr/bin/env python3
"""Calls what a running Liminal answers and checks the answers, in words for a person.

  scripts/test_ml_models.py [http://127.0.0.1:8000] [--token TOKEN]

The program and the application on a cluster are asked alike. Writes users of its own (check-…). Exits 0
when everything is as it should be, else 1. tests/api/check_api.py asks everything, to the letter.
"""
import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request


class Calls:
    def __init__(self, base, token):
        self.base, self.token = base.rstrip("/"), token
        self.failed = 0

    def ask(self, method, path, body=None, kind="application/json"):
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request(self.base + path, data, method=method)
        if data is not None:
            request.add_header("Content-Type", kind)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        begin = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        except OSError as wrong:
            sys.exit(f"{self.base}: nobody answers: {wrong}")
        took_ms = (time.perf_counter() - begin) * 1e3
        try:
            return status, json.loads(text), took_ms
        except ValueError:
            return status, text.decode(errors="replace"), took_ms

    def check(self, method, path, good, body=None, status=200, kind="application/json"):
        """Asks, and says whether the answer is right and what it says. `good` gives words, or None."""
        got, answer, took_ms = self.ask(method, path, body, kind)
        words = None
        if got == status:
            try:
                words = good(answer)
            except (KeyError, IndexError, TypeError) as missing:
                words = None
                answer = f"lacks {missing}"
        mark = "ok  " if words is not None else "FAIL"
        self.failed += words is None
        said = words if words is not None else f"status {got}, {str(answer)[:200]}"
        print(f"{mark} {method:6s} {path:34s} {took_ms:7.1f} ms  {said}")
        return answer if words is not None else None


def flood(user, now):
    lines = [{"user_id": user, "kind": "message", "message_size": 40, "ip_address": "192.0.2.7",
              "channel": "general", "timestamp": now - 4 + i / 100} for i in range(300)]
    return "\n".join(json.dumps(line) for line in lines).encode()


def check_users(calls):
    user = f"check-{time.time():.0f}"
    calls.check("GET", "/ml/status", lambda a: f"{a['shards']} shards, {a['feature_extractor']['active_users']} users")
    calls.check("POST", "/ml/events", lambda a: f"{a['accepted']} events counted" if a["accepted"] == 300 else None,
                flood(user, time.time()), kind="application/x-ndjson")
    for _ in range(50):
        status, answer, _ = calls.ask("POST", "/ml/anomalies/analyze", {"user_id": user})
        if status == 200 and answer["anomalies_detected"]:
            break
        time.sleep(.1)
    calls.check("POST", "/ml/anomalies/analyze",
                lambda a: f"{a['alerts'][0]['type']} ({a['alerts'][0]['severity']})", {"user_id": user})
    calls.check("GET", f"/ml/users/{user}",
                lambda a: f"{a['features']['messages_per_minute']:.0f} messages a minute")
    calls.check("GET", f"/ml/features/recent?user_id={user}", lambda a: f"{a['count']} rows")
    for _ in range(50):  # what is shown has been stored
        _, told, _ = calls.ask("GET", "/ml/anomalies/recent?min_severity=low&limit=1000")
        mine = [one for one in told["alerts"] if one["user_id"] == user]
        if mine:
            break
        time.sleep(.1)
    calls.check("GET", "/ml/anomalies/recent?min_severity=low", lambda a: f"{a['count']} alerts" if mine else None)
    if mine:
        calls.check("GET", f"/ml/anomalies/{mine[0]['id']}/explain", lambda a: a["alert"]["explanation"][:60])
        calls.check("POST", f"/ml/anomalies/{mine[0]['id']}/feedback", lambda a: a["feedback"],
                    {"verdict": "expected", "note": "a check"})
    check_of_all(calls, user)
    calls.check("GET", "/ml/incidents", lambda a: f"{a['count']} incidents")
    calls.check("POST", "/ml/anomalies/analyze", lambda a: a["detail"], {"user_id": "nobody at all"}, 404)
    calls.check("POST", "/ml/anomalies/analyze", lambda a: a["detail"], {"user_id": 1}, 422)


def check_of_all(calls, user):
    """What is asked about everybody, and what somebody decides about a user."""
    calls.check("GET", "/ml/users?limit=5", lambda a: f"{a['count']} users, {a['users'][0]['user_id']} in front")
    calls.check("GET", "/ml/crowd", lambda a: f"{a['active_users']} active users")
    calls.check("GET", "/ml/limits", lambda a: f"mode {a['policies']['mode']}, {a['count']} overrides")
    rate = {"kind": "rate", "messages_per_second": 1, "burst": 5, "reason": "a check"}
    calls.check("PUT", f"/ml/limits/{user}", lambda a: f"{a['messages_per_second']:.0f} message a second", rate, 201)
    calls.check("GET", f"/ml/limits/{user}", lambda a: a["reason"])
    calls.check("DELETE", f"/ml/limits/{user}", lambda a: "taken back", status=204)


def check_signals(calls):
    calls.check("POST", "/salience", lambda a: f"scores {[round(s, 3) for s in a['scores']]}",
                {"features": [{"type": "system_event", "severity": "high", "frequency": .8},
                              {"type": "user_interaction", "engagement": .6, "duration": 120}]})
    rows = [{"cpu_usage": (i % 17) / 20, "timestamp": 1e9 + i} for i in range(1000)]
    source = f"check-{time.time():.0f}"
    calls.check("POST", "/anomaly", lambda a: "a jump is found" if a["anomalies"][-1]["is_anomaly"] else None,
                {"source": source, "metrics": rows + [{"cpu_usage": 40, "timestamp": 1e9 + 1000}]})
    calls.check("GET", f"/anomaly/series/{source}/cpu_usage", lambda a: f"{a['points']} points")
    service = f"check-{time.time():.0f}"
    calls.check("POST", "/scaling", lambda a: a["predictions"]["action"],
                {"service": service, "usage_patterns": {"cpu_avg": .7, "memory_avg": .6, "request_rate": 100,
                                                        "response_time": .2}})
    calls.check("GET", f"/scaling/{service}", lambda a: f"{a['minutes']} minutes of load")
    calls.check("GET", "/scaling", lambda a: f"{a['count']} services")
    calls.check("GET", f"/scaling/{service}/metric", lambda a: a["detail"], status=409)
    calls.check("DELETE", f"/scaling/{service}", lambda a: "forgotten", status=204)
    calls.check("GET", "/readyz?verbose", lambda a: f"{len(a['checks'])} checks hold")
    calls.check("GET", "/livez", lambda a: "it lives")
    calls.check("GET", "/metrics", lambda a: f"{a.count('# TYPE')} families")
    calls.check("GET", "/openapi.json", lambda a: f"{len(a['paths'])} paths")


def check_models(calls):
    """What of models is described is asked; what is not there yet is not."""
    _, described, _ = calls.ask("GET", "/openapi.json")
    if not isinstance(described, dict) or "/ml/models" not in described.get("paths", {}):
        print("     GET    /ml/models                         not described here: left out")
        return
    told = calls.check("GET", "/ml/models", lambda a: f"{len(a['models'])} models")
    for path, items in (("/ml/jobs", "jobs"), ("/ml/experiments", "experiments")):
        calls.check("GET", path, lambda a: f"{len(a[items])} {items}")
    calls.check("GET", "/ml/learning", lambda a: f"{len(a['models'])} models may learn by themselves")
    calls.check("GET", "/v2", lambda a: f"{a['name']} {a['version']}")
    for model in (told or {"models": []})["models"]:
        if model["champion"] is not None:
            check_champion(calls, model)


def check_champion(calls, model):
    """Asks a champion by both protocols; any row will do, of numbers as the model sees them."""
    wish = {"model_name": model["name"], "features": dict.fromkeys(model["features"], 1)}
    calls.check("POST", "/ml/models/predict", lambda a: f"{model['name']} says {a['prediction']}", wish)
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, len(model["features"])],
              "data": [1] * len(model["features"])}
    calls.check("POST", f"/v2/models/{model['name']}/infer", lambda a: f"{a['outputs'][0]['data'][0]}",
                {"inputs": [tensor]})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default=os.environ.get("LIMINAL_TOKEN", ""))
    given = parser.parse_args()
    calls = Calls(given.base, given.token)
    check_users(calls)
    check_signals(calls)
    check_models(calls)
    print(f"\n{calls.failed} wrong" if calls.failed else "\neverything is as it should be")
    sys.exit(1 if calls.failed else 0)


if __name__ == "__main__":
    main()
