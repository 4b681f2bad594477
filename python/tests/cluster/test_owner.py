"""Owners, commons and what they save, in this process: no cluster is there."""
import concurrent.futures
import json
import threading
import types

import pytest
import ray
from clients import routed

import liminal
from liminal import _actors, _engine, _owner
from liminal._epochs import DAMAGED, SNAPSHOT, Epochs, Losses, Snapshots
from liminal._owner import MISMATCH, Commons, Gate, Moving
from liminal.serve import settings_of

LOCAL = [(b"host", b"localhost"), (b"content-type", b"application/json")]


def events(user, count=1):
    return routed([{"user_id": user, "kind": "message"}] * count)[0]


def folder_of(owner):
    return owner._epochs.of(owner._epochs.number)


@pytest.mark.parametrize("damage", [
    b"", b"no header at all", b"[]\n", b'{"epoch":1}\nx', b"half", b"header alone", b"one bit"])
def test_a_damaged_snapshot_is_left_for_the_one_before(owner_of, tmp_path, capfd, damage):
    first = owner_of()
    first.track(events("ann", 3))
    first.save()
    second = owner_of()
    second.track(events("bob", 2))
    second.save()
    file = folder_of(second) / SNAPSHOT
    whole = file.read_bytes()
    file.write_bytes({b"half": whole[: len(whole) // 2],
                      b"header alone": whole.partition(b"\n")[0] + b"\n",
                      b"one bit": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]}.get(damage, damage))
    third = owner_of()
    about = third.about()
    assert (about["epoch"], about["accepted"], about["users"], about["damaged"]) == (3, 3, 1, 1)
    assert str(file) in capfd.readouterr().out
    assert (tmp_path / "owner-00" / DAMAGED).exists()
    # It knows what the second had acknowledged from those who remember it.
    third.was_told(2, 5)
    assert third.about()["lost"] == 2


def test_without_a_whole_snapshot_an_owner_begins_anew(owner_of):
    first = owner_of()
    first.track(events("ann", 3))
    first.save()
    (folder_of(first) / SNAPSHOT).write_bytes(b"x")
    second = owner_of()
    assert second.about()["users"] == 0 and second.about()["damaged"] == 1
    second.was_told(1, 3)
    assert second.about()["lost"] == 3
    assert owner_of().about()["damaged"] == 0


def test_a_snapshot_of_a_version_that_knew_less_is_taken(owner_of):
    first = owner_of()
    first.track(events("ann", 3), "key", "print")
    first.save()
    file = folder_of(first) / SNAPSHOT
    header, state = file.read_bytes().split(b"\n", 1)
    kept = {name: value for name, value in json.loads(header).items() if name in ("epoch", "accepted", "keys")}
    file.write_bytes(json.dumps(kept).encode() + b"\n" + state)
    second = owner_of()
    assert second.about()["accepted"] == 3 and second.about()["damaged"] == 0
    assert second.track(events("ann"), "key", "another") == MISMATCH


def test_a_damaged_snapshot_of_the_commons_is_left_for_the_one_before(tmp_path):
    settings = settings_of({"folder": str(tmp_path), "owners": 1, "beat": False})
    first = Commons(settings)
    first._commons.advance([], 100.0)
    first.retire()
    second = Commons(settings)
    assert second.about()["state_hash"] == first.about()["state_hash"]
    (second._epochs.mine / SNAPSHOT).write_bytes(b"{}\n")
    assert Commons(settings).about()["state_hash"] == first.about()["state_hash"]


def policies(owner, headers=LOCAL):
    status, _, body = owner.ask("GET", "/ml/limits", headers, b"", "127.0.0.1", True)
    assert status == 200, body
    return json.loads(body)["policies"]


def audit_log(owner, headers=LOCAL):
    status, _, body = owner.ask("GET", "/ml/audit", headers, b"", "127.0.0.1", True)
    assert status == 200, body
    return json.loads(body)["entries"]


