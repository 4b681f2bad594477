"""Trained models on the cluster: added as docs/adding-a-model.md says, asked, trained, and what they survive."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from clients import Load, about, ask, get, wait_for, wait_for_job
from conftest import PROJECT, deploy, recipe


def test_deploying_again_renews_who_goes_by_what_changed_and_fails_no_request(cluster, application, capsys):
    from liminal._actors import ensure

    base, settings = application
    definitions = re.findall(r"^    - (.*)$", recipe("yaml")[0], re.M)
    assert definitions and ask(base, "/ml/models/churn")[0] == 404
    before = about(cluster, settings)
    limits = get(base, "/ml/limits")["policies"]
    limits["user"]["messages"]["burst"] = 17
    assert ask(base, "/ml/limits", {"policies": limits}, "PUT")[0] == 200
    with Load(base) as load:
        load.more(100)
        deploy(settings, models=definitions, snapshot_s=.9)
        load.more(200)
    after = about(cluster, settings)
    with capsys.disabled():
        print(f"\n  deployed again, all owners renewed: {load}")
    assert not load.failed, load.failed
    assert [one["settings"]["snapshot_s"] for one in after] == [.9] * len(after)
    assert [one["epoch"] for one in after] == [one["epoch"] + 1 for one in before]
    # Nothing was lost, counted twice or forgotten.
    assert sum(one["accepted"] for one in after) - sum(one["accepted"] for one in before) == load.acknowledged
    assert [one["lost"] for one in after] == [0] * len(after)
    assert get(base, "/ml/limits")["policies"] == limits
    assert ask(base, "/ml/models/churn")[0] == 200
    # The same once more changes nothing; other owners or another folder are refused.
    assert ensure(settings) == []
    for wrong in ({"owners": 3}, {"folder": "/tmp/elsewhere"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ensure(settings | wrong)


def test_a_model_is_added_as_described(cluster, application, tmp_path):
    base, settings = application
    written, checked = recipe("python")
    there: dict = {}
    exec(written, there)
    exec(checked, there)
    assert [there["Churn"].definition] == settings["models"]  # deployed again with it
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


def test_predictions_outlive_the_actor_that_keeps_models(cluster, application, churn):
    base, settings = application
    wish = {"model_name": "churn", "features": {"messages_per_minute": 6, "error_rate": .2,
                                                "days_silent": 12}}
    before = ask(base, "/ml/models/predict", wish)
    assert before[0] == 200
    time.sleep(1.5)  # replicas have looked
    pid = models_pid(cluster, settings)
    os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        assert ask(base, "/ml/models/predict", wish) == before
    status, told = ask(base, "/ml/models/churn")  # waits for the next incarnation
    assert status == 200 and told["champion"] == 1
    assert models_pid(cluster, settings) != pid


def models_pid(cluster, settings):
    from liminal._actors import models_of

    return wait_for("the actor of models", lambda: cluster.get(
        models_of(settings["name"]).about.remote(), timeout=60), 60, passing=(cluster.exceptions.RayActorError,))["pid"]


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

    job = wait_for_job(base, told["job_id"])
    assert job["state"] == "succeeded", job
    assert ask(base, "/ml/models/user_behavior/versions/1/report")[0] == 200
    if ask(base, "/ml/models/user_behavior")[1]["champion"] is None:
        assert ask(base, "/ml/models/user_behavior/load", {"version": 1})[0] == 200
    model = ask(base, "/ml/models/user_behavior")[1]
    row = dict.fromkeys(model["features"], 1)
    status, said = ask(base, "/ml/models/predict", {"model_name": "user_behavior", "features": row})
    assert status == 200 and said["version"] == 1, said
    assert model["name"] in ask(base, "/ml/status")[1]["model_manager"]["models"]
