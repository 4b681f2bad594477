#!/usr/bin/env python3
"""Writes the files of this folder: small models of other libraries as their converters write them.

  python3 -m venv V && V/bin/pip install scikit-learn==1.9.1 lightgbm==4.7.0 xgboost-cpu \\
      skl2onnx==1.20.0 onnxmltools==1.16.0 && V/bin/python make.py

rows.csv: rows of four features, some missing. NAME.csv: what the library itself answers to them (the
probability of the second class, or the value). The data are made up.
"""
import pathlib

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier,
                              GradientBoostingRegressor, RandomForestClassifier,
                              RandomForestRegressor)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(7)
x = random.normal(size=(400, 4)).astype(np.float32)
value = (2 * x[:, 0] - x[:, 1] ** 2 + .5 * random.normal(size=400)).astype(np.float32)
label = (value > -.5).astype(int)
rows = random.normal(size=(40, 4)).astype(np.float32)
holes = x.copy()
holes[random.random(x.shape) < .1] = np.nan
row_holes = rows.copy()
row_holes[random.random(rows.shape) < .2] = np.nan


def save(name, model, onnx, takes_missing):
    given = row_holes if takes_missing else rows
    answers = model.predict_proba(given)[:, 1] if hasattr(model, "predict_proba") else model.predict(given)
    (HERE / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    np.savetxt(HERE / f"{name}.csv", np.asarray(answers, dtype=np.float64), fmt="%.9g")


def sklearn(name, model, target):
    model.fit(x, target)
    save(name, model, to_onnx(model, x[:1], options=zipmap(model)), False)


def zipmap(model):
    return {id(model): {"zipmap": True}} if hasattr(model, "predict_proba") else None


np.savetxt(HERE / "rows.csv", row_holes, fmt="%.9g", delimiter=",")
np.savetxt(HERE / "full_rows.csv", rows, fmt="%.9g", delimiter=",")
trees = dict(n_estimators=5, max_depth=3, random_state=0)
sklearn("random_forest_classifier", RandomForestClassifier(**trees), label)
sklearn("random_forest_regressor", RandomForestRegressor(**trees), value)
sklearn("extra_trees_classifier", ExtraTreesClassifier(**trees), label)
sklearn("gradient_boosting_classifier", GradientBoostingClassifier(**trees), label)
sklearn("gradient_boosting_regressor", GradientBoostingRegressor(**trees), value)
sklearn("linear_regression", LinearRegression(), value)
sklearn("logistic_regression", LogisticRegression(), label)
pipeline = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression())
pipeline.fit(holes, label)
save("pipeline", pipeline, to_onnx(pipeline, x[:1], options={"zipmap": True}), True)

few = dict(n_estimators=5, max_depth=3)
for name, model, target, convert in (
        ("lightgbm_classifier", LGBMClassifier(**few, verbose=-1), label, convert_lightgbm),
        ("lightgbm_regressor", LGBMRegressor(**few, verbose=-1), value, convert_lightgbm),
        ("xgboost_classifier", XGBClassifier(**few), label, convert_xgboost),
        ("xgboost_regressor", XGBRegressor(**few), value, convert_xgboost)):
    model.fit(holes, target)
    onnx = convert(model, initial_types=[("input", ToolsFloat([None, 4]))], target_opset=15)
    save(name, model, onnx, True)