def test_what_is_said_of_an_alert_is_told_to_the_other_owners_once(owner_of, monkeypatch, capfd):
    told = []

    class Named:
        def __init__(self, settings, part):
            self.part = part

        def call(self, method, *arguments):
            told.append((self.part, method, *arguments))
            if self.part == "owner-01":
                raise failures.pop()

    failures = [ray.exceptions.RayError("the head is away"), _actors.Gone("owner-01")]

    monkeypatch.setattr(_owner, "Named", Named)
    owner = owner_of(owners=3)
    user = next(name for name in map(str, range(100)) if _engine.shard_of(name) % 3 == 0)
    now = 1_800_000_000.0
    owner.tick(now)
    owner.track(routed([{"user_id": user, "kind": "message", "timestamp": now + i / 500} for i in range(400)], 3)[0])
    owner.tick(now + 1)
    [alert, *_] = owner._engine.recent_anomalies(min_severity="low")
    path = f"/ml/anomalies/{alert['id']}/feedback"
    for verdict in ("false_positive", "expected", "false_positive", "true_positive"):
        status, _, body = owner.ask("POST", path, LOCAL, json.dumps({"verdict": verdict}).encode(), "127.0.0.1", True)
        assert status == 200, body
    owner.retire()  # which waits until all are told
    assert told == [(part, "count_feedback", alert["type"], *word) for word in (
        ("false_positive", False), ("true_positive", True)) for part in ("owner-01", "owner-02")]
    assert capfd.readouterr().out.count("owner-01 was not told") == 2
    owner.resume()
    assert [one["action"] for one in audit_log(owner)] == ["feedback"] * 4


def told_alert(number, gateway="north", **more):
    """What a gateway tells of one of its alerts."""
    stamp = "2026-11-30T12:00:00.000Z"
    blank = dict.fromkeys(liminal.FEATURE_NAMES, 0)
    alert = {"id": f"17-{number}", "user_id": "ann", "ip_address": None, "type": "message_flood", "severity": "high",
             "status": "open", "mode": "shadow", "detector": "rate_surprise_10s", "recommended_action": "limit",
             "score": 1.5, "confidence": .75, "detectors": 1, "first_seen": stamp, "last_seen": stamp, "count": 3,
             "features": blank, "evidence": [], "feedback": None} | more
    return json.dumps({"gateway": gateway, "alerts": [alert]}).encode()


def test_alerts_of_gateways_and_what_was_said_of_them_outlive_an_owner(owner_of, monkeypatch):
    spread = []
    monkeypatch.setattr(_owner.UserShards, "_spread", lambda self, words: spread.extend(words))

    def tell(owner, body):
        status, _, said = owner.ask("POST", "/ml/anomalies/recent", LOCAL, body, "127.0.0.1", True)
        assert (status, json.loads(said)) == (200, {"accepted": 1}), said

    def listed(owner):
        answer = owner.ask("GET", "/ml/anomalies/recent?min_severity=low", LOCAL, b"", "127.0.0.1", True)
        return sorted((one["id"], one["gateway"], one["gateway_alert"], one["count"], one["feedback"])
                      for one in json.loads(answer[2])["alerts"])

    word = {"verdict": "true_positive", "time": "2026-11-30T12:00:05.000Z", "note": "spam"}
    first = owner_of()
    tell(first, told_alert(42, feedback=word))
    tell(first, told_alert(42, "south", count=1))
    known = [("64-1", "north", "17-42", 3, "true_positive"), ("64-2", "south", "17-42", 1, None)]
    assert listed(first) == known
    second = owner_of()  # nothing was saved but by the journal
    assert listed(second) == known
    # Told again, as after an answer that did not arrive, it is the same alert and the same word.
    tell(second, told_alert(42, feedback=word))
    tell(second, told_alert(42, count=2))
    assert listed(second) == known
    second.save()
    third = owner_of()
    assert listed(third) == known
    status, _, body = third.ask("POST", "/ml/anomalies/64-1/feedback", LOCAL, b'{"verdict":"expected"}',
                                "127.0.0.1", True)
    assert status == 200 and json.loads(body)["gateway"] == "north", body
    assert listed(owner_of()) == [("64-1", "north", "17-42", 3, "expected"), known[1]]
    third.retire()
    assert spread == [("message_flood", "true_positive", False), ("message_flood", "expected", True)]
    material = _engine.material(third._engine)
    assert material.count(b"ann") >= 2


