"""The trainer ray: every fit a task of the cluster, the same model as here, also when workers die."""
import contextlib
import csv
import json
import os
import pathlib
import signal
import threading

import numpy as np
import pytest
from clients import ask, wait_for, wait_for_job
from conftest import PROJECT, processes

import liminal

FITS = 12


def table(rows: int, seed: int = 3) -> dict:
    draw = np.random.default_rng(seed)
    a, kind = draw.normal(size=rows), draw.integers(0, 3, size=rows)
    value = 2 * a + (kind == 1) + draw.normal(size=rows) / 2
    return {"a": a, "b": draw.normal(size=rows), "kind": np.array(["x", "y", "z"])[kind].tolist(),
            "user": [f"user-{place % 40}" for place in range(rows)],
            "bad": np.where(value > .5, "yes", "no").tolist(), "value": value}


def without(columns: dict, name: str) -> dict:
    return {one: values for one, values in columns.items() if one != name}


def workers() -> list[int]:
    """Processes that carry out fits now."""
    return processes("ray::carry_out")


def test_a_training_gives_the_same_model_as_here(cluster):
    rows = table(500)
    for target, more in (("bad", {"group": "user"}), ("value", {"quantile": .9, "ignore": ["user"]})):
        columns = without(rows, "value" if target == "bad" else "bad")
        here = liminal.train(columns, target, fits_max=FITS, **more)
        there = liminal.train(columns, target, fits_max=FITS, trainer="ray", **more)
        assert there.model.to_onnx() == here.model.to_onnx()
        assert there.figures == here.figures


def test_fits_whose_workers_die_are_carried_out_again(cluster):
    columns = without(table(6000), "value")
    here = liminal.train(columns, "bad", fits_max=FITS)
    killed, over = [], threading.Event()

    def kill():
        while not over.is_set() and len(killed) < 3:
            for one in workers()[:1]:
                with contextlib.suppress(ProcessLookupError):  # its fit may be over
                    os.kill(one, signal.SIGKILL)
                    killed.append(one)
            over.wait(.3)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        there = liminal.train(columns, "bad", fits_max=FITS, trainer="ray")
    finally:
        over.set()
        killer.join()
    print(f"workers killed: {len(killed)}")
    assert killed
    assert there.model.to_onnx() == here.model.to_onnx()


def write_rows(settings: dict, name: str) -> None:
    folder = pathlib.Path(settings["folder"]) / "registry" / "models" / "training"
    folder.mkdir(exist_ok=True)
    draw = np.random.default_rng(5)
    features = ["messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"]
    with (folder / name).open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow([*features, "is_anomaly", "timestamp", "user_id"])
        for place in range(3000):
            bad = place % 400 < 80
            lines.writerow([*(draw.normal(size=4) + (1.5 if bad else 0)).round(4), int(bad),
                            1_700_000_000 + place, f"user-{place % 400}"])


def trained(base: str, **wish) -> dict:
    def taken() -> dict | None:
        status, told = ask(base, "/ml/models/train", {
            "model_name": "anomaly_detection", "data_source": "file", "file": "rows.csv"} | wish)
        assert status in (202, 503), told  # 503: the actor of models is on its way
        return told if status == 202 else None

    return wait_for("a training", taken, 60, pause_s=1)


def test_jobs_of_the_application_have_their_fits_on_the_cluster(cluster, application):
    base, settings = application
    write_rows(settings, "rows.csv")
    versions = []
    for trainer in ("builtin", "ray"):
        job = wait_for_job(base, trained(base, trainer=trainer, fits_max=FITS)["job_id"])
        assert job["state"] == "succeeded" and job["trainer"] == trainer, job
        assert job["progress"] == 1 and job["leaderboard"]
        versions.append(job["result"]["version"])
    told = {one["version"]: one for one in ask(base, "/ml/models/anomaly_detection")[1]["versions"]}
    builtin, there = (told[one] for one in versions)
    assert there["onnx_sha256"] == builtin["onnx_sha256"]
    assert ask(base, f"/ml/models/anomaly_detection/versions/{versions[1]}/report")[0] == 200


class Here:
    """The application as tests/serve/join_cluster.py asks a cluster."""

    def __init__(self, base: str):
        self.base = base

    def ask(self, method, path, body=None, status=(200,)):
        got, told = ask(self.base, path, None if body is None else json.loads(body), method)
        assert got in status, told
        return told


def check_trained_there(gateway, cluster, job):
    """A job of the gateway whose version is the cluster's newest, with its figures and its report."""
    assert job["state"] == "succeeded" and job["progress"] == 1 and job["leaderboard"], job
    theirs = cluster.ask("GET", "/ml/models/anomaly_detection")["versions"][0]
    [ours] = [one for one in gateway.ask("GET", "/ml/models/anomaly_detection")["versions"]
              if one["version"] == job["result"]["version"]]
    assert ours["onnx_sha256"] == theirs["onnx_sha256"] and ours["metrics"] == theirs["metrics"]
    assert ours["job_id"] == job["job_id"]
    report = f"/ml/models/anomaly_detection/versions/{ours['version']}/report"
    assert "leaderboard" in json.dumps(gateway.ask("GET", report))


def test_a_gateway_takes_champion_and_limits_and_sends_what_it_sees(application, tmp_path, monkeypatch):
    program = os.environ.get("LIMINAL_PROGRAM")
    if not program:
        pytest.skip("LIMINAL_PROGRAM does not name the binary")
    monkeypatch.syspath_prepend(str(PROJECT / "tests/serve"))
    import join_cluster

    base, _ = application
    assert ask(base, "/ml/models/anomaly_detection/load", {"version": 1})[0] == 200
    champion = next(one for one in ask(base, "/ml/models/anomaly_detection")[1]["versions"] if one["version"] == 1)
    join_cluster.set_limits(Here(base), 19)
    gateway = join_cluster.Server(program, str(tmp_path / "gateway"), "127.0.0.1:0", "--engine", f"ray={base}",
                                  *join_cluster.JOINED)
    try:
        alert = join_cluster.check_joined(gateway, Here(base), champion["onnx_sha256"])
        join_cluster.check_labels(Here(base), alert)
        check_trained_there(gateway, Here(base), join_cluster.trained_there(gateway, fits_max=FITS, seed=7))
        gateway.stop()
    finally:
        gateway.kill()


def test_a_job_on_the_cluster_is_cancelled(application):
    base, settings = application
    write_rows(settings, "rows.csv")
    job = trained(base, trainer="ray", fits_max=100_000)["job_id"]

    def begun() -> dict | None:
        told = ask(base, f"/ml/jobs/{job}")[1]
        assert told["state"] in ("queued", "running"), told
        return told if told["leaderboard"] else None

    assert wait_for("a first fit", begun, 60)["progress"] < 1
    assert ask(base, f"/ml/jobs/{job}", method="DELETE")[0] == 200
    assert wait_for_job(base, job)["state"] == "cancelled"
    wait_for("the end of its fits", lambda: not workers(), 60)


def test_what_has_no_search_is_refused(application):
    base, _ = application
    status, told = ask(base, "/ml/models/train", {
        "model_name": "user_behavior", "data_source": "recent_features", "trainer": "ray"})
    assert status == 422 and told["errors"][0]["path"] == "trainer", told
