"""Distributed trainings: files read by Ray Data, trees grown by Ray Train, judged as any other model."""
import contextlib
import csv
import json
import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest
from clients import ask, wait_for, wait_for_job
from conftest import processes

import liminal
from liminal import _engine
from liminal.engine import Engine

pa = pytest.importorskip("pyarrow")
xgboost = pytest.importorskip("xgboost")
pytest.importorskip("ray.data")
from liminal import _spread, _spread_rows, _spread_trees  # noqa: E402

FEATURES = ["messages_per_minute", "avg_message_size", "error_rate", "rate_limit_violations"]
WISH = {"files": [], "features": ["a", "b"], "target": "y", "classes": True, "workers": 1, "sample_rows": 1000,
        "rounds_max": 20, "budget_s": 60.0, "seed": 1, "cpus": .5}


def rows_of(count: int) -> list[list]:
    """Some of a fifth of the users' rows are bad; a row is a line of a file."""
    draw = np.random.default_rng(5)
    rows = []
    for place in range(count):
        bad = place % 400 < 80 and draw.random() < .8
        rows.append([*(draw.normal(size=4) + (1.5 if bad else 0)).round(4), int(bad), 1_700_000_000 + place,
                     f"user-{place % 400}"])
    return rows


def write(file: pathlib.Path, rows: list[list], header: list[str]) -> pathlib.Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return file


def columns(table: pa.Table, **changed) -> dict[str, np.ndarray]:
    return _spread_rows.unpacked(_spread_rows._rows_of(table, _spread_rows.Wish(**WISH | changed)))


def test_rows_are_read_as_the_search_reads_them():
    read = columns(pa.table({"a": ["1", "N/A", "-2.5e1"], "b": pa.array([1, None, 3]),
                             "y": ["true", "0", "none"],
                             "timestamp": ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20.5+01:00", None],
                             "user_id": ["ann", "", None]}))
    assert read["x"].dtype == np.float32
    np.testing.assert_equal(read["x"], np.float32([[1, 1], [np.nan, np.nan], [-25, 3]]))
    np.testing.assert_equal(read["y"], np.float32([1, 0, np.nan]))
    np.testing.assert_equal(read["t"], [1_700_000_000, 1_700_000_000.5, np.nan])
    assert read["u"].tolist() == [_engine.user_hashes(["ann"])[0], 0, 0]
    for lacking in ({"y": [True, False]}, {"y": [1.0, 0.0], "a": [np.inf, 1.0], "user_id": [7, 8]}):
        read = columns(pa.table(lacking))
        assert read["y"].tolist() == [1, 0] and np.isnan(read["x"][0]).all()
    assert read["u"].tolist() == _engine.user_hashes(["7", "8"]).tolist()
    for wrong, words in (({"a": ["x"]}, "a: is no number"), ({"y": [2]}, "y: must be 0 or 1"),
                         ({"timestamp": ["noon"]}, "timestamp: is no time")):
        with pytest.raises(ValueError, match=words):
            columns(pa.table({"y": [1]} | wrong))
    assert columns(pa.table({"y": [2.5]}), classes=False)["y"].tolist() == [2.5]
    assert columns(pa.table({"y": pa.array([], pa.int64())}))["x"].shape == (0, 2)


def test_files_that_lack_a_column_are_refused(tmp_path):
    whole = write(tmp_path / "1.csv", [], ["a", "b", "y", "timestamp", "user_id"])
    part = write(tmp_path / "2.csv", [], ["b", "y", "a", "user_id"])
    wish = WISH | {"files": [str(whole), str(part)]}
    assert _spread_rows.columns_of(_spread_rows.Wish(**wish)) == ["a", "b", "y", "user_id"]
    for header, words in ((["a", "y"], "3.csv: has no column b"), (["a", "b", "y", "b"], "column b twice"),
                          ([], "3.csv: has no column a")):
        wish["files"] = [str(whole), str(write(tmp_path / "3.csv", [], header))]
        with pytest.raises(ValueError, match=words):
            _spread_rows.columns_of(_spread_rows.Wish(**wish))


