import copy
import datetime
import gc
import json
import pickle
import threading
import time
import warnings

import numpy as np
import pytest
from conftest import START, flood, talk

import liminal
from liminal import _columns, _engine


def events_engine(**arguments):
    return liminal.FeatureExtractor(clock="events", **arguments)


def flooded():
    engine = events_engine()
    for user, time, size in [*talk(), *flood()]:
        engine.track_user_activity(user, size, "general", "192.0.2.1", timestamp=time)
    return engine


def test_the_shared_objects_are_the_modules_of_their_names():
    from liminal.anomaly_detector import anomaly_detector
    from liminal.feature_extractor import feature_extractor

    assert liminal.feature_extractor is feature_extractor
    assert liminal.feature_extractor.feature_extractor is feature_extractor
    assert liminal.anomaly_detector is anomaly_detector
    assert liminal.anomaly_detector.anomaly_detector is anomaly_detector
    assert anomaly_detector.engine is feature_extractor
    assert isinstance(feature_extractor, liminal.FeatureExtractor)


def test_the_shared_objects_judge_what_happens_now():
    for _ in range(300):
        liminal.feature_extractor.track_user_activity("shared", 40, ["a", "b"], "192.0.2.9")
    found = liminal.anomaly_detector.analyze_user_activity("shared")
    assert "message_flood" in [alert["type"] for alert in found]
    assert liminal.feature_extractor.features("shared")["channels_count"] == 2


def test_a_flood_is_found_and_a_talker_is_not():
    engine = flooded()
    detector = liminal.AnomalyDetector(engine)
    [*alerts] = detector.analyze_user_activity("mallory")
    assert {"message_flood"} <= {alert["type"] for alert in alerts}
    assert all(alert["user_id"] == "mallory" for alert in alerts)
    assert detector.analyze_user_activity("user3") == []
    assert detector.recent_anomalies()[0]["user_id"] == "mallory"
    assert detector.recent_anomalies(min_severity="high", limit=1)[0]["severity"] in (
        "high", "critical")


def test_the_verdict_says_what_would_be_done():
    engine = events_engine()
    verdicts = [engine.track_user_activity("eve", 40, timestamp=START + i * .01)
                for i in range(100)]
    assert verdicts[0].allowed and verdicts[0].shadow == "allow" and verdicts[0].reason == "none"
    assert verdicts[-1].decision == "allow" and verdicts[-1].shadow in ("delay", "drop")
    assert verdicts[-1].reason == "user_messages" and verdicts[-1].retry_after_s > 0
    enforcing = events_engine(mode="enforce")
    enforced = [enforcing.track_user_activity("eve", 40, timestamp=START + i * .001)
                for i in range(100)]
    assert not enforced[-1].allowed


def test_analysis_changes_nothing():
    engine = flooded()
    before = engine.state_hash()
    liminal.AnomalyDetector(engine).analyze_user_activity("mallory")
    engine.features("mallory")
    assert engine.state_hash() == before


def test_a_batch_is_its_events_one_by_one():
    rows = sorted([*talk(2), *flood("mallory", START + 300)], key=lambda row: row[1])
    single, batch = events_engine(), events_engine()
    verdicts = [single.track_user_activity(user, size, "general", "192.0.2.1", timestamp=time)
                for user, time, size in rows]
    users, times, sizes = zip(*rows)
    told = batch.track_batch(
        list(users), timestamps=np.array(times), message_sizes=np.array(sizes),
        ip_addresses=["192.0.2.1"] * len(rows), channels=["general"] * len(rows))
    assert batch.state_hash() == single.state_hash()
    from liminal.engine import DECISIONS
    assert [DECISIONS[d] for d in told.shadow] == [v.shadow for v in verdicts]
    assert told.decision.dtype == np.uint8 and not told.decision.any()