@pytest.mark.parametrize("token", ["", "s3cret"])
def test_limits_that_were_set_outlive_an_owner(owner_of, token):
    headers = [*LOCAL, (b"authorization", b"Bearer " + token.encode())] if token else LOCAL
    first = owner_of(token=token)
    wanted = policies(first, headers)
    wanted["user"]["messages"]["burst"] = 7
    status, _, body = first.ask("PUT", "/ml/limits", headers,
                                json.dumps({"policies": wanted}).encode(), "127.0.0.1", True)
    assert status == 200, body
    second = owner_of(token=token)  # nothing was saved but by the request itself
    assert policies(second, headers) == wanted
    third = owner_of(token=token)
    assert policies(third, headers) == wanted
    # That they were put back is nothing that somebody did.
    assert [one["action"] for one in audit_log(third, headers)] == ["limits.set"]
    # Who deploys with another mode means it; the rest stays.
    last = owner_of(token=token, mode="enforce")
    assert policies(last, headers) == {**wanted, "mode": "enforce"}
    status, _, body = last.ask("DELETE", "/ml/limits", headers, b"", "127.0.0.1", True)
    wanted["user"]["messages"]["burst"] = 20
    assert status == 200 and json.loads(body)["policies"] == {**wanted, "mode": "enforce"}, body
    assert policies(owner_of(token=token), headers) == wanted


def test_decisions_outlive_an_owner_that_saved_nothing_since(owner_of):
    first = owner_of()
    status, _, body = first.ask("PUT", "/ml/limits/ann", LOCAL, b'{"kind":"block","reason":"spam"}', "127.0.0.1", True)
    assert status == 201, body
    second = owner_of()
    status, _, body = second.ask("GET", "/ml/limits/ann", LOCAL, b"", "127.0.0.1", True)
    assert status == 200 and json.loads(body)["kind"] == "block"
    assert second.ask("DELETE", "/ml/limits/ann", LOCAL, b"", "127.0.0.1", True)[0] == 204
    assert owner_of().ask("GET", "/ml/limits/ann", LOCAL, b"", "127.0.0.1", True)[0] == 404


def test_limits_that_nobody_set_are_those_of_the_settings(owner_of):
    owner_of(mode="shadow").save()
    assert policies(owner_of(mode="observe"))["mode"] == "observe"


def test_losses_are_remembered_beyond_the_next_death(owner_of):
    first = owner_of(journal=False)
    first.track(events("ann", 3))
    first.save()
    told = first.track(events("ann", 2))
    assert told == (1, 5)
    second = owner_of(journal=False)
    second.was_told(*told)
    second.was_told(1, 4)  # of a replica that knows less
    assert second.about()["lost"] == 2
    second.save()
    told = second.track(events("bob"))
    third = owner_of(journal=False)  # nobody wrote to the second since
    third.was_told(*told)
    account = third.account(1, 6)  # a replica that comes late remembers the first
    assert account == {"place": 0, "shards": 64, "epoch": 3, "events_accepted": 3, "events_lost": 4,
                       "snapshots_damaged": 0}


def test_losses_of_long_ago_are_counted_and_not_counted_again():
    losses = Losses()
    for epoch in range(1, 60):
        losses.begin(epoch, 10 * epoch)
        assert losses.told(epoch - 1, 10 * epoch + 1) == (epoch > 1)
    losses = Losses(json.loads(json.dumps(losses.header())))
    assert losses.total == 58 and losses.told(2, 1000) == 0
    assert losses.told(59, 10**6) == 0, "it lives"


def test_rows_are_kept_as_many_as_are_wanted(owner_of):
    assert owner_of(rows=7)._engine.buffer_size == 7
    assert owner_of()._engine.buffer_size == liminal.api.ROWS


def test_who_retires_knows_everything_and_takes_nothing_more(owner_of):
    first = owner_of()
    first.track(events("ann", 3))
    first.retire()
    for call in (lambda: first.track(events("ann")),
                 lambda: first.ask("GET", "/ml/status", LOCAL, b"", "127.0.0.1", True)):
        with pytest.raises(Moving):
            call()
    assert owner_of().about()["accepted"] == 3


def test_who_cannot_save_itself_is_not_ended_and_goes_on(owner_of, monkeypatch):
    owner, ended = owner_of(), []
    owner.track(events("ann", 3))
    monkeypatch.setattr(owner._epochs, "save", raising(OSError("the disk is full")))
    monkeypatch.setattr(_actors.ray, "get_actor", lambda name, namespace: Handle(owner))
    monkeypatch.setattr(_actors.ray, "get", lambda told, timeout: told())
    monkeypatch.setattr(_actors.ray, "kill", lambda actor, no_restart: ended.append(actor))
    with pytest.raises(RuntimeError, match="owner-00: could not save itself, .*the disk is full"):
        _actors.renew_one(owner._settings, "owner-00")
    assert not ended and owner.track(events("ann")) == (1, 4)