def test_users_tell_when_to_end_where_there_are_enough_of_them():
    def told(users: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
        rows = {"u": np.arange(count, dtype=np.uint64) % np.uint64(users) + np.uint64(1),
                "y": (np.arange(count) // users % 3 == 0).astype(np.float32)}
        return rows["u"], _spread_trees.parted(rows, 1, 0, True)

    users, tells = told(400)
    assert .03 < tells.mean() < .2
    assert not set(users[tells]) & set(users[~tells]), "whole users"
    for few in (1, 2, 3):
        users, tells = told(few)
        assert .05 < tells.mean() < .15, "some rows by chance"


def test_time_that_is_up_leaves_a_model():
    class Told:
        class heard:
            remote = staticmethod(lambda rounds: None)

    rows = columns(pa.table(dict(zip([*FEATURES, "y", "timestamp", "user_id"], map(list, zip(*rows_of(3000)))))),
                   features=FEATURES, target="y")
    made = _spread_trees.grown(rows, {"classes": True, "seed": 1, "threads": 1, "rounds_max": 40, "until": 0.0}, 0,
                               Told)
    assert made["out_of_time"] and made["rounds"] >= 1


def test_values_far_from_zero_are_grown_as_well():
    draw = np.random.default_rng(1)
    x = (draw.random((3000, 2)) * 10).astype(np.float32)
    truth = x[:, 0].astype(np.float64) ** 2
    noise = draw.normal(size=3000)
    config = {"classes": False, "seed": 1, "threads": 1, "rounds_max": 200, "until": time.time() + 60}
    errors = []
    for far in (0, 1e7):
        rows = {"x": x, "y": (far + truth + noise).astype(np.float32), "u": np.zeros(3000, np.uint64)}
        booster = xgboost.Booster(model_file=bytearray(_spread_trees.grown(rows, config, 0, None)["booster"]))
        # What answers here are its leaves, added up in double precision.
        learner = json.loads(booster.save_raw("json"))["learner"]
        leaves = booster.predict(xgboost.DMatrix(x), pred_leaf=True).astype(int)
        said = float(learner["learner_model_param"]["base_score"].strip("[]")) + sum(
            np.array(tree["split_conditions"], np.float64)[leaves[:, place]]
            for place, tree in enumerate(learner["gradient_booster"]["model"]["trees"]))
        errors.append(np.abs(said - far - truth).mean())
    assert errors[1] < 1.5 * errors[0], errors


class Here:
    """Stands for the cluster: one worker in this process, without Ray."""

    def __init__(self, rows: dict[str, np.ndarray]):
        self.rows, self.ended = rows, 0

    def at_once(self) -> int:
        return 1

    def spread(self, files, features, target, classes, workers, sample_rows, rounds_max, budget_s, seed):
        assert classes and workers == 3 and rounds_max == 200
        self.config = {"classes": classes, "seed": seed, "threads": 1, "rounds_max": 40,
                       "until": time.time() + budget_s}
        return self

    def sample(self, stopped, tell):
        tell(.2)
        assert not stopped()
        count = len(self.rows["y"])
        return {"values": self.rows["x"], "labels": self.rows["y"], "times": self.rows["t"], "users": self.rows["u"],
                "rows": count, "left_out": 0, "positives": int(self.rows["y"].sum()), "notes": ["a note"]}

    def grow(self, parting, stopped, tell):
        learnt = _engine.learnt_from(self.rows["x"], self.rows["t"], self.rows["u"], **parting) != 0
        made = _spread_trees.grown({key: values[learnt] for key, values in self.rows.items()}, self.config, 0, None)
        self.booster = made["booster"]
        return {key: made[key] for key in ("booster", "rounds", "score", "took_s")} | {
            "rows": int(learnt.sum()), "workers": 3, "recipe": "one", "notes": []}

    def end(self):
        self.ended += 1


def test_what_xgboost_grew_answers_the_same_here(tmp_path):
    names = [*FEATURES, "is_anomaly", "timestamp", "user_id"]
    table = pa.table(dict(zip(names, map(list, zip(*rows_of(6000))))))
    here = Here(columns(table, features=FEATURES, target="is_anomaly"))
    write(tmp_path / "models/training/rows.csv", [], names)
    service = _engine.Service(Engine(), folder=str(tmp_path), models="here", fits=here)

    def call(method, path, body=b""):
        return service.handle(method, path, [(b"Content-Type", b"application/json")], body, "127.0.0.1", True)

    status, _, told = call("POST", "/ml/models/train", b'{"model_name":"anomaly_detection","data_source":"file",'
                           b'"file":"rows.csv","trainer":"ray","distributed":true,"workers":3}')
    assert status == 202, told
    wait_for("its end", lambda: b'"state":"running"' not in (job := call("GET", "/ml/jobs/1")[2])
             and b'"state":"queued"' not in job, 60)
    assert b'"state":"succeeded"' in call("GET", "/ml/jobs/1")[2], call("GET", "/ml/jobs/1")[2]
    assert here.ended == 1
    model = liminal.Model.loads(call("GET", "/ml/models/anomaly_detection/versions/1/file")[2])
    booster = xgboost.Booster(model_file=bytearray(here.booster))
    values = here.rows["x"].copy()
    values[::7, 1] = np.nan
    theirs = booster.predict(xgboost.DMatrix(values))
    np.testing.assert_allclose(model.predict(values), theirs, atol=1e-6)
    del service


def begin(base: str, **wish) -> tuple[int, dict]:
    def taken():
        status, told = ask(base, "/ml/models/train", {
            "model_name": "anomaly_detection", "data_source": "file", "file": "parts", "trainer": "ray",
            "distributed": True} | wish)
        return (status, told) if status != 503 else None  # the actor of models is on its way

    return wait_for("an answer", taken, 60, pause_s=1)


@pytest.fixture
def parts(application) -> str:
    base, settings = application
    folder, rows = pathlib.Path(settings["folder"]) / "registry/models/training/parts", rows_of(9000)
    for part in range(3):
        write(folder / f"{part}.csv", rows[part::3], [*FEATURES, "is_anomaly", "timestamp", "user_id"])
    return base


def test_workers_grow_trees_of_a_folder_together_and_one_that_dies_is_replaced(cluster, parts):
    base, killed, over = parts, [], threading.Event()

    def kill():
        while not over.wait(.05) and not killed:
            for one in processes("ray::RayTrainWorker")[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
                    killed.append(one)

    killer = threading.Thread(target=kill)
    killer.start()
    begun = time.monotonic()
    try:
        status, told = begin(base, workers=2)
        assert status == 202, told
        job = wait_for_job(base, told["job_id"])
    finally:
        over.set()
        killer.join()
    print(f"a distributed training, one of its workers killed: {time.monotonic() - begun:.1f} s")
    assert killed and job["state"] == "succeeded", job
    assert job["progress"] == 1 and job["distributed"] and job["workers"] == 2
    [line] = job["leaderboard"]
    assert "by 2 workers" in line["recipe"] and line["score"] > .8
    [version] = [one for one in ask(base, "/ml/models/anomaly_detection")[1]["versions"]
                 if one["version"] == job["result"]["version"]]
    assert version["trainer"] == "ray" and version["metrics"]["roc_auc"] > .8, version
    report = ask(base, f"/ml/models/anomaly_detection/versions/{version['version']}/report")[1]
    assert "9000 rows of 3 files" in report["data"]["notes"]
    wait_for("the end of its processes", lambda: not processes("ray::SpreadHere"), 60)


def test_what_cannot_be_distributed_is_refused(parts):
    for wish, path in (({"trainer": "builtin"}, "distributed"), ({"fits_max": 12}, "fits_max"),
                       ({"file": "../../parts"}, "file"), ({"file": "none"}, "file"),
                       ({"distributed": False, "workers": 2}, "workers")):
        status, told = begin(parts, **wish)
        assert status == 422 and [one["path"] for one in told["errors"]] == [path], (wish, told)


def test_a_distributed_job_is_cancelled_at_once(parts):
    status, told = begin(parts)
    assert status == 202, told
    wait_for("its beginning", lambda: processes("ray::SpreadHere"), 60)
    begun = time.monotonic()
    assert ask(parts, f"/ml/jobs/{told['job_id']}", method="DELETE")[0] == 200
    assert wait_for_job(parts, told["job_id"])["state"] == "cancelled"
    wait_for("the end of its processes", lambda: not processes("ray::SpreadHere"), 60)
    print(f"cancelled within {time.monotonic() - begun:.1f} s")


def test_rows_are_dealt_out_evenly(cluster):
    rows = cluster.data.from_arrow([pa.table({"id": range(at, at + 33)}) for at in (0, 33, 66)])
    for workers in (1, 2, 7):
        dealt = [[one for block in cluster.get(part) for one in block["id"].to_pylist()]
                 for part in _spread_rows.dealt(rows, workers)]
        assert len(dealt) == workers and sum(dealt, []) == list(range(99))
        assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_what_is_wrong_with_the_rows_is_said(cluster, tmp_path):
    def sample(rows, **changed):
        wish = WISH | {"files": [str(write(tmp_path / "rows.csv", rows, ["a", "b", "y"]))]} | changed
        training = _spread.Spread(wish, str(tmp_path / "scratch"))
        try:
            return training.sample(lambda: False, lambda progress: None)
        finally:
            training.end()

    for rows, words in (([[1, 2, 1]] * 50, "y: is the same in all 50 rows"), ([[1, "x", 1]], "'x'")):
        with pytest.raises(ValueError, match=words):
            sample(rows)
    with pytest.raises(LookupError, match="100 workers of 0.5 CPUs each do not fit"):
        sample([], workers=100)
    assert not list((tmp_path / "scratch").iterdir())