def test_columns_come_from_pandas_and_arrow():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    users = [user for user, _, _ in talk(3)]
    times = np.array([time for _, time, _ in talk(3)])
    hashes = set()
    for column in (users, pandas.Series(users), pandas.Series(users, dtype="category"),
                   pandas.Categorical(users), pyarrow.array(users),
                   pyarrow.array(users).dictionary_encode(), liminal._engine.encode(users)):
        engine = events_engine()
        engine.track_batch(column, timestamps=times, kinds=["message"] * len(users))
        hashes.add(engine.state_hash())
    engine = events_engine()
    engine.track_batch(users, timestamps=pandas.to_datetime(times, unit="s").to_numpy())
    hashes.add(engine.state_hash())
    assert len(hashes) == 1


def test_a_text_that_pandas_has_not_is_none():
    pandas = pytest.importorskip("pandas")
    users, times = ["a", "b", "a"], np.array([START, START + 1, START + 2])
    hashes = set()
    for channels in (["x", None, "y"], ["x", float("nan"), "y"], pandas.Series(["x", None, "y"]),
                     pandas.Series(["x", np.nan, "y"], dtype=object),
                     pandas.Series(["x", pandas.NA, "y"], dtype="string"),
                     pandas.Categorical(["x", None, "y"])):
        engine = events_engine()
        engine.track_batch(users, timestamps=times, channels=channels)
        hashes.add(engine.state_hash())
    assert len(hashes) == 1


def test_times_with_a_zone_are_moments():
    pandas = pytest.importorskip("pandas")
    times = pandas.to_datetime(np.array([START, START + 60]), unit="s", utc=True)
    for given in (times, times.tz_convert("Asia/Kolkata"), pandas.Series(times.tz_convert("US/Pacific"))):
        assert _columns.seconds(given, "timestamps").tolist() == [START, START + 60]
        events_engine().track_batch(["a", "b"], timestamps=given)


@pytest.mark.parametrize("codes", [np.array([0, 2**32]), np.array([0, 2**63], np.uint64),
                                   np.array([0, -2**40]), np.array([0, 2**31], np.uint32)])
def test_places_that_do_not_fit_are_named_not_wrapped(codes):
    engine = events_engine()
    with pytest.raises(ValueError, match=r"user_ids\[1\]"):
        engine.track_batch((["a"], codes), timestamps=[START, START + 1])
    with pytest.raises(ValueError, match="user_ids"):
        engine.track_batch((["a"], np.array([0.0, 0.5])), timestamps=[START, START + 1])
    assert engine.users == 0
    engine.track_batch((["a"], np.array([0, 0], np.int64)), timestamps=[START, START + 1])
    assert engine.users == 1


@pytest.mark.parametrize("change, named", [
    ({"timestamps": [START, -1.0]}, "timestamp[1]"),
    ({"timestamps": [START, float("nan")]}, "timestamp[1]"),
    ({"message_sizes": [1, -1]}, "message_sizes[1]"),
    ({"message_sizes": [1]}, "message_size"),
    ({"kinds": ["message", "shout"]}, "kinds"),
    ({"kinds": np.array([0, 6], np.uint8)}, "kind[1]"),
    ({"user_ids": ["a", ""]}, "user_id"),
    ({"user_ids": ["a", None]}, "user_id[1]"),
    ({"user_ids": ["a", 5]}, "user_ids"),
    ({"channels": ["a" * 257, "b"]}, "channel"),
])
def test_a_wrong_batch_is_refused_as_a_whole(change, named):
    engine = events_engine()
    columns = {"user_ids": ["a", "b"], "timestamps": [START, START + 1]} | change
    with pytest.raises(ValueError, match=named.replace("[", r"\[")):
        engine.track_batch(columns.pop("user_ids"), **columns)
    assert engine.users == 0


