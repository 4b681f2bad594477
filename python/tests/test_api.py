"""The router in an application of one's own. tests/python/check_answers asks a whole one everything."""
import asyncio
import json
import subprocess
import sys
import threading
import time
from urllib.parse import quote

import pytest

fastapi = pytest.importorskip("fastapi")
from fastapi.testclient import TestClient  # noqa: E402

import liminal  # noqa: E402
import liminal.api  # noqa: E402

HERE = ("127.0.0.1", 50000)


def client_of(prefix="", client=HERE, engine=None, **options):
    engine = engine or liminal.FeatureExtractor()
    app = fastapi.FastAPI()

    @app.get("/hello")
    def hello():
        return {"hello": "world"}

    app.include_router(liminal.api.create_router(engine, **options), prefix=prefix)
    return engine, TestClient(app, base_url="http://127.0.0.1", client=client)


def test_the_shared_router_answers_of_the_shared_engine():
    app = fastapi.FastAPI()
    app.include_router(liminal.api.router)
    client = TestClient(app, base_url="http://127.0.0.1", client=HERE)
    liminal.feature_extractor.track_user_activity("router", 10)
    assert client.get("/ml/users/router").json()["user_id"] == "router"


def test_the_router_answers_its_paths_and_nothing_else():
    engine, client = client_of()
    engine.track_user_activity("a/b c", 10, "general", "192.0.2.1")
    assert client.get("/hello").json() == {"hello": "world"}
    assert client.get("/ml/status").json()["feature_extractor"]["active_users"] == 1
    assert client.get("/ml/users/a%2Fb%20c").json()["user_id"] == "a/b c"
    asked = {"features": [{"severity": "high"}]}
    assert client.post("/salience", json=asked).json() == {
        **liminal.Salience().rank(asked["features"])}
    assert client.post("/anomaly", json={"metrics": [{"cpu": 1}]}).json()["anomalies"]
    assert len(client.post("/forecast", json={"values": [1, 2] * 8, "horizon": 3}).json()["mean"]) == 3
    assert client.get("/forecast").json() == {"series": [], "count": 0}
    assert client.get("/forecast/liminal/connections").status_code == 404
    predicted = client.post("/scaling", json={"usage_patterns": {"request_rate": 5}}).json()
    assert predicted["predictions"]["action"] == "monitor"
    for path in ("/livez", "/metrics", "/openapi.yaml", "/v2", "/mlx"):
        assert client.get(path).status_code == 404, path


def test_what_may_wait_for_a_service_is_answered_beside_the_loop():
    api, beside = liminal.api.Api(liminal.FeatureExtractor()), {}

    class Service:
        @staticmethod
        def handle(method, target, *asked):
            beside[target] = threading.current_thread() is not threading.main_thread()
            return 200, [], b""

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    api._service = Service
    paths = ("/scaling", "/scaling/web", "/scaling/web/backtest", "/ml/status", "/scalings")
    for path in paths:
        asyncio.run(api.answer(fastapi.Request({
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "client": HERE, "headers": []}, receive)))
    assert beside == dict(zip(paths, (True, True, True, False, False)))


def test_errors_are_the_programs():
    _, client = client_of()
    for method, path, status in (("GET", "/ml/nothing", 404), ("PATCH", "/ml/limits", 405),
                                 ("GET", "/salience", 405), ("POST", "/ml/anomalies/analyze", 400)):
        answer = client.request(method, path, content=b"{" if method == "POST" else None)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
    wrong = client.get("/ml/features/recent?limit=0")
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["path"] == "limit"
    assert client.post("/ml/anomalies/analyze", json={"user_id": "nobody"}).status_code == 404
    answer = client.get("/ml/status", headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == "mine"


def test_a_prefix_of_the_application_is_left_out():
    engine, client = client_of(prefix="/watch/v1")
    engine.track_user_activity("ann", 10)
    assert client.get("/watch/v1/ml/users/ann").json()["user_id"] == "ann"
    assert client.get("/ml/users/ann").status_code == 404


@pytest.mark.parametrize("prefix", ["/ml-api", "/mlops", "/api/ml", "/ml", "/scaling/ml", "/v1/ml/ml"])
def test_a_prefix_may_have_the_words_of_the_api_in_it(prefix):
    engine, client = client_of(prefix=prefix)
    for user in ("ann", "a/ml/b c", "\N{BLACK HEART SUIT}/ml/x"):
        engine.track_user_activity(user, 10)
        path = f"{prefix}/ml/users/{quote(user, safe='')}"
        assert client.get(path).json()["user_id"] == user, path
    assert client.get(prefix + "/forecast").json() == {"series": [], "count": 0}
    assert client.get(prefix + "/ml/features/recent?limit=1").json()["count"] == 1
    wrong = client.get(prefix + "/ml/nothing/ml/users/ann")
    assert wrong.status_code == 404 and wrong.headers["content-type"] == "application/problem+json"


def test_a_prefix_may_be_a_parameter_or_another_application():
    engine, client = client_of(prefix="/{tenant}/ml")
    engine.track_user_activity("ann", 10)
    for tenant in ("ml", "a%2Fml", "%E2%99%A5", "%FF"):
        answer = client.get(f"/{tenant}/ml/ml/users/ann")
        assert answer.status_code == (404 if "%2F" in tenant else 200), tenant
    for below in (liminal.api.create_app(engine), client.app):
        app = fastapi.FastAPI()
        app.mount("/ml-admin", below)
        mounted = TestClient(app, base_url="http://127.0.0.1", client=HERE)
        prefix = "/ml-admin" + ("/any/ml" if below is client.app else "")
        assert mounted.get(prefix + "/ml/users/ann").json()["user_id"] == "ann"


def test_only_this_machine_is_answered_unless_there_is_a_token_or_trust():
    elsewhere = ("192.0.2.7", 50000)
    assert client_of(client=elsewhere)[1].get("/ml/status").status_code == 403
    assert client_of(client=elsewhere, trusted=True)[1].get("/ml/status").status_code == 200
    _, client = client_of(client=elsewhere, token="s3cret")
    assert client.get("/ml/status").status_code == 401
    bearer = {"Authorization": "Bearer s3cret"}
    assert client.get("/ml/status", headers=bearer).status_code == 200
    stranger = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert client_of()[1].get("/ml/status", headers=stranger).status_code == 403
    trusting = client_of(trusted=True)[1]
    assert trusting.delete("/ml/features/cleanup", headers=stranger).status_code == 200
    passed_on = {"X-Forwarded-For": "203.0.113.9"}
    assert trusting.get("/ml/status", headers=passed_on).status_code == 200
    assert client_of()[1].get("/ml/status", headers=passed_on).status_code == 403
    other = {"Host": "ours.example", "Origin": "http://evil.example"}
    assert trusting.delete("/ml/features/cleanup", headers=other).status_code == 403
    assert client_of()[1].delete(
        "/ml/features/cleanup", headers={"Origin": "http://evil.example"}).status_code == 403


def test_events_come_in_and_a_repetition_changes_nothing():
    engine, client = client_of()
    line = json.dumps({"user_id": "bob", "kind": "message"})
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "once"}
    for _ in range(2):
        assert client.post("/ml/events", content=line, headers=headers).json()["accepted"] == 1
    assert engine.features("bob")["messages_per_minute"] == 1
    large = "\n".join([line] * 2000)
    assert client.post("/ml/events", content=large,
                       headers={"Content-Type": "application/x-ndjson"}).json()["accepted"] == 2000
    too_large = b" " * (liminal.api.BODY_BYTES_MAX + 1)
    assert client.post("/ml/events", content=too_large).status_code == 413


