"""The detection rules of an engine as dictionaries that write through."""
from __future__ import annotations

from typing import Any, Callable


class _Written(dict):
    """A dictionary whose changes are accepted, or refused as a whole, before they show.

    A change is one of what holds now, which another view may have written. Copies, pickled ones too, are
    plain dictionaries that write nowhere.
    """

    def __init__(
        self,
        values: dict[str, Any],
        now: Callable[[], dict[str, Any]],
        accept: Callable[[dict[str, Any]], dict[str, Any]],
    ):
        super().__init__(values)
        self._now = now
        self._accept = accept

    def copy(self) -> dict[str, Any]:
        return _plain(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (_plain(self),)

    def __or__(self, other: Any) -> dict[str, Any]:
        return _plain(self) | other

    def __ror__(self, other: Any) -> dict[str, Any]:
        return other | _plain(self)

    def _try(self, change: Callable[[dict[str, Any]], Any]) -> Any:
        changed = _plain(self._now())
        result = change(changed)
        accepted = self._accept(changed)
        super().clear()
        super().update(accepted)
        return result

    def __setitem__(self, key: str, value: Any) -> None:
        self._try(lambda changed: changed.__setitem__(key, value))

    def __delitem__(self, key: str) -> None:
        self._try(lambda changed: changed.__delitem__(key))

    def __ior__(self, other: Any) -> _Written:
        self.update(other)
        return self

    def update(self, *others: Any, **more: Any) -> None:
        self._try(lambda changed: changed.update(*others, **more))

    def pop(self, *arguments: Any) -> Any:
        return self._try(lambda changed: changed.pop(*arguments))

    def popitem(self) -> tuple[str, Any]:
        return self._try(lambda changed: changed.popitem())

    def clear(self) -> None:
        self._try(lambda changed: changed.clear())

    def setdefault(self, key: str, value: Any = None) -> Any:
        if key not in self:
            self[key] = value
        return self[key]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}


class DetectionRules(_Written):
    """Rules by the kind of finding that they raise; of a second rule of a kind, ``kind/feature``.

    A rule is a dictionary: feature, comparison ("above", "below"), threshold, ordinary_factor,
    messages_min, severity, cool_down_s, action, mode. What a rule that is set does not say is as by
    default.
    """

    def __init__(self, engine: Any):
        def accept(rules: dict[str, Any]) -> dict[str, Any]:
            engine._set_rules(rules)
            return self._shown()

        self._engine = engine
        super().__init__({}, engine._rules, accept)
        dict.update(self, self._shown())

    def _shown(self) -> dict[str, Any]:
        return {name: self._rule(name, rule) for name, rule in self._engine._rules().items()}

    def _rule(self, name: str, rule: dict[str, Any]) -> _Written:
        def now() -> dict[str, Any]:
            return self._engine._rules()[name]

        def accept(changed: dict[str, Any]) -> dict[str, Any]:
            rules = self._engine._rules()
            if name not in rules:
                raise KeyError(name)
            rules[name] = changed
            self._engine._set_rules(rules)
            return self._engine._rules()[name]

        return _Written(rule, now, accept)
