"""What is known of users. ``feature_extractor`` is ready to use."""
from __future__ import annotations

from liminal.engine import Engine


class FeatureExtractor(Engine):
    """Turns what users do into features; an engine, seen by what it knows of users.

    ``track_user_activity`` counts one event, ``track_batch`` many, ``features`` reads a user's,
    ``recent_features`` and ``feature_matrix`` the rows that were handed out (each user's at most every
    ten seconds, ``buffer_size`` of them), ``cleanup_old_sessions`` forgets. An ``AnomalyDetector`` over
    it judges the same users. Arguments as of ``Engine``. A copy or a pickle is an engine of its own, with all that
    this one has learnt, and its rules.
    """


class _Ready(FeatureExtractor):
    """The one that everybody in this process shares, and the module of its name."""

    FeatureExtractor = FeatureExtractor

    @property
    def feature_extractor(self) -> _Ready:
        return self


feature_extractor: _Ready = _Ready()