def test_what_was_enforced_and_changed_is_in_the_audit_log():
    engine, client = client_of(engine=liminal.FeatureExtractor(mode="enforce"))
    limits = client.get("/ml/limits").json()
    policies = limits["policies"]
    assert limits["set"] is False
    assert client.put("/ml/limits", json={"policies": policies}).json()["set"] is True
    assert client.put("/ml/limits/ann", json={"kind": "block", "reason": "a test"}).status_code == 201
    assert not engine.track_user_activity("ann", 10).allowed
    assert client.delete("/ml/limits/ann").status_code == 204
    client.delete("/ml/features/cleanup")

    def told(client, query=""):
        return [(one["actor"], one["action"], one["subject"]) for one in client.get(
            "/ml/audit" + query).json()["entries"]]

    entries = told(client)
    assert entries[0] == ("api", "cleanup", "users") and entries[-1] == ("api", "limits.set", "policies")
    of_ann = told(client, "?subject=ann")
    assert [who for who, *_ in of_ann] == ["api", "engine", "api"]
    assert [of_ann[0][1], of_ann[2][1]] == ["override.remove", "override.set"]
    assert told(client, "?limit=1") == entries[:1]
    other, again = client_of()
    other.load(engine.save())
    assert told(again) == entries


def test_the_rate_of_events_is_told():
    engine, client = client_of()
    time.sleep(.6)
    engine.track_batch(["ann"] * 3000)
    engine.track_user_activity("bob", 10)
    told = client.get("/ml/status").json()["traffic"]
    assert told["events_total"] == 3001 and 2 < told["events_per_second"] < 5002


def test_what_services_and_metrics_taught_is_kept_in_a_folder(tmp_path):
    _, client = client_of(folder=str(tmp_path))
    assert client.put("/scaling/web", json={"replicas_min": 7}).status_code == 201
    assert client.put("/anomaly/series/host/cpu", json={"min": 0, "max": 1}).status_code == 201
    _, again = client_of(folder=str(tmp_path))
    assert again.get("/scaling/web").json()["settings"]["replicas_min"] == 7
    assert again.put("/anomaly/series/host/cpu", json={"min": 0, "max": 1}).status_code == 200
    assert again.delete("/anomaly/series/host").status_code == 204
    assert again.delete("/anomaly/series/host").status_code == 404


def test_what_asks_a_model_is_a_path_that_has_one():
    for path in ("/ml/models/predict", "/v2/models/churn/infer", "/v2/models/churn/versions/3/infer"):
        assert liminal.api.asks_a_model("POST", path)
        assert not liminal.api.asks_a_model("GET", path)
    for path in ("/v2/infer", "/v2/models/infer", "/v2/models/a/b/infer", "/ml/jobs/predict",
                 "/ml/models/x/ml/models/predict", "/v2/models/churn/infer/"):
        assert not liminal.api.asks_a_model("POST", path)


def start(*arguments):
    return subprocess.run([sys.executable, "-m", "liminal.api", *arguments], capture_output=True, text=True,
                          timeout=180)


def test_a_folder_that_cannot_be_used_is_told_of_instead_of_ready(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("x")
    done = start("--api", "127.0.0.1:0", "--data", str(taken / "below"))
    assert done.returncode == 1 and "ready" not in done.stdout
    assert done.stderr.startswith("liminal.api: ") and "Traceback" not in done.stderr


def test_names_of_this_machine_need_no_token():
    process = subprocess.Popen([sys.executable, "-m", "liminal.api", "--api", "localhost:0"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("ready api=localhost:")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    for wrong in ("0.0.0.0:0", "localhost:port", "localhost:99999"):
        done = start("--api", wrong)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
