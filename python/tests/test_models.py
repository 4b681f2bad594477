import pathlib

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
