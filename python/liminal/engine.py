"""The whole engine, with events in columns and rules as a dictionary."""
from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import numpy as np

from liminal import _columns, _engine
from liminal._rules import DetectionRules

# Places in a batch's column of kinds.
KINDS = ("message", "connect", "disconnect", "subscribe", "rate_limited", "failed")
DECISIONS = ("allow", "delay", "drop", "close")


class Verdicts(NamedTuple):
    """What to do about the events of a batch: uint8 of shape (n,), places in ``DECISIONS``."""

    decision: np.ndarray
    """What to do."""
    shadow: np.ndarray
    """What would be done if everything enforced."""


def _kinds_of(kinds: Any, errors: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Places in ``KINDS`` and what failed: "error" is a message that did, as in a single event."""
    if isinstance(kinds, np.ndarray) and kinds.dtype.kind in "iu":
        return _columns.words(kinds, KINDS, "kinds"), errors
    places = _columns.words(kinds, (*KINDS, "error"), "kinds")
    if places is None:
        return None, errors
    failed = places == len(KINDS)
    if not failed.any():
        return places, errors
    if errors is not None and len(errors) != len(failed):
        raise ValueError(f"errors: must have a value for each of {len(failed)} events")
    told = failed.view(np.uint8) if errors is None else errors | failed.view(np.uint8)
    return np.where(failed, np.uint8(KINDS.index("message")), places), told


class Engine(_engine.Engine):
    __doc__ = _engine.Engine.__doc__

    def __init__(
        self,
        *,
        clock: str = "system",
        profile: str = "chat",
        mode: str = "shadow",
        buffer_size: int = 1_000,
        detection_rules: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(clock=clock, profile=profile, mode=mode, buffer_size=buffer_size,
                         detection_rules=detection_rules)
        self._arguments = {"clock": clock, "profile": profile, "mode": mode, "buffer_size": buffer_size}

    def __getstate__(self) -> dict[str, Any]:
        if not self._has_its_policies():
            raise pickle.PicklingError(
                "the engine has limits that were set by its API, which are no part of its state: save() gives"
                " what was learnt, for load() of an engine that has them too")
        return self._arguments | {"detection_rules": self._rules(), "learnt": self.save()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        learnt = state.pop("learnt")
        self.__init__(**state)  # type: ignore[misc]
        self.load(learnt)

    def track_batch(
        self,
        user_ids: Any,
        *,
        timestamps: Any = None,
        kinds: Any = None,
        message_sizes: Any = None,
        errors: Any = None,
        ip_addresses: Any = None,
        channels: Any = None,
        content_hashes: Any = None,
    ) -> Verdicts:
        """Counts events in order and says what to do about each.

        Every column has shape (n,). Texts (user_ids, ip_addresses, channels): a sequence of str or
        None, a pandas Categorical, an Arrow array, or ``(distinct, codes)`` as ``encode`` gives; the
        last three are taken as they are. timestamps: float64 seconds since the epoch, or datetime64;
        which is UTC; without them the events happen now. An engine that lives by the machine's clock warns
        (UserWarning) of a batch that lies wholly more than an hour from it. kinds: uint8 places in ``KINDS``,
        or their names, of which "error" is a message that failed. message_sizes: uint32 bytes. errors: bool,
        the message failed. content_hashes: uint64.
        A NumPy array of the named type is not copied.

        Nothing of a wrong batch is counted: raises ValueError that names the column and the row.
        Other threads run meanwhile. About 0.2 µs an event.
        """
        users, user = _columns.texts(user_ids, "user_ids")
        addresses, address = _columns.maybe_texts(ip_addresses, "ip_addresses")
        channel_names, channel = _columns.maybe_texts(channels, "channels")
        places, failed = _kinds_of(kinds, _columns.flags(errors, "errors"))
        decision, shadow = self._track_columns(
            users,
            user,
            _columns.seconds(timestamps, "timestamps"),
            places,
            _columns.numbers(message_sizes, np.uint32, "message_sizes"),
            failed,
            addresses,
            address,
            channel_names,
            channel,
            _columns.numbers(content_hashes, np.uint64, "content_hashes"),
        )
        return Verdicts(decision, shadow)

    @property
    def detection_rules(self) -> DetectionRules:
        """The configured rules by name; writing into them (or assigning a dictionary) takes effect at once.

        Raises ValueError that names the rule and its field, and then nothing has changed.
        """
        return DetectionRules(self)

    @detection_rules.setter
    def detection_rules(self, rules: dict[str, Any]) -> None:
        self._set_rules(rules)
