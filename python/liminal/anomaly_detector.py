"""What users do that deserves attention. ``anomaly_detector`` is ready to use."""
from __future__ import annotations

from typing import Any

from liminal import feature_extractor as _features
from liminal._rules import DetectionRules
from liminal.engine import Engine


class AnomalyDetector:
    """Judges the users of an engine: configured rules, and statistics of each user against their own past.

    engine: a FeatureExtractor or Engine; without one, an engine of its own, whose arguments the others
    are.
    """

    def __init__(self, engine: Engine | None = None, **arguments: Any):
        if engine is not None and arguments:
            raise ValueError(f"{next(iter(arguments))}: the engine that is given has its own")
        self.engine = Engine(**arguments) if engine is None else engine

    def analyze_user_activity(self, user_id: str) -> list[dict[str, Any]]:
        """What the detectors say of a user now, as ``POST /ml/anomalies/analyze`` gives it.

        Changes nothing. An alert whose id is None was not raised (yet). Raises KeyError for a user who is
        not known.
        """
        return self.engine.analyze_user_activity(user_id)

    def recent_anomalies(
        self, limit: int = 50, min_severity: str = "medium"
    ) -> list[dict[str, Any]]:
        """Alerts, the latest finding first, as ``GET /ml/anomalies/recent`` gives them."""
        return self.engine.recent_anomalies(limit, min_severity)

    def feedback(self, alert_id: str, verdict: str) -> dict[str, Any]:
        """An operator's word on an alert: "true_positive", "false_positive" or "expected".

        Moves confidence and ranking. Returns the alert. Raises KeyError for one that is not known.
        """
        return self.engine.feedback(alert_id, verdict)

    @property
    def detection_rules(self) -> DetectionRules:
        """The configured rules by name; writing into them (or assigning a dictionary) takes effect at once.

        Raises ValueError that names the rule and its field, and then nothing has changed.
        """
        return self.engine.detection_rules

    @detection_rules.setter
    def detection_rules(self, rules: dict[str, Any]) -> None:
        self.engine.detection_rules = rules


class _Ready(AnomalyDetector):
    """The one over the shared engine, and the module of its name."""

    AnomalyDetector = AnomalyDetector

    @property
    def anomaly_detector(self) -> _Ready:
        return self


anomaly_detector: _Ready = _Ready(_features.feature_extractor)
