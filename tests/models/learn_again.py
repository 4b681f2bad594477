#!/usr/bin/env python3
"""A running server trains a model anew by itself when traffic drifts, and SIGKILL in the middle.

  learn_again.py LIMINAL [--seed N]

Posts made-up traffic with abuse, trains `anomaly_detection`, then posts traffic of another kind: one
training must begin by itself, and only one; killed in its middle, the server must know afterwards why
it began, that it failed, and when it will be tried again. Needs nothing but Python's own library.
"""
import argparse
import random
import sqlite3
import tempfile
import time

from serve_models import MODEL, Server, command, intact, judge_alerts, model, train

# No training by the clock, none for feedback; for drift at once; the budget outlasts the test.
SETTINGS = ("learning.every=0", "learning.rest=0", "learning.feedback=0", "learning.budget=10 min")
USERS = 300


def flags(*settings):
    return [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]


def minute(random_, begin, bytes_):
    """(seconds, user, bytes): about a message of every user."""
    return sorted((begin + random_.uniform(0, 60), f"user{user}", bytes_(random_))
                  for user in range(USERS) if random_.random() < .9)


def floods(random_, begin, number):
    for abuser in range(number):
        start = begin + random_.uniform(0, 400)
        for i in range(300):
            yield start + i / 5, f"abuser{abuser}", random_.randint(2, 30)


def address(user):
    number = int(user.lstrip("abuser"))
    return f"10.{9 if user[0] == 'a' else 1}.{number // 250}.{number % 250 + 1}"


def post(server, events):
    lines = [f'{{"user_id":"{user}","kind":"message","message_size":{size},"channel":"c",'
             f'"ip_address":"{address(user)}","timestamp":{t:.3f}}}' for t, user, size in events]
    for i in range(0, len(lines), 100):
        part = lines[i:i + 100]
        report = server.ask("POST", "/ml/events", (200, 202), "\n".join(part),
                            "application/x-ndjson")
        assert report["accepted"] == len(part), report


def learning(server):
    return next(one for one in server.ask("GET", "/ml/learning")["models"] if one["name"] == MODEL)


def wait(what, patience_s=30):
    end = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(.1)
    return found


def audit(data):
    with sqlite3.connect(f"{data}/liminal.db") as database:
        return database.execute("SELECT action, detail FROM audit WHERE actor = 'learning'").fetchall()


def first_champion(server, random_, begin):
    events = [event for m in range(20)
              for event in minute(random_, begin + 60 * m, lambda r: r.randint(20, 200))]
    post(server, sorted([*events, *floods(random_, begin + 120, 60)]))
    judge_alerts(server)
    first = train(server, fits_max=12)
    assert first["state"] == "succeeded", first
    if model(server)["champion"] is None:
        server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 1})
    calm = wait(lambda: (view := learning(server))["drift"] and view)
    assert calm["state"] == "waiting" and calm["champion"] == 1 and calm["next_run"] is None, calm
    assert calm["last"]["job_id"] == "1" and calm["last"]["trigger"] is None, calm


def drift(server, random_, begin):
    for m in range(30):
        post(server, minute(random_, begin + 60 * m, lambda r: r.randint(2000, 9000)))
        view = learning(server)
        if view["state"] == "training":
            break
        time.sleep(.25)
    view = wait(lambda: (now := learning(server))["state"] == "training" and now)
    print(f"drift after {m + 1} minutes of other traffic: {view['last']['reason']}, "
          f"score {view['drift']['score']:.1f}")
    assert view["last"]["trigger"] == "drift" and "avg_message_size" in view["last"]["reason"], view
    size = next(one for one in view["drift"]["features"] if one["name"] == "avg_message_size")
    assert size["drifted"] and sum(one["expected"] for one in size["bins"]) > .999, size


def jobs(server):
    return server.ask("GET", "/ml/jobs")["jobs"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random_ = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as data:
        server = Server(arguments.program, data, *flags())
        begin = time.time() - 3600
        first_champion(server, random_, begin)
        drift(server, random_, begin + 1200)
        assert len(jobs(server)) == 2 and not jobs(server)[0]["auto_deploy"], jobs(server)
        wish = {"model_name": MODEL, "data_source": "store"}
        server.ask("POST", "/ml/models/train", 409, wish)
        post(server, minute(random_, begin + 3100, lambda r: r.randint(2000, 9000)))
        time.sleep(1.5)
        assert len(jobs(server)) == 2, "begun twice"
        metrics = server.ask("GET", "/metrics")
        for line in ('learning_triggers_total{model="anomaly_detection",trigger="drift"} 1',
                     'model_drift_score{model="anomaly_detection"}',
                     'model_training_age_seconds{model="anomaly_detection"}'):
            assert "liminal_" + line in metrics, line
        server.kill()
        intact(data)
        assert ("learning.begin", "job 2: drift: drift of ") in [
            (action, detail[:len("job 2: drift: drift of ")]) for action, detail in audit(data)]

        server = Server(arguments.program, data, *flags("learning.retry=1 h"))
        view = wait(lambda: (now := learning(server))["state"] == "backing_off" and now)
        assert view["failures"] == 1 and view["last"]["trigger"] == "drift", view
        assert view["next_run"] == view["not_before"] > view["last"]["time"], view
        assert jobs(server)[0]["problem"].startswith("interrupted"), jobs(server)
        time.sleep(1.5)
        assert len(jobs(server)) == 2, "tried again before its time"
        code, out, _ = command(arguments.program, "models", "list", "--data", data)
        assert code == 0 and "next training" in out and "last drift" in out, out
        server.stop()

        server = Server(arguments.program, data, *flags("learning.retry=1 s"))
        wait(lambda: len(jobs(server)) == 3)
        assert server.ask("DELETE", "/ml/jobs/3")["state"] == "cancelled"
        view = wait(lambda: (now := learning(server))["failures"] == 2 and now)
        assert view["last"]["trigger"] == "drift", view
        server.stop()
        actions = [action for action, _ in audit(data)]
        assert actions.count("learning.begin") == 2 and actions.count("learning.end") == 2, actions
    print("done")


if __name__ == "__main__":
    main()
