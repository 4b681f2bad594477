"""What several owners answer of all their users, put together as one would have answered."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
_Merge = Callable[[list[dict[str, Any]], dict[str, str]], dict[str, Any]]


def _json(merge: _Merge) -> Callable[[list[_Answer], str], _Answer]:
    """Of answers that are all right the merged one; else the first that is not."""

    def put_together(answers: list[_Answer], target: str) -> _Answer:
        for answer in answers:
            if answer[0] >= 300:
                return answer
        query = {name: values[-1] for name, values in
                 parse_qs(target.partition("?")[2], keep_blank_values=True).items()}
        status, headers, _ = answers[0]
        merged = merge([json.loads(answer[2]) for answer in answers], query)
        return status, headers, json.dumps(merged, separators=(",", ":")).encode()

    return put_together


def _sum(values: list[Any]) -> Any:
    """Numbers added, objects member by member; of anything else the first."""
    if all(isinstance(value, dict) for value in values):
        return {key: _sum([value[key] for value in values]) for key in values[0]}
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return sum(values)
    return values[0]


def _status(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    merged = _sum(told)
    for same in ("shards", "uptime_s"):
        merged[same] = max(one[same] for one in told)
    merged["time"] = max(one["time"] for one in told)
    # Of rows that models learn from, owners keep them.
    merged["feature_extractor"]["buffer_size"] = sum(
        one["feature_extractor"]["buffer_size"] for one in told[:-1])
    merged["anomaly_detector"]["rules"] = told[0]["anomaly_detector"]["rules"]
    merged["model_manager"]["models"] = told[-1]["model_manager"]["models"]  # of the actor that has them
    return merged


def _first(name: str, key: Callable[[dict[str, Any], dict[str, str]], Any], limit: int) -> _Merge:
    """Lists put together by a key, the largest first, as many as were asked for."""

    def merge(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        items = sorted((item for one in told for item in one[name]),
                       key=lambda item: key(item, query), reverse=True)
        items = items[: int(query.get("limit", limit))]
        return told[0] | {name: items, "count": len(items)}

    return merge


def _user_rank(user: dict[str, Any], query: dict[str, str]) -> Any:
    return user[query.get("order", "score")]


def _alert_rank(alert: dict[str, Any], query: dict[str, str]) -> Any:
    return alert["salience"] if query.get("order") == "salience" else alert["last_seen"]


def _incident_rank(incident: dict[str, Any], query: dict[str, str]) -> Any:
    return (incident["scope"] == "global", incident["status"] == "open",
            incident["dismissed"] < incident["members"], incident["salience_now"])


def _incidents(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """Every owner counts its own: the numbers of one never are another's here."""
    for place, one in enumerate(told):
        for incident in one["incidents"]:
            scope, _, number = incident["id"].rpartition("-")
            incident["id"] = f"{scope}-{int(number) * len(told) + place}"
    return _first("incidents", _incident_rank, 20)(told, query)


