"""Liminal's engine in Python: the very one that runs in the gateway.

    import liminal
    liminal.feature_extractor.track_user_activity("ann", 120, "general", "192.0.2.1")
    liminal.anomaly_detector.analyze_user_activity("ann")

``liminal.api`` serves the HTTP API, ``liminal.watch`` watches a server of one's own.
"""
from liminal import anomaly_detector as _anomaly_detector
from liminal import feature_extractor as _feature_extractor
from liminal import model_manager as _model_manager
from liminal._engine import (
    FEATURE_NAMES,
    GCRA,
    Forecaster,
    MetricDetector,
    Model,
    ScalingPlanner,
    Verdict,
    __version__,
    salience_scores,
)
from liminal._replay import replay
from liminal._tables import encode_rows
from liminal._train import Trained, train
from liminal.anomaly_detector import AnomalyDetector
from liminal.engine import Engine, Verdicts
from liminal.feature_extractor import FeatureExtractor
from liminal.model_manager import ModelManager
from liminal.salience import Salience

# The objects that are ready to use stand in the place of their modules, and have what those have:
# liminal.feature_extractor and liminal.feature_extractor.feature_extractor are the same object.
feature_extractor = _feature_extractor.feature_extractor
anomaly_detector = _anomaly_detector.anomaly_detector
model_manager = _model_manager.model_manager

__all__ = [
    "FEATURE_NAMES",
    "GCRA",
    "AnomalyDetector",
    "Engine",
    "FeatureExtractor",
    "Forecaster",
    "MetricDetector",
    "Model",
    "ModelManager",
    "Salience",
    "ScalingPlanner",
    "Trained",
    "Verdict",
    "Verdicts",
    "__version__",
    "anomaly_detector",
    "encode_rows",
    "feature_extractor",
    "model_manager",
    "replay",
    "salience_scores",
    "train",
]
