"""Trained models by name. ``model_manager`` is ready to use."""
from __future__ import annotations

import json
import os
import threading
from typing import Any

import numpy as np

from liminal._columns import is_missing
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

    def load(self, source: str | os.PathLike[str] | bytes | bytearray | Model, name: str | None = None) -> Model:
        """Keeps a model under its own name, or another; one of that name before gives way, at once.

        source: an ONNX file, its bytes, or a Model. Raises FileNotFoundError, and ValueError for what is no
        model that Liminal evaluates, or has no name.
        """
        if isinstance(source, Model):
            model = source
        elif isinstance(source, (bytes, bytearray)):
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
        self, model_name: str, features: dict[str, Any] | list[dict[str, Any]],
        explain: bool = False,
    ) -> dict[str, Any]:
        """Asks a model: ``{"prediction", "model"}`` of one row, ``{"predictions", "model"}`` of a list.

        A prediction is ``{"score"}``, with ``cluster`` when the task is clustering, ``label`` (whether the
        score reaches the model's line) for classes and anomalies, and on request ``contributions`` by
        feature. None is a missing value, and so is a text that was not there at training. Raises KeyError for a
        model, and ValueError that names missing, unknown and wrong features.
        """
        model = self.get(model_name)
        rows = [features] if isinstance(features, dict) else list(features)
        levels = {name: json.loads(model.facts[f"levels.{name}"]) for name in model.features
                  if f"levels.{name}" in model.facts}
        values = np.array([_row(model, levels, row, i) for i, row in enumerate(rows)], np.float32)
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


def _row(model: Model, levels: dict[str, list[str]], row: dict[str, Any], place: int) -> list[float]:
    missing = [name for name in model.features if name not in row]
    unknown = [name for name in row if name not in model.features]
    if missing or unknown:
        raise ValueError(f"features[{place}]: "
                         + "; ".join(f"{what}: {', '.join(names)}"
                                     for what, names in (("missing", missing), ("unknown", unknown))
                                     if names))

    def number(name: str) -> float:
        value = row[name]
        if is_missing(value):
            return float("nan")
        if isinstance(value, str):
            if name not in levels:
                raise ValueError(f"features[{place}].{name}: must be a number")
            return float(levels[name].index(value)) if value in levels[name] else float("nan")
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"features[{place}].{name}: must be a number"
                             + (" or a text" if name in levels else "")) from None

    return [number(name) for name in model.features]


class _Ready(ModelManager):
    """The one that everybody in this process shares, and the module of its name."""

    ModelManager = ModelManager

    @property
    def model_manager(self) -> _Ready:
        return self


model_manager: _Ready = _Ready()