@pytest.mark.parametrize("arguments, named", [
    ({"user_id": ""}, "user_id"), ({"user_id": "a" * 129}, "user_id"),
    ({"message_size": -1}, "message_size"), ({"message_size": 2**32}, "message_size"),
    ({"ip_address": "1" * 65}, "ip_address"), ({"channels": [""]}, "channels"),
    ({"channels": ["c"] * 65}, "channels"), ({"channels": 5}, "channels"),
    ({"kind": "shout"}, "kind"), ({"timestamp": -1}, "timestamp"),
    ({"timestamp": "now"}, "timestamp"), ({"timestamp": None}, "timestamp"),
    ({"content_hash": ""}, "content_hash"), ({"user_id": 5}, "user_id"), ({"user_id": None}, "user_id"),
    ({"message_size": 1.5}, "message_size"), ({"message_size": None}, "message_size"),
    ({"message_size": 2**70}, "message_size"), ({"ip_address": 5}, "ip_address"), ({"kind": 5}, "kind"),
    ({"kind": None}, "kind"), ({"user_id": "\ud800"}, "user_id"),
])
def test_a_wrong_event_names_its_field(arguments, named):
    engine = events_engine()
    with pytest.raises(ValueError, match=f"^{named}"):
        engine.track_user_activity(**({"user_id": "a", "timestamp": START} | arguments))
    assert engine.users == 0


def test_who_is_not_known_is_a_key_error():
    with pytest.raises(KeyError, match="nobody"):
        liminal.AnomalyDetector().analyze_user_activity("nobody")
    with pytest.raises(KeyError, match="user_id"):
        events_engine().features("nobody")
    with pytest.raises(KeyError, match="17-42"):
        liminal.AnomalyDetector().feedback("17-42", "expected")


@pytest.mark.parametrize("arguments, named", [
    ({"clock": "wall"}, "clock"), ({"profile": "x"}, "profile"), ({"mode": "x"}, "mode"),
    ({"buffer_size": 0}, "buffer_size"),
])
def test_wrong_arguments_of_an_engine_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        liminal.FeatureExtractor(**arguments)


def test_times_may_be_datetimes():
    engine = events_engine()
    engine.track_user_activity("ann", timestamp=datetime.datetime.fromtimestamp(
        START, datetime.timezone.utc))
    assert engine.now == START


def test_a_time_without_a_zone_is_the_same_moment_in_events_and_batches(monkeypatch):
    pandas = pytest.importorskip("pandas")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        naive = datetime.datetime(2026, 1, 1)
        for one in (naive, pandas.Timestamp(naive), naive.replace(tzinfo=datetime.timezone.utc)):
            engine = events_engine()
            engine.track_user_activity("ann", timestamp=one)
            assert engine.now == 1767225600
        for many in (np.array([naive], "M8[s]"), pandas.Series([naive])):
            engine = events_engine()
            engine.track_batch(["ann"], timestamps=many)
            assert engine.now == 1767225600
    finally:
        monkeypatch.undo()
        time.tzset()


def test_recorded_traffic_is_warned_of_where_the_clock_is_the_machines():
    now = time.time()
    engine = liminal.FeatureExtractor()
    with pytest.warns(UserWarning, match='clock="events"') as warned:
        engine.track_batch(["ann"] * 3, timestamps=now - 30 * 86_400 + np.arange(3))
        engine.track_batch(["ann"], timestamps=[now + 86_400])
        engine.track_user_activity("ann", timestamp=now - 7200)
        engine.track_ndjson(f'{{"user":"ann","kind":"message","t":{now - 7200}}}')
    assert len(warned) == 4 and {one.filename for one in warned} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            liminal.FeatureExtractor().track_batch(["ann"], timestamps=[START - 1e9])
        engine.track_batch(["ann"] * 2, timestamps=[now - 30 * 86_400, now])
        engine.track_user_activity("ann", timestamp=now - 600)
        events_engine().track_batch(["ann"], timestamps=[now - 30 * 86_400])


