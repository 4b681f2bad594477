"""Training: the program's search over tables of Python, to the bit."""
import subprocess
import threading

import numpy as np
import pytest

import liminal

FITS = 12


def table(rows: int = 300, seed: int = 1) -> dict:
    """Rows whose class, or value, follows from `a` and `kind`; some are missing."""
    draw = np.random.default_rng(seed)
    a, red = draw.normal(size=rows).round(4), draw.random(rows) < .5
    value = 2 * a + np.where(red, 2, -2) + .3 * draw.normal(size=rows)
    a[::17] = np.nan
    kind = [None if place % 23 == 0 else "red" if one else "blue" for place, one in enumerate(red)]
    return {"a": a, "kind": kind, "user": [f"user-{place % 30}" for place in range(rows)],
            "hour": np.arange(rows) * 3600.0, "y": np.where(value > 0, "yes", "no").tolist(),
            "value": value.round(4)}


def csv_of(columns: dict) -> str:
    def text(value):
        return "" if value is None or value != value else str(value)

    lines = [",".join(columns)]
    lines += [",".join(map(text, row)) for row in zip(*columns.values())]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("more", [
    {}, {"time": "hour", "ignore": ["user"]}, {"group": "user", "objective": "log-loss"},
], ids=["by chance", "by time", "by user"])
def test_the_model_is_the_programs_to_the_bit(program, tmp_path, more):
    columns = {name: values for name, values in table().items() if name != "value"}
    if "group" in more:
        columns["user"] = [None if place % 7 == 0 else user for place, user in enumerate(columns["user"])]
    (tmp_path / "rows.csv").write_text(csv_of(columns))
    arguments = [f"--{name}={one}" for name, given in more.items()
                 for one in (given if isinstance(given, list) else [given])]
    subprocess.run([program, "train", "rows.csv", "--target", "y", "--fits-max", str(FITS), "--out",
                    "rows.onnx", "--quiet", *arguments], cwd=tmp_path, check=True, capture_output=True)
    trained = liminal.train(columns, "y", name="rows", fits_max=FITS, workers=1, **more)
    files = trained.save(tmp_path / "python.onnx")
    assert files[0].read_bytes() == (tmp_path / "rows.onnx").read_bytes()
    champion = tmp_path / "rows.champion.onnx"
    assert [file.name for file in files[1:]] == ["python.champion.onnx"] * champion.exists()
    if champion.exists():
        assert files[1].read_bytes() == champion.read_bytes()
    assert trained.figures["roc_auc"] > .9
    assert {"recipe", "score", "fits", "weight"} <= set(trained.leaderboard[0])
    assert trained.report["data"]["rows"] == 300 and "<html" in trained.html


def test_ray_is_refused_where_it_is_not():
    for task, why in (("auto", "trainer: ray (is not installed|needs a cluster)"),
                      ("clustering", "trainer: ray is for tasks with a target")):
        with pytest.raises(ValueError, match=why):
            liminal.train(table(), None if task == "clustering" else "y", task=task, trainer="ray")
    with pytest.raises(ValueError, match="trainer: must be builtin or ray"):
        liminal.train(table(), "y", trainer="another")


def test_tables_of_all_kinds_are_the_same():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    columns = {name: values for name, values in table().items() if name in ("a", "kind", "y")}
    frame = pandas.DataFrame(columns)
    tables = [columns, frame, frame.astype({"kind": "category"}), frame.convert_dtypes(),
              pyarrow.table(columns), pyarrow.table(columns).set_column(
                  1, "kind", pyarrow.array(columns["kind"]).dictionary_encode())]
    models = [liminal.train(one, "y", fits_max=FITS).model for one in tables]
    assert len({model.to_onnx() for model in models}) == 1
    rows = [liminal.encode_rows(models[0], one) for one in tables]
    assert all(np.array_equal(one, rows[0], equal_nan=True) for one in rows[1:])
    assert np.isnan(rows[0][0]).all() and set(rows[0][1:5, 1]) <= {0, 1, np.nan}


