"""Trained models on the cluster: added as docs/adding-a-model.md says, asked, trained, and what they survive."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from conftest import PROJECT, recipe


def ask(base, path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_model_is_added_as_described(cluster, application, tmp_path):
    base, settings = application
    written, checked = recipe("python")
    there: dict = {}
    exec(written, there)
    exec(checked, there)
    assert there["Churn"].definition in settings["models"]
    assert ask(base, "/ml/models/predict", {"model_name": "churn", "features": {}})[0] == 404
    trained = there["Churn"]().train()
    assert trained.figures["roc_auc"] > .8
    file = trained.save(tmp_path / "churn.onnx")[0]
    command = recipe("sh")[0].split()
    address = cluster.get_runtime_context().gcs_address
    done = subprocess.run([sys.executable, PROJECT / command[0], command[1], file, *command[3:],
                           "--address", address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "version 1 of churn is champion"
    there["check_churn"](base)
    # The replica's copy answers what the file does.
    time.sleep(1.5)
    features = {"messages_per_minute": 6, "error_rate": .2, "days_silent": 12}
    status, told = ask(base, "/ml/models/predict", {"model_name": "churn", "features": features})
    assert status == 200
    assert told["prediction"] == trained.predict({key: [value] for key, value in features.items()})[0]
    wrong = ask(base, "/ml/models/predict", {"model_name": "churn", "features": {"size": 1}})
    assert wrong[0] == 422 and len(wrong[1]["errors"]) == 4


def test_predictions_outlive_the_actor_that_keeps_models(cluster, application):
    from liminal._owner import models_of

    base, settings = application
    wish = {"model_name": "churn", "features": {"messages_per_minute": 6, "error_rate": .2,
                                                "days_silent": 12}}
    before = ask(base, "/ml/models/predict", wish)
    assert before[0] == 200
    time.sleep(1.5)  # replicas have looked
    pid = cluster.get(models_of(settings["name"]).about.remote())["pid"]
    os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        assert ask(base, "/ml/models/predict", wish) == before
    status, told = ask(base, "/ml/models/churn")  # waits for the next incarnation
    assert status == 200 and told["champion"] == 1
    assert cluster.get(models_of(settings["name"]).about.remote())["pid"] != pid


def test_a_model_is_trained_from_what_all_owners_know(application):
    base, _ = application
    now = time.time()
    lines = [json.dumps({"user_id": f"trained-{user}", "kind": "message", "message_size": 10 + user % 7,
                         "channel": f"room-{user % 3}", "timestamp": now - 60 + turn * 12})
             for turn in range(4) for user in range(60)]
    request = urllib.request.Request(base + "/ml/events", "\n".join(lines).encode(),
                                     {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["accepted"] == len(lines)
    status, told = ask(base, "/ml/models/train", {
        "model_name": "user_behavior", "data_source": "recent_features", "fits_max": 8})
    assert status == 202, told

    end = time.monotonic() + 60
    while (job := ask(base, f"/ml/jobs/{told['job_id']}")[1])["state"] in ("queued", "running"):
        assert time.monotonic() < end, job
        time.sleep(.2)
    assert job["state"] == "succeeded", job
    assert ask(base, "/ml/models/user_behavior/versions/1/report")[0] == 200
    if ask(base, "/ml/models/user_behavior")[1]["champion"] is None:
        assert ask(base, "/ml/models/user_behavior/load", {"version": 1})[0] == 200
    model = ask(base, "/ml/models/user_behavior")[1]
    row = dict.fromkeys(model["features"], 1)
    status, said = ask(base, "/ml/models/predict", {"model_name": "user_behavior", "features": row})
    assert status == 200 and said["version"] == 1, said
    assert model["name"] in ask(base, "/ml/status")[1]["model_manager"]["models"]