def test_kinds_are_the_same_words_in_events_and_batches():
    words = ["message", "error", "connect", "error", "subscribe", "failed", "rate_limited", "disconnect"]
    times = START + np.arange(len(words))
    single = events_engine()
    for word, at in zip(words, times):
        single.track_user_activity("ann", 10, kind=word, timestamp=at)
    errors = np.array([word == "error" for word in words])
    for kinds, failed in ((words, None), (words, np.zeros(len(words), bool)),
                          (["message" if word == "error" else word for word in words], errors)):
        batch = events_engine()
        batch.track_batch(["ann"] * len(words), kinds=kinds, errors=failed, timestamps=times,
                          message_sizes=np.full(len(words), 10))
        assert batch.state_hash() == single.state_hash()
    with pytest.raises(ValueError, match="errors"):
        single.track_batch(["ann"] * 2, kinds=["error"] * 2, errors=[True], timestamps=[START, START])


def test_an_engine_is_pickled_with_what_it_learnt_and_its_rules():
    engine = events_engine(mode="enforce", profile="game", buffer_size=7)
    for user, at, size in [*talk(), *flood()]:
        engine.track_user_activity(user, size, timestamp=at)
    engine.detection_rules["message_flood"]["threshold"] = 60
    for copied in (lambda one: pickle.loads(pickle.dumps(one)), copy.copy, copy.deepcopy):
        other = copied(engine)
        assert type(other) is liminal.FeatureExtractor and other is not engine
        assert other.state_hash() == engine.state_hash() and other.buffer_size == 7
        assert other.detection_rules == engine.detection_rules
        assert other.recent_anomalies() == engine.recent_anomalies()
        decisions = [other.track_user_activity("eve", kind="connect", timestamp=START + 2000).decision
                     for _ in range(15)]
        assert decisions[0] == "allow" and decisions[-1] == "drop"


def test_an_engine_with_limits_of_the_api_says_why_it_is_not_pickled():
    engine = liminal.Engine()
    service = liminal._engine.Service(engine)
    headers = [(b"host", b"localhost")]
    policies = json.loads(service.handle("GET", "/ml/limits", headers, b"", "", True)[2])["policies"]
    policies["user"]["messages"]["per_second"] = 3
    body = json.dumps({"policies": policies}).encode()
    assert service.handle("PUT", "/ml/limits", headers, body, "", True)[0] == 200
    with pytest.raises(pickle.PicklingError, match="limits that were set by its API"):
        pickle.dumps(engine)
    assert service.handle("DELETE", "/ml/limits", headers, b"", "", True)[0] < 300
    assert pickle.loads(pickle.dumps(engine)).users == 0


def test_rows_are_buffered_up_to_the_buffer_size():
    engine = events_engine(buffer_size=5)
    for i in range(10):
        engine.track_user_activity("ann", 10, timestamp=START + 10 * i)
    assert engine.buffer_size == 5 and engine.buffered == 5
    rows = engine.recent_features(limit=3)
    assert [row["user_id"] for row in rows] == ["ann"] * 3
    users, times, values = engine.feature_matrix()
    assert users == ["ann"] * 5 and times[0] == START + 90
    assert values.shape == (5, len(liminal.FEATURE_NAMES)) and values.dtype == np.float32
    assert values[0, liminal.FEATURE_NAMES.index("avg_message_size")] == 10


def test_arrays_outlive_the_engine():
    engine = flooded()
    users, times, values = engine.feature_matrix()
    copy = values.copy()
    del engine
    gc.collect()
    assert (values == copy).all()


def test_cleaning_up_forgets_sessions():
    engine = events_engine()
    engine.track_user_activity("old", timestamp=START)
    engine.track_user_activity("new", timestamp=START + 7200)
    did = engine.cleanup_old_sessions(max_age_hours=1)
    assert did == {"removed_users": 1, "remaining_users": 1, "removed_rows": 1, "max_age_hours": 1}
    assert engine.active_users == 1
    with pytest.raises(ValueError, match="max_age_hours"):
        engine.cleanup_old_sessions(-1)