def test_arrays_are_learnt_from_and_asked():
    draw = np.random.default_rng(2)
    rows = draw.normal(size=(400, 3)).astype(np.float32)
    labels = rows[:, 0] + rows[:, 1] > 0
    trained = liminal.train(rows, labels, features=["x", "y", "z"], fits_max=FITS)
    assert trained.model.features == ["x", "y", "z"]
    scores = trained.model.predict(rows)
    assert ((scores > .5) == labels).mean() > .9
    assert np.array_equal(trained.predict({"z": rows[:, 2], "x": rows[:, 0], "y": rows[:, 1]}), scores)
    told = trained.model.explain(rows[0])
    assert abs(told["contributions"][2]) < abs(told["contributions"][:2]).max()


def test_values_quantiles_anomalies_and_clusters():
    columns = {name: values for name, values in table().items() if name in ("a", "kind", "value")}
    mean = liminal.train(columns, "value", fits_max=FITS)
    assert mean.model.task == "regression" and mean.figures["mean_absolute_error"] < 1.5
    high = liminal.train(columns, "value", quantile=.9, fits_max=FITS)
    truth = columns["value"]
    assert (high.predict(columns) >= truth).mean() > (mean.predict(columns) >= truth).mean() + .1
    forest = liminal.train({"a": columns["a"]}, task="anomaly", alert_ratio=.02)
    assert forest.model.kind == "isolation_forest" and forest.champion is forest.model
    assert forest.predict({"a": np.array([0, 90.])})[1] > forest.report["line"]
    spots = np.concatenate([np.random.default_rng(1).normal(c, .1, size=(60, 2)) for c in (0, 5)])
    groups = liminal.train(spots, task="clustering")
    assert [one["rows"] for one in groups.report["clusters"]] == [60, 60]


def test_others_run_meanwhile_and_the_search_can_be_ended():
    told, ticks, done = [], 0, threading.Event()

    def train():
        liminal.train(table(), "y", ignore=["value", "hour"], time_budget_s=60,
                      progress=lambda *what: told.append(what) or (len(told) < 3))
        done.set()

    thread = threading.Thread(target=train)
    thread.start()
    while not done.is_set():
        ticks += 1
    thread.join()
    assert len(told) >= 3 and 0 <= told[0][0] <= 1 and ticks > 10_000


@pytest.mark.parametrize("change, named", [
    ({"target": None}, "target"), ({"target": "x"}, "has no column x"),
    ({"target": "user"}, "30 different texts"), ({"task": "guess"}, "task"),
    ({"objective": "squared"}, "is for values"), ({"target": np.ones(300)}, "no two different"),
    ({"target": [1, 2]}, "target: must have a value for each row"),
    ({"weight": np.zeros(300)}, "weight"), ({"ignore": ["x"]}, "ignore"), ({"workers": 0}, "workers"),
    ({"fits_max": 0}, "fits_max"), ({"quantile": 2.0, "target": "value"}, "quantile"),
    ({"time": [None] * 300}, "time"), ({"features": ["x"]}, "features"),
])
def test_what_is_wrong_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        liminal.train(table(), **({"target": "y", "fits_max": 8} | change))


def test_too_few_rows_are_counted():
    with pytest.raises(ValueError, match="more of the rarer class are needed"):
        liminal.train(table(12), "y", fits_max=8)
    with pytest.raises(ValueError, match="all of one length"):
        liminal.train({"a": [1, 2], "b": [1]}, "b")


def test_rows_that_do_not_fit_a_model_are_named():
    columns = table()
    model = liminal.train({name: columns[name] for name in ("a", "kind", "y")}, "y", fits_max=FITS).model
    with pytest.raises(ValueError, match="kind"):
        liminal.encode_rows(model, {"a": [1.0]})
    with pytest.raises(ValueError, match="kind: must be texts"):
        liminal.encode_rows(model, {"a": [1.0], "kind": [2.0]})
    new = liminal.encode_rows(model, {"kind": ["green", "red"], "a": [1.0, np.inf], "more": [0, 0]})
    assert np.isnan(new[0, 1]) and new[1, 1] == 1