def _audit(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """Limits of everybody are set at every owner, and are one line; a cleanup is each owner's own."""
    for one in told[1:]:
        one["entries"] = [entry for entry in one["entries"]
                          if entry["action"] not in ("limits.set", "limits.reset")]
    return _first("entries", lambda entry, _: entry["time"], 100)(told, query)


def _limits(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """The policies of an owner that knows of some that were set: one that began anew has its own."""
    told = sorted(told, key=lambda one: not one["set"])
    return _first("overrides", lambda one, _: one["created"], 1000)(told, query)


def _services(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    services = [service for one in told for service in one["services"]]
    return {"services": services, "count": len(services)}


def _cleanup(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    return _sum(told) | {"max_age_hours": told[0]["max_age_hours"]}


def _ready(told: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    if "checks" not in told[0]:
        return told[0]
    names = [f"owner-{place:02d}" for place in range(len(told) - 1)] + ["models"]
    checks = [check | {"name": f"{name}.{check['name']}"}
              for name, one in zip(names, told) for check in one["checks"]]
    return told[0] | {"checks": checks}


_SAMPLE = re.compile(rb"^([^# ][^ {]*(?:\{[^}]*\})?) (\S+)$")
# What is one for all, or the largest of all.
_NOT_ADDED = (b"liminal_engine_time", b"liminal_build_info", b"process_start", b"liminal_start_time",
              b"liminal_address_entropy", b"liminal_address_users_max",
              b"liminal_address_connections_per_minute_max",
              b"liminal_channel_messages_per_minute_max")


def _metrics(answers: list[_Answer], target: str) -> _Answer:
    for answer in answers:
        if answer[0] >= 300:
            return answer
    sums: dict[bytes, float] = {}
    for _, _, text in answers:
        for line in text.splitlines():
            sample = _SAMPLE.match(line)
            if sample:
                value = float(sample[2])
                largest = sample[1].startswith(_NOT_ADDED)
                before = sums.get(sample[1], 0.0)
                sums[sample[1]] = max(before, value) if largest else before + value
    lines, written = [], set()
    for _, _, text in answers:
        for line in text.splitlines():
            sample = _SAMPLE.match(line)
            name = sample[1] if sample else line
            if name in written:
                continue
            written.add(name)
            if line != b"# EOF":
                lines.append(name + b" %b" % _number(sums[name]) if sample else line)
    if answers[0][2].rstrip().endswith(b"# EOF"):
        lines.append(b"# EOF")
    status, headers, _ = answers[0]
    return status, headers, b"\n".join(_by_family(lines)) + b"\n"


def _number(value: float) -> bytes:
    return (b"%d" % value) if value == int(value) and abs(value) < 1e15 else repr(value).encode()


def _by_family(lines: list[bytes]) -> list[bytes]:
    """Samples that only a later owner had go behind their family's first ones."""
    families: dict[bytes, list[bytes]] = {}
    end = []
    current = b""
    for line in lines:
        if line == b"# EOF":
            end = [line]
            continue
        if line.startswith((b"# HELP ", b"# TYPE ", b"# UNIT ")):
            current = line.split(b" ")[2]
        else:
            name = re.split(rb"[{ ]", line, maxsplit=1)[0]
            if not name.startswith(current) or not current:
                current = max((family for family in families if name.startswith(family)),
                              key=len, default=name)
        families.setdefault(current, []).append(line)
    return [line for family in families.values() for line in family] + end


def _status_with_accounts(
    answer: _Answer, owners: list[dict[str, Any]], commons: dict[str, Any] | None
) -> _Answer:
    status, headers, body = answer
    if not body:  # of HEAD
        return answer
    told = json.loads(body) | {"owners": owners}
    return status, headers, json.dumps(told, separators=(",", ":")).encode()


# Of each owner: the field of its account, the kind, and what it is.
_OF_OWNERS = (
    ("epoch", "gauge", "liminal_owner_epoch", "Incarnations of an owner so far."),
    ("events_accepted", "counter", "liminal_owner_events_accepted_total", "Events that an owner acknowledged."),
    ("events_lost", "counter", "liminal_owner_events_lost_total",
     "Acknowledged events that were in no snapshot when their owner died."),
    ("snapshots_damaged", "gauge", "liminal_owner_snapshots_damaged",
     "Snapshots that an owner could not begin from."),
    ("store_behind_s", "gauge", "liminal_owner_store_behind_seconds",
     "For how long the object store has not had everything that an owner has."),
)


def _metrics_with_accounts(
    answer: _Answer, owners: list[dict[str, Any]], commons: dict[str, Any] | None
) -> _Answer:
    status, headers, body = answer
    if not body:
        return answer
    lines = []
    is_open = body.rstrip().endswith(b"# EOF")

    def begin(name: str, kind: str, text: str) -> None:
        family = name.removesuffix("_total") if is_open and kind == "counter" else name
        lines.extend([f"# HELP {family} {text}", f"# TYPE {family} {kind}"])

    for field, kind, name, text in _OF_OWNERS:
        told = [one for one in owners if field in one]
        if told:
            begin(name, kind, text)
        lines.extend(f'{name}{{owner="{one["place"]}"}} {one[field]}' for one in told)
    if commons is not None:
        begin("liminal_commons_seconds_missed_total", "counter",
              "Seconds that an owner, or all, did not take part in.")
        lines.append(f"liminal_commons_seconds_missed_total {commons['missed']}")
    text, end = (body.rstrip()[:-len(b"# EOF")], b"# EOF\n") if is_open else (body, b"")
    return status, headers, text + "\n".join(lines).encode() + b"\n" + end


def _nothing(answers: list[_Answer], target: str) -> _Answer:
    """Of answers without a body the first that is not right, else the first."""
    return next((answer for answer in answers if answer[0] >= 300), answers[0])


# What the actor of models is asked as well, behind all owners.
WITH_MODELS = {("GET", "/ml/status"), ("GET", "/metrics")}
# Answered soon, whoever of owners and models does not answer.
CHECKS = {("GET", "/readyz"), ("GET", "/healthz")}
# What owners and commons tell of themselves goes along with.
WITH_ACCOUNTS: dict[tuple[str, str], Callable[..., _Answer]] = {
    ("GET", "/ml/status"): _status_with_accounts,
    ("GET", "/metrics"): _metrics_with_accounts,
}
MERGES: dict[tuple[str, str], Callable[[list[_Answer], str], _Answer]] = {
    ("GET", "/ml/status"): _json(_status),
    ("GET", "/ml/features/recent"): _json(_first("features", lambda row, _: row["timestamp"], 100)),
    ("DELETE", "/ml/features/cleanup"): _json(_cleanup),
    ("GET", "/ml/anomalies/recent"): _json(_first("alerts", _alert_rank, 50)),
    ("GET", "/ml/users"): _json(_first("users", _user_rank, 100)),
    ("GET", "/ml/incidents"): _json(_incidents),
    ("GET", "/ml/audit"): _json(_audit),
    ("GET", "/ml/limits"): _json(_limits),
    ("PUT", "/ml/limits"): _json(_limits),
    ("DELETE", "/ml/limits"): _json(_limits),
    ("GET", "/scaling"): _json(_services),
    ("GET", "/readyz"): _json(_ready),
    ("GET", "/healthz"): _json(_ready),
    ("GET", "/metrics"): _metrics,
    ("POST", "/api/v1/write"): _nothing,
}