def test_feedback_moves_confidence():
    engine = flooded()
    detector = liminal.AnomalyDetector(engine)
    [alert, *_] = detector.recent_anomalies(min_severity="low")
    assert detector.feedback(alert["id"], "false_positive")["feedback"] == "false_positive"
    with pytest.raises(ValueError, match="verdict"):
        detector.feedback(alert["id"], "maybe")


def test_a_word_said_again_is_no_news():
    engine = flooded()
    [alert, *_] = engine.recent_anomalies(min_severity="low")
    engine.feedback(alert["id"], "false_positive")
    told = engine.recent_anomalies(min_severity="low")
    assert engine.feedback(alert["id"], "expected")["feedback"] == "expected"  # no more a human's than before
    engine.feedback(alert["id"], "false_positive")
    assert engine.recent_anomalies(min_severity="low") == told
    assert _engine.take_words(engine) == [], "nobody is beside it"


def test_what_was_saved_before_there_was_an_audit_log_or_gateways_is_taken():
    engine = events_engine()
    engine.track_user_activity("ann", 40, timestamp=START)
    saved = engine.save()
    of_gateways = b"\1\0\0"  # version 1, and none
    assert saved[4:8] == b"\3\0\0\0" and saved.endswith(b"\0" + of_gateways)
    for number, end in ((1, -4), (2, -3)):
        other = events_engine()
        other.load(saved[:4] + bytes([number, 0, 0, 0]) + saved[8:end])
        assert other.state_hash() == engine.state_hash() and other.save() == saved
    for number in (0, 4):
        with pytest.raises(ValueError, match="bytes"):
            other.load(saved[:4] + bytes([number, 0, 0, 0]) + saved[8:])


def test_what_was_learnt_is_saved():
    engine = flooded()
    other = events_engine()
    other.load(engine.save())
    assert other.state_hash() == engine.state_hash()
    assert other.recent_anomalies() == engine.recent_anomalies()
    assert other.recent_features() == engine.recent_features()
    for wrong in (b"", b"nonsense", engine.save()[:-10]):
        with pytest.raises(ValueError, match="bytes"):
            other.load(wrong)
        assert other.users == 0 and other.recent_anomalies() == []


def test_lines_count_though_others_are_bad():
    engine = events_engine()
    report = engine.track_ndjson('{"user":"a","kind":"join","t":1}\n{"user":"a"}\nnonsense\n')
    assert report["accepted"] == 1 and report["rejected_count"] == 2
    assert [one["line"] for one in report["rejected"]] == [2, 3]
    with pytest.raises(ValueError, match="events"):
        engine.track_ndjson("[{")


def test_of_lines_nothing_is_refused():
    told, asked = events_engine(mode="enforce"), events_engine(mode="enforce")
    told.track_ndjson("\n".join(f'{{"user":"eve","kind":"join","t":{START + i / 100}}}' for i in range(15)))
    for i in range(15):
        asked.track_user_activity("eve", 0, kind="connect", timestamp=START + i / 100)
    assert [engine.features("eve")["open_connections"] for engine in (told, asked)] == [15, 10]
    assert [engine.features("eve")["rate_limit_violations"] for engine in (told, asked)] == [5, 5]


def test_the_interpreter_is_free_while_a_batch_is_counted():
    engine = events_engine()
    count = 400_000
    users = ([f"user{i}" for i in range(1000)], np.arange(count, dtype=np.int32) % 1000)
    times = START + np.arange(count) * .001
    done = threading.Event()
    turns = 0

    def count_all():
        engine.track_batch(users, timestamps=times)
        done.set()

    worker = threading.Thread(target=count_all)
    worker.start()
    while not done.is_set():
        turns += 1
    worker.join()
    # With the interpreter held there would be none, or as many as fit before the batch began.
    assert turns > 100
    assert engine.users == 1000


