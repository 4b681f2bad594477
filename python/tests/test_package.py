import ast
import pathlib
import subprocess
import sys

import pytest
from conftest import PROJECT

import liminal

FOLDER = pathlib.Path(liminal.__file__).parent


def test_everything_public_says_what_it_is():
    for name in liminal.__all__:
        thing = getattr(liminal, name)
        if not name.isupper() and name != "__version__":
            assert thing.__doc__, name


def test_the_stubs_describe_the_extension():
    described = {node.name for node in ast.parse((FOLDER / "_engine.pyi").read_text()).body
                 if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    there = {name for name in dir(liminal._engine) if not name.startswith("_") and not name.isupper()}
    assert there <= described, there - described
    assert (FOLDER / "py.typed").exists()


def test_the_version_is_the_projects():
    assert liminal.__version__ == (PROJECT / "VERSION").read_text().strip()


def test_importing_brings_neither_fastapi_nor_threads():
    said = subprocess.run(
        [sys.executable, "-c",
         "import sys, threading, liminal\n"
         "print('fastapi' in sys.modules, threading.active_count(), len(__import__('os').listdir("
         "'/proc/self/task')))"],
        capture_output=True, text=True, check=True,
        env={"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}).stdout.split()
    assert said == ["False", "1", "1"]


USER = """
import asyncio

import numpy as np

import liminal
import liminal.watch
from liminal.anomaly_detector import AnomalyDetector, anomaly_detector
from liminal.feature_extractor import FeatureExtractor, feature_extractor
from liminal.model_manager import ModelManager, model_manager

verdict: liminal.Verdict = liminal.feature_extractor.feature_extractor.track_user_activity("ann", 120, ["a", "b"])
found: list[dict[str, object]] = liminal.anomaly_detector.anomaly_detector.analyze_user_activity("ann")
models: dict[str, liminal.Model] = liminal.model_manager.model_manager.models
classes: tuple[type[FeatureExtractor], type[AnomalyDetector], type[ModelManager]] = (
    liminal.feature_extractor.FeatureExtractor, liminal.anomaly_detector.AnomalyDetector,
    liminal.model_manager.ModelManager)
same: tuple[FeatureExtractor, AnomalyDetector, ModelManager] = (feature_extractor, anomaly_detector, model_manager)
engine = liminal.Engine(clock="events", mode="enforce", buffer_size=10)
decisions: np.ndarray = engine.track_batch(["ann"], timestamps=[1.8e9], kinds=["error"]).decision
liminal.anomaly_detector.detection_rules["message_flood"]["threshold"] = 60
detector = liminal.MetricDetector(range=(0, 1))
score: float = detector.step_batch([1.0, 2.0])["score"][0] + float(detector.step(1, 3.0)["score"])
forecaster = liminal.Forecaster(horizon=5)
forecaster.learn([1, 2, 3])
forecaster.learn(4)
allowed: bool = liminal.GCRA(10, 5).allow(0.0) and bool(liminal.GCRA(10, 5).allow_batch([0.0]).all())
planner = liminal.ScalingPlanner()
learnt: int = planner.observe_batch(np.zeros(3), request_rate=[1, 2, 3])
scores: np.ndarray = liminal.salience_scores({"severity": [.5]})


def ask(model: liminal.Model) -> np.ndarray:
    return model.predict([[1.0, 2.0]])
"""
WRONG = """
import liminal

liminal.feature_extractor.feature_extractor.track_user_activity(5)  # user_id
liminal.anomaly_detector.no_such
liminal.Engine(clock=5)
"""


def checked(program, folder):
    pytest.importorskip("mypy")
    path = folder / "program.py"
    path.write_text(program)
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), path.name],
                          capture_output=True, text=True, cwd=folder, timeout=600)
    return done.returncode, done.stdout + done.stderr


def test_a_users_program_type_checks(tmp_path):
    code, said = checked(USER, tmp_path)
    assert code == 0, said
    code, said = checked(WRONG, tmp_path)
    assert code == 1 and [line.split(":")[1] for line in said.splitlines()[:-1]] == ["4", "5", "6"], said