def test_who_saves_itself_too_late_goes_on(owner_of, monkeypatch):
    owner, ended = owner_of(), []
    handle = Handle(owner)

    def late(told, timeout):
        told()
        if timeout == _actors._RETIRING_PATIENCE_S:
            raise ray.exceptions.GetTimeoutError("late")
        return {}

    monkeypatch.setattr(_actors.ray, "get_actor", lambda name, namespace: handle)
    monkeypatch.setattr(_actors.ray, "get", late)
    monkeypatch.setattr(_actors.ray, "kill", lambda actor, no_restart: ended.append(actor))
    with pytest.raises(RuntimeError, match="owner-00: did not save itself in 30 s"):
        _actors.renew_one(owner._settings, "owner-00")
    handle.asked["resume"]()
    assert not ended and owner.track(events("ann")) == (1, 1)


class Handle:
    """An actor in this process: what it is asked is carried out when the answer is wanted, as Ray tells it."""

    def __init__(self, actor):
        self.actor, self.asked = actor, {}

    def __getattr__(self, method):
        carry_out = getattr(self.actor, method)

        def told(*arguments):
            try:
                return carry_out(*arguments)
            except OSError as wrong:
                raise ray.exceptions.RayTaskError(method, "", wrong).as_instanceof_cause() from None

        def remote(*arguments):
            self.asked[method] = lambda: told(*arguments)
            return self.asked[method]

        return types.SimpleNamespace(remote=remote)


def raising(wrong):
    def one(*arguments):
        raise wrong

    return one


def test_limits_are_kept_as_the_last_one_set_them(owner_of):
    """Also where others set them at the same moment."""
    owner, bodies = owner_of(), []
    for burst in range(2, 10):
        wanted = policies(owner)
        wanted["user"]["messages"]["burst"] = burst
        bodies.append(json.dumps({"policies": wanted}).encode())
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for body in bodies:
                pool.submit(owner.ask, "PUT", "/ml/limits", LOCAL, body, "127.0.0.1", True)
                pool.submit(owner.ask, "DELETE", "/ml/limits", LOCAL, b"", "127.0.0.1", True)
        held = policies(owner)
        owner = owner_of()
        assert policies(owner) == held


@pytest.mark.parametrize("wrong", [OSError("full"), KeyError("policies"), MemoryError()])
def test_snapshots_go_on_whatever_was_wrong_with_one(tmp_path, monkeypatch, capfd, wrong):
    class Over(BaseException):
        pass

    def save():
        saved.append(1)
        raise wrong if len(saved) < 3 else Over

    saved: list[int] = []
    with pytest.raises(Over):
        Snapshots(Epochs(tmp_path / "one"), .001, save).run()
    assert capfd.readouterr().out.count("was not saved: " + repr(wrong)) == 2


def test_a_training_asks_whoever_has_an_owners_name(owner_of, monkeypatch):
    owner, names, learnt = owner_of(), [], []

    def get_actor(name, namespace):
        names.append(name)
        if len(names) == 1:
            raise ValueError(name)
        return Handle(owner)

    models = object.__new__(_owner.Models)
    models._settings, models._gate, models._mirror = owner._settings, Gate(), None
    models._service = types.SimpleNamespace(learn_from=learnt.extend, handle=lambda *request: (202, [], b""))
    monkeypatch.setattr(_actors.ray, "get_actor", get_actor)
    monkeypatch.setattr(_owner.ray, "get", lambda told, timeout: [one() for one in told])
    with pytest.raises(_actors.Gone):  # between two incarnations: asked again, as who is renewed
        models.ask("POST", "/ml/models/train")
    assert not learnt and models.ask("POST", "/ml/models/train")[0] == 202
    assert names == ["liminal-owner-00"] * 2 and learnt == [owner.material()]


def test_a_gate_closes_when_nobody_is_inside():
    gate, entered, leave, closed = Gate(), threading.Event(), threading.Event(), threading.Event()

    def stay():
        with gate.inside():
            entered.set()
            leave.wait(30)

    def close():
        gate.close()
        closed.set()

    threads = [threading.Thread(target=stay)]
    threads[0].start()
    assert entered.wait(30)
    threads.append(threading.Thread(target=close))
    threads[1].start()
    assert not closed.wait(.05)
    leave.set()
    assert closed.wait(30)
    for thread in threads:
        thread.join()
    with pytest.raises(Moving), gate.inside():
        pass


