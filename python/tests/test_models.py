import copy
import pathlib
import pickle

import numpy as np
import pytest
from conftest import PROJECT

import liminal

FILES = sorted((PROJECT / "src/io/onnx/read_corpus").glob("ours_*.onnx"))


def test_there_are_files():
    kinds = {liminal.Model.load(str(path)).kind for path in FILES}
    assert kinds == {"trees", "linear", "mlp", "kmeans", "isolation_forest", "blend"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_predicts_and_explains(path: pathlib.Path):
    model = liminal.Model.load(str(path))
    assert liminal.Model.loads(path.read_bytes()).to_onnx() == model.to_onnx()
    rows = np.random.default_rng(1).normal(size=(50, len(model.features))).astype(np.float32)
    scores = model.predict(rows)
    assert scores.shape == (50,) and scores.dtype == np.float64 and np.isfinite(scores).all()
    # Alone or in a batch, after a round through a file: the same bits.
    again = liminal.Model.loads(model.to_onnx())
    assert [again.predict(row[np.newaxis])[0] for row in rows] == scores.tolist()
    told = model.explain(rows[0])
    assert told["margin"] == pytest.approx(told["expectation"] + told["contributions"].sum())
    if model.task == "clustering":
        assert model.clusters(rows).dtype == np.uint32
    else:
        with pytest.raises(ValueError, match="clusters"):
            model.clusters(rows)
    with pytest.raises(ValueError, match="columns"):
        model.predict(np.zeros((1, len(model.features) + 1), np.float32))


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model"):
        liminal.Model.loads(b"nonsense")
    with pytest.raises(FileNotFoundError):
        liminal.Model.load(str(tmp_path / "missing.onnx"))


def test_what_takes_a_file_takes_what_open_takes(tmp_path):
    path = FILES[0]
    whole = liminal.Model.load(path).to_onnx()
    assert liminal.Model.load(str(path)).to_onnx() == whole
    for bytes_like in (bytearray(path.read_bytes()), memoryview(path.read_bytes())):
        assert liminal.Model.loads(bytes_like).to_onnx() == whole
    with pytest.raises(IsADirectoryError):
        liminal.Model.load(tmp_path)
    with pytest.raises(ValueError, match="bytes: must be bytes"):
        liminal.Model.loads("text")
    with pytest.raises(IsADirectoryError):
        liminal.replay(tmp_path)


def test_rows_may_be_any_numbers_and_what_is_wrong_is_named():
    model = liminal.Model.load(FILES[0])
    width = len(model.features)
    rows = np.random.default_rng(2).normal(size=(3, width)).astype(np.float32)
    scores = model.predict(rows).tolist()
    assert model.predict(rows.tolist()).tolist() == scores
    assert model.predict(rows.astype(np.float64)).tolist() == scores
    assert model.predict(np.asfortranarray(rows)).tolist() == scores
    pandas = pytest.importorskip("pandas")
    assert model.predict(pandas.DataFrame(rows, columns=model.features)).tolist() == scores
    assert model.explain(rows[0].tolist())["margin"] == model.explain(rows[0])["margin"]
    for wrong in (rows[0], [["a"] * width], None, [[1], [1, 2]], object()):
        with pytest.raises(ValueError, match=r"rows: must be numbers of shape \(n, features\)"):
            model.predict(wrong)
    with pytest.raises(ValueError, match=r"row: must be numbers of shape \(features,\)"):
        model.explain(rows)
    with pytest.raises(ValueError, match=r"background: must be numbers"):
        model.explain(rows[0], background=rows[0])
    assert repr(model) == f"<liminal.Model {model.name}: {model.task} by {model.kind}, {width} features>".replace(
        "Model :", "Model:")


def test_models_of_texts_are_asked_by_texts():
    from liminal.model_manager import ModelManager

    columns = {"size": np.arange(90.), "kind": ["red" if place % 3 else "blue" for place in range(90)],
               "left": ["yes" if place % 3 else "no" for place in range(90)]}
    manager = ModelManager()
    model = manager.load(liminal.train(columns, "left", name="churn", fits_max=8).model)
    rows = [{"size": 5, "kind": kind} for kind in ("red", "blue", "green", None)]
    told = [one["score"] for one in manager.predict("churn", rows)["predictions"]]
    levels = [1., 0., np.nan, np.nan]
    assert told == model.predict([[5, level] for level in levels]).tolist() and told[0] != told[1]
    with pytest.raises(ValueError, match=r"features\[0\]\.size: must be a number"):
        manager.predict("churn", {"size": "large", "kind": "red"})
    with pytest.raises(ValueError, match=r"features\[1\]\.kind: must be a number or a text"):
        manager.predict("churn", [rows[0], {"size": 1, "kind": []}])


def test_models_are_asked_by_the_names_of_features():
    from liminal.model_manager import model_manager

    assert liminal.model_manager is model_manager is liminal.model_manager.model_manager
    model = model_manager.load(FILES[2], "churn")
    row = {name: .5 for name in model.features}
    told = model_manager.predict("churn", row, explain=True)
    assert told["model"] == "churn" and 0 <= told["prediction"]["score"] <= 1
    assert told["prediction"]["label"] == (told["prediction"]["score"] >= model.line)
    assert set(told["prediction"]["contributions"]) == set(model.features)
    assert model_manager.predict("churn", [row, row])["predictions"] == [
        {key: told["prediction"][key] for key in ("score", "label")}] * 2
    with pytest.raises(ValueError, match=r"features\[1\]: missing: feature_0; unknown: x"):
        model_manager.predict("churn", [row, {"x": 1} | {
            name: 0 for name in model.features if name != "feature_0"}])
    with pytest.raises(KeyError, match="nothing"):
        model_manager.predict("nothing", row)
    assert "churn" in model_manager.models


def test_tables_are_taken_by_their_names():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    model = liminal.Model.load(FILES[0])
    names = list(model.features)
    rows = np.random.default_rng(4).normal(size=(20, len(names))).astype(np.float32)
    scores = model.predict(rows).tolist()
    frame = pandas.DataFrame(rows, columns=names)
    turned = frame[names[::-1]]
    for table in (frame, turned, pyarrow.table({name: turned[name] for name in turned}),
                  {name: turned[name] for name in turned}, pandas.DataFrame(rows), turned.astype(object)):
        assert model.predict(table).tolist() == scores
    told = model.explain(rows[0], background=rows)
    for row, background in ((turned.iloc[0], turned), (dict(turned.iloc[0]), frame), (pandas.Series(rows[0]), rows)):
        said = model.explain(row, background=background)
        assert said["margin"] == told["margin"] and np.array_equal(said["contributions"], told["contributions"])
    for wrong, named in ((frame[names[1:]], f"rows: lacks {names[0]}"),
                         (frame.assign(other=1), "rows: has what the model has not: other"),
                         (frame[[*names, names[0]]], f"rows: has twice: {names[0]}"),
                         (frame.assign(**{names[0]: "text"}), f"rows: {names[0]} must be numbers; encode_rows")):
        with pytest.raises(ValueError, match=named):
            model.predict(wrong)
    with pytest.raises(ValueError, match=f"row: lacks {names[0]}"):
        model.explain(frame.iloc[0][names[1:]])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_is_pickled_and_copied(path: pathlib.Path):
    model = liminal.Model.load(path)
    rows = np.random.default_rng(3).normal(size=(9, len(model.features))).astype(np.float32)
    for other in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert other.to_onnx() == model.to_onnx()
        assert other.predict(rows).tolist() == model.predict(rows).tolist()
    with pytest.raises(ValueError, match="model"):
        liminal.Model.__new__(liminal.Model).__setstate__(b"nonsense")
