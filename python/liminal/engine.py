"""The whole engine, with events in columns and rules as a dictionary."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from liminal import _columns, _engine
from liminal._rules import DetectionRules

KINDS = ("message", "connect", "disconnect", "subscribe", "rate_limited", "failed")
DECISIONS = ("allow", "delay", "drop", "close")


class Verdicts(NamedTuple):
    """What to do about the events of a batch: uint8 of shape (n,), places in ``DECISIONS``."""

    decision: np.ndarray
    """What to do."""
    shadow: np.ndarray
    """What would be done if everything enforced."""


class Engine(_engine.Engine):
    __doc__ = _engine.Engine.__doc__

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
        without them the events happen now. kinds: uint8 places in ``KINDS``, or their names.
        message_sizes: uint32 bytes. errors: bool, the message failed. content_hashes: uint64.
        A NumPy array of the named type is not copied.

        Nothing of a wrong batch is counted: raises ValueError that names the column and the row.
        Other threads run meanwhile. About 0.2 µs an event.
        """
        users, user = _columns.texts(user_ids, "user_ids")
        addresses, address = _columns.maybe_texts(ip_addresses, "ip_addresses")
        channel_names, channel = _columns.maybe_texts(channels, "channels")
        decision, shadow = self._track_columns(
            users,
            user,
            _columns.seconds(timestamps, "timestamps"),
            _columns.words(kinds, KINDS, "kinds"),
            _columns.numbers(message_sizes, np.uint32, "message_sizes"),
            _columns.flags(errors, "errors"),
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