def test_a_folder_is_of_one_number_of_owners(owner_of):
    owner_of()
    with pytest.raises(ValueError, match="owners: .* was begun by 1"):
        owner_of(owners=2)


def test_only_the_last_two_incarnations_are_kept(tmp_path):
    for number in range(1, 5):
        epochs = Epochs(tmp_path / "one")
        assert epochs.number == number
        epochs.save({}, b"")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["epoch-000000003", "epoch-000000004"]


def test_parts_are_renewed_for_what_they_go_by(owner_of):
    owner = owner_of()
    settings, about = owner._settings, owner.about()
    assert not _actors.differs("owner-00", settings, about)
    for other in ({"token": "x"}, {"mode": "enforce"}, {"rows": 5}, {"snapshot_s": 1.0}):
        assert _actors.differs("owner-00", settings | other, about)
    for other in ({"replicas": 5}, {"models": ["churn classification left a"]}):
        assert not _actors.differs("owner-00", settings | other, about)
    assert _actors.differs("owner-00", settings, about | {"version": "0.0.1"})
    assert _actors.differs("owner-00", settings, {"pid": 1}), "of a version that did not tell"
    assert _actors.used("models", settings)["models"] == []
    for key, other in (("owners", 2), ("folder", "/elsewhere")):
        with pytest.raises(ValueError, match=f"{key}: liminal-owner-00 runs with .*--undeploy"):
            _actors.refuse_what_is_fixed(settings | {key: other}, {"owner-00": about})
    _actors.refuse_what_is_fixed(settings | {"token": "x"}, {"owner-00": about, "models": {"pid": 1}})


def test_who_comes_back_as_it_was_is_renewed_once_and_told_of(owner_of, monkeypatch):
    owner = owner_of()
    settings, renewals = owner._settings, []
    old = {"owner-00": owner.about() | {"version": "0.0.1"}}

    class Renewer:
        options = remote = lambda self, **given: self

        @property
        def renew(self):
            return types.SimpleNamespace(remote=lambda settings, parts, always: renewals.append(parts) or parts)

    monkeypatch.setattr(_actors, "ClusterMemory", lambda name: {})
    monkeypatch.setattr(_actors, "make", lambda part, settings: None)
    monkeypatch.setattr(_actors, "_running", lambda settings, part: None)
    monkeypatch.setattr(_actors, "abouts", lambda actors, ended=None: old if actors else {})
    monkeypatch.setattr(_actors.ray, "remote", lambda kind: Renewer())
    monkeypatch.setattr(_actors.ray, "get", lambda told: told)
    monkeypatch.setattr(_actors.ray, "kill", lambda actor: None)
    with pytest.raises(RuntimeError, match="owner-00: was renewed and has .* version 0.0.1 of the package"):
        _actors.ensure(settings)
    assert renewals == [["owner-00"]]


def test_who_is_ended_by_another_renewer_meanwhile_is_looked_for_again(owner_of, monkeypatch):
    owner = owner_of()
    settings, made, names = owner._settings, [], set()
    parts = _actors.parts_of(settings)
    abouts = {part: {"settings": _actors.used(part, settings), "version": _engine.__version__} for part in parts}

    def make(part, settings):
        made.append(part)
        dies = part == "owner-00" and made.count(part) == 1
        names.difference_update({part}) if dies else names.add(part)
        told = raising(ray.exceptions.ActorDiedError()) if dies else lambda: abouts[part]
        return types.SimpleNamespace(about=types.SimpleNamespace(remote=lambda: told))

    monkeypatch.setattr(_actors, "ClusterMemory", lambda name: types.SimpleNamespace(
        get=lambda name: None, put=lambda name, text: None))
    monkeypatch.setattr(_actors, "make", make)
    monkeypatch.setattr(_actors, "_running", lambda settings, part: part if part in names else None)
    monkeypatch.setattr(_actors.ray, "wait", lambda asked, num_returns, timeout: (asked, []))
    monkeypatch.setattr(_actors.ray, "get", lambda told: told())
    assert _actors.ensure(settings) == []
    assert made == parts * 2

    monkeypatch.setattr(_actors, "make", lambda part, settings: types.SimpleNamespace(
        about=types.SimpleNamespace(remote=lambda: raising(ray.exceptions.ActorDiedError()))))
    names.clear()
    with pytest.raises(RuntimeError, match="models, commons, owner-00: .* cannot begin"):
        _actors.ensure(settings)