def test_threads_may_share_an_engine():
    engine = events_engine()

    def work(number):
        for i in range(500):
            engine.track_user_activity(f"user{number}", 10, timestamp=START + i)
            engine.features(f"user{number}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.users == 4


def test_rules_are_a_dictionary_that_writes_through():
    detector = liminal.AnomalyDetector(clock="events")
    rules = detector.detection_rules
    assert isinstance(rules, dict) and rules["message_flood"]["threshold"] == 100
    rules["message_flood"]["threshold"] = 5
    rules["message_flood"].update(severity="critical", ordinary_factor=0)
    assert detector.detection_rules["message_flood"]["threshold"] == 5
    for i in range(10):
        detector.engine.track_user_activity("ann", timestamp=START + i)
    [alert] = [a for a in detector.analyze_user_activity("ann") if a["type"] == "message_flood"]
    assert alert["severity"] == "critical"
    del rules["message_flood"]
    assert "message_flood" not in detector.detection_rules
    rules["behavior_deviation"] = {"feature": "burstiness", "threshold": .5}
    assert detector.detection_rules["behavior_deviation"]["severity"] == "medium"
    detector.detection_rules = {"error_spike": {"threshold": .25}}
    assert list(detector.detection_rules) == ["error_spike"]
    assert detector.detection_rules["error_spike"]["feature"] == "error_rate"


def test_two_views_of_the_rules_do_not_undo_each_other():
    engine = liminal.Engine()
    one, other = engine.detection_rules, engine.detection_rules
    flood = other["message_flood"]
    del one["error_spike"]
    one["message_flood"]["threshold"] = 7
    flood["cool_down_s"] = 90
    other["behavior_deviation"] = {"feature": "burstiness", "threshold": .5}
    now = engine.detection_rules
    assert "error_spike" not in now and "error_spike" not in other and "behavior_deviation" in now
    assert now["message_flood"]["threshold"] == 7
    assert now["message_flood"]["cool_down_s"] == pytest.approx(90)
    del one["message_flood"]
    with pytest.raises(KeyError):
        flood["threshold"] = 8


def test_copies_of_rules_write_nowhere():
    rules = liminal.Engine().detection_rules
    for copied in (rules.copy(), copy.copy(rules), copy.deepcopy(rules), rules | {}, {} | rules,
                   pickle.loads(pickle.dumps(rules))):
        assert copied == rules and type(copied) is dict
        assert {type(rule) for rule in copied.values()} == {dict}
        copied["message_flood"]["threshold"] = 1
    assert rules["message_flood"]["threshold"] == 100
    assert type(copy.deepcopy(rules["message_flood"])) is dict
    liminal.Engine().detection_rules = copied


@pytest.mark.parametrize("rules, named", [
    ({"no_such": {}}, "detection_rules.no_such"),
    ({"message_flood": 5}, "detection_rules.message_flood"),
    ({"message_flood": {"threshold": "x"}}, "detection_rules.message_flood.threshold"),
    ({"message_flood": {"thresold": 5}}, "detection_rules.message_flood.thresold"),
    ({"error_spike": {"threshold": 5}}, "detection_rules.error_spike.threshold"),
    ({"message_flood": {"severity": "awful"}}, "detection_rules.message_flood.severity"),
    ({"behavior_deviation": {"threshold": 1}}, "detection_rules.behavior_deviation.feature"),
    ({"behavior_deviation": {"feature": "burstiness"}},
     "detection_rules.behavior_deviation.threshold"),
    ({"message_flood": {"cool_down_s": 1e9}}, "detection_rules.message_flood.cool_down_s"),
    ([], "detection_rules"),
])
def test_wrong_rules_are_named_and_change_nothing(rules, named):
    detector = liminal.AnomalyDetector()
    before = dict(detector.detection_rules)
    with pytest.raises(ValueError, match=named):
        detector.detection_rules = rules
    assert detector.detection_rules == before
    with pytest.raises(ValueError):
        detector.detection_rules["message_flood"] = {"threshold": float("nan")}
    assert detector.detection_rules == before
    with pytest.raises(ValueError):
        liminal.Engine(detection_rules=rules)
