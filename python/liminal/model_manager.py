"""Trained models by name. ``model_manager`` is ready to use."""
from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from liminal._engine import Model


class ModelManager:
    """Keeps trained models by name and asks them by the names of their features. Thread-safe."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    @property
    def models(self) -> dict[str, Model]:
        """The models by name."""
        with self._lock:
            return dict(self._models)

    def load(self, source: str | os.PathLike[str] | bytes | Model, name: str | None = None) -> Model:
        """Keeps a model under its own name, or another; one of that name before gives way, at once.

        source: an ONNX file, its bytes, or a Model. Raises FileNotFoundError, and ValueError for what is no
        model that Liminal evaluates, or has no name.
        """
        if isinstance(source, Model):
            model = source
        elif isinstance(source, bytes):
            model = Model.loads(source)
        else:
            model = Model.load(os.fspath(source))
        name = name or model.name
        if not name:
            raise ValueError("name: the model has none of its own")
        with self._lock:
            self._models[name] = model
        return model

    def get(self, model_name: str) -> Model:
        """The model of a name. Raises KeyError when there is none."""
        with self._lock:
            if model_name not in self._models:
                raise KeyError(f"model_name: '{model_name}' is not known")
            return self._models[model_name]

    def predict(
        self, model_name: str, features: dict[str, float] | list[dict[str, float]],
        explain: bool = False,
    ) -> dict[str, Any]:
        """Asks a model: ``{"prediction", "model"}`` of one row, ``{"predictions", "model"}`` of a list.

        A prediction is ``{"score"}``, with ``cluster`` when the task is clustering, ``label`` (whether the
        score reaches the model's line) for classes and anomalies, and on request ``contributions`` by
        feature. None is a missing value. Raises KeyError for a model, and ValueError that names missing and
        unknown features.
        """
        model = self.get(model_name)
        rows = [features] if isinstance(features, dict) else list(features)
        values = np.array([_row(model, row, i) for i, row in enumerate(rows)], np.float32)
        values = values.reshape(len(rows), len(model.features))
        told = [{"score": score} for score in model.predict(values).tolist()]
        if model.task == "clustering":
            for one, cluster in zip(told, model.clusters(values).tolist()):
                one["cluster"] = cluster
        if model.task in ("classification", "anomaly"):
            for one in told:
                one["label"] = one["score"] >= model.line
        if explain:
            for one, row in zip(told, values):
                said = model.explain(row)
                one["contributions"] = dict(zip(model.features, said["contributions"].tolist()))
        if isinstance(features, dict):
            return {"prediction": told[0], "model": model_name}
        return {"predictions": told, "model": model_name}


def _row(model: Model, row: dict[str, float], place: int) -> list[float]:
    missing = [name for name in model.features if name not in row]
    unknown = [name for name in row if name not in model.features]
    if missing or unknown:
        raise ValueError(f"features[{place}]: "
                         + "; ".join(f"{what}: {', '.join(names)}"
                                     for what, names in (("missing", missing), ("unknown", unknown))
                                     if names))
    return [float("nan") if row[name] is None else float(row[name]) for name in model.features]


class _Ready(ModelManager):
    """The one that everybody in this process shares, and the module of its name."""

    ModelManager = ModelManager

    @property
    def model_manager(self) -> _Ready:
        return self


model_manager: ModelManager = _Ready()
