"""Asks a running Liminal about its models, rightly and wrongly (tests/api/check_api.py)."""
from described import paths_of


def check_models(api):
    """A new server has no versions yet: what needs one is 404 or 409 there, over the fake it is not."""
    models = {one["name"]: one for one in api.ask("GET", "/ml/models", 200)["models"]}
    assert {"anomaly_detection", "load_prediction", "user_behavior"} <= set(models)
    model = models["anomaly_detection"]
    assert api.ask("GET", "/ml/models/anomaly_detection", 200) == model
    trained = 200 if model["champion"] else 404
    row = dict.fromkeys(model["features"], 1)
    wish = {"model_name": "anomaly_detection", "features": row}
    api.ask("POST", "/ml/models/predict", trained, {**wish, "explain": True})
    api.ask("POST", "/ml/models/predict", trained, {**wish, "features": [row, row], "version": 1})
    api.ask("POST", "/ml/models/predict", 404, {**wish, "model_name": "nobody"})
    api.ask("POST", "/ml/models/predict", 422, {**wish, "more": 1})
    if model["champion"]:
        problem = api.ask("POST", "/ml/models/predict", 422, {**wish, "features": {"size": 1}})
        assert set(paths_of(problem)) == {"features." + name for name in [*row, "size"]}, problem
    api.ask("GET", "/ml/models/anomaly_detection/history?limit=5", 200)
    api.ask("GET", "/ml/models/nobody", 404)
    api.ask("GET", "/ml/models/nobody/history", 404)
    for end in ("report", "report.html"):
        api.ask("GET", "/ml/models/anomaly_detection/versions/1/" + end, trained)
        api.ask("GET", "/ml/jobs/12345/" + end, 404)
    if trained == 200:
        page = api.ask("GET", models["anomaly_detection"]["versions"][0]["report"], 200,
                       headers={"Accept": "text/html,application/json;q=0.9"})
        assert page.startswith("<!doctype html>"), page
    raw = "application/octet-stream"
    versions = "/ml/models/anomaly_detection/versions"
    api.ask("POST", versions, 422, "no model", kind=raw)
    api.ask("POST", versions + "?column=x", 422, "no model", kind=raw)
    api.ask("POST", "/ml/models/nobody/versions", 404, "a model", kind=raw)
    if model["champion"]:
        api.ask("POST", versions + "?output=y&line=.9&column=0&file=net.onnx", 201, "a model", kind=raw)
    api.ask("GET", "/ml/models/anomaly_detection/versions/1/file", trained)
    api.ask("GET", "/ml/models/anomaly_detection/versions/2/file?batch=true", trained)
    api.ask("GET", "/ml/models/anomaly_detection/versions/1/file?batch", 404)
    api.ask("POST", "/ml/models/predict", trained, {**wish, "batch": True})
    api.ask("POST", "/ml/models/predict", trained, {**wish, "features": [row, row], "batch": True})
    api.ask("GET", "/ml/models/nobody/versions/1/file", 404)
    api.ask("POST", "/ml/models/anomaly_detection/load", trained, {"version": 1})
    if model["champion"]:  # the fake knows a version of other features
        api.ask("POST", "/ml/models/anomaly_detection/load", 409, {"version": 9})
    api.ask("POST", "/ml/models/nobody/load", 404, {})
    api.ask("POST", "/ml/models/anomaly_detection/load", 422, {"version": "x"})
    api.ask("POST", "/ml/models/train", 422, {"model_name": "nobody", "data_source": "store"})
    api.ask("POST", "/ml/models/train", 422, {"model_name": "anomaly_detection"})
    wish = {"model_name": "anomaly_detection", "data_source": "recent_features"}
    job = api.ask("POST", "/ml/models/train", (202, 409), wish)
    if "job_id" in job:
        path = "/ml/jobs/" + job["job_id"]
        assert api.ask("GET", path, 200)["state"] in ("queued", "running", "succeeded", "failed")
        api.ask("GET", path + "/report", (200, 409))
        api.ask("DELETE", path, (200, 409))
    else:
        assert job["rows_missing"] > 0, job
    every = api.ask("POST", "/ml/models/train", (202, 409), {**wish, "model_name": "all"})
    assert "jobs" in every and len(every["jobs"]) == 3 or every["rows_missing"] > 0, every
    for one in every.get("jobs", []):
        assert (one["job_id"] is None) == (one["problem"] is not None), one
        if one["job_id"]:
            api.ask("DELETE", "/ml/jobs/" + one["job_id"], (200, 409))
    from_file = {"model_name": "all", "data_source": "file", "file": "x.csv"}
    assert paths_of(api.ask("POST", "/ml/models/train", 422, from_file)) == ["data_source"]
    api.ask("GET", "/ml/jobs?limit=3", 200)
    api.ask("GET", "/ml/learning", 200)
    api.ask("GET", "/ml/jobs/12345", 404)
    api.ask("DELETE", "/ml/jobs/12345", 404)
    wish = {"model_name": "anomaly_detection", "mode": "shadow"}
    experiment = api.ask("POST", "/ml/experiments", (201, 409), wish)
    api.ask("POST", "/ml/experiments", 422, {**wish, "mode": "guess"})
    api.ask("GET", "/ml/experiments", 200)
    if "experiment_id" in experiment:
        path = "/ml/experiments/" + experiment["experiment_id"]
        api.ask("GET", path, 200)
        api.ask("DELETE", path, 200)
    api.ask("GET", "/ml/experiments/12345", 404)
    api.ask("DELETE", "/ml/experiments/12345", 404)


def check_inference(api):
    api.ask("GET", "/v2", 200)
    api.ask("GET", "/v2/health/live", 200)
    api.ask("GET", "/v2/health/ready", 200)
    model = "/v2/models/anomaly_detection"
    champion = api.ask("GET", "/ml/models/anomaly_detection", 200)["champion"]
    trained = 200 if champion else 404
    body = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 4],
                        "data": [[1, 2, 3, 4], [5, 6, 7, None]]}]}
    for path in (model, f"{model}/versions/{champion or 1}"):
        api.ask("GET", path, trained)
        api.ask("GET", path + "/ready", trained)
        api.ask("POST", path + "/infer", trained, body)
        api.ask("POST", path + "/infer", 422, {"inputs": []})
    api.ask("GET", model + "/versions/x", 404)
    api.ask("POST", "/v2/repository/index", 200, {"ready": True})
    repository = "/v2/repository/models/anomaly_detection"
    api.ask("POST", repository + "/load", trained, {"parameters": {"version": 2}})
    api.ask("POST", repository + "/unload", trained, {})
    api.ask("POST", repository + "/load", trained, {})
