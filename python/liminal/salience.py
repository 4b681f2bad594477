"""What deserves a human first."""
from __future__ import annotations

import json
from typing import Any

from liminal._engine import Service
from liminal.engine import Engine


class Salience:
    """Ranks events by how much they deserve a human, with the history of an engine's alerts if one is given."""

    def __init__(self, engine: Engine | None = None):
        self._service = Service(Engine() if engine is None else engine)

    def rank(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Scores, ranking and explanations, as ``POST /salience`` answers; teaches nothing.

        Raises ValueError that names each wrong field. ``salience_scores`` does the same for columns of
        numbers, but refuses a share above 1, which counts as 1 here and is told of in the explanation.
        """
        body = _json(events)
        status, _, answer = self._service.handle("POST", "/salience", [], body, "", True)
        told = json.loads(answer)
        if status != 200:
            wrong = (f"{one['path']}: {one['detail']}" for one in told.get("errors", []))
            raise ValueError("; ".join(wrong) or told["detail"])
        return told


def _json(events: list[dict[str, Any]]) -> bytes:
    try:
        return json.dumps({"features": events}, allow_nan=False).encode()
    except (TypeError, ValueError) as wrong:
        words = str(wrong)
    for place, event in enumerate(events if isinstance(events, (list, tuple)) else []):
        for field, value in event.items() if isinstance(event, dict) else []:
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError) as wrong:
                raise ValueError(f"features[{place}].{field}: {wrong}") from None
    raise ValueError(f"features: {words}")
