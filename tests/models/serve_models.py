#!/usr/bin/env python3
"""Models of a running server from outside: traffic in, feedback, training, prediction, rollback,
experiments, and SIGKILL in between.

  serve_models.py LIMINAL [--seed N] [--changes N] [--kills N] [--training-kills N]

Posts an hour of real chat (../shared/data/chat beside the project; without it made-up chat, which is
said) with abuse injected, judges some alerts, trains `anomaly_detection`, asks it in both protocols,
changes the champion under load, and kills the server during a training and during promotions: whatever
was acknowledged must be there after the next start. Needs nothing but Python's own library.
"""
import argparse
import http.client
import json
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

READY = re.compile(r"ready listen=\S+ api=(\S+):(\d+)")
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "anomaly_detection"
PATIENCE_S = 240


class Server:
    def __init__(self, program, data, *flags):
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data", data,
             *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert READY.match(line), f"not ready: {line!r}"
        self.ready_s = time.monotonic() - begun
        host, port = READY.match(line).groups()
        self.api = (host, int(port))
        self.connection = http.client.HTTPConnection(*self.api, timeout=60)

    def ask(self, method, path, status=200, body=None, kind="application/json"):
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        self.connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = self.connection.getresponse()
        text = answer.read()
        wanted = status if isinstance(status, tuple) else (status,)
        assert answer.status in wanted, f"{method} {path}: {answer.status} {text[:500]!r}"
        is_json = "json" in (answer.headers["Content-Type"] or "")
        return json.loads(text) if is_json and text else text.decode()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


def chat(random_, hour=0, skipped=0):
    """(seconds, user, bytes, channel, address) of an hour, the first or a later one, of twelve traces."""
    traces = sorted((ROOT.parent / "shared" / "data" / "chat").glob("*.ndjson"))
    if not traces:
        print("without ../shared/data/chat: made-up chat instead")
        for user in range(150):
            t = random_.uniform(0, 600)
            while t < 3600:
                yield t, f"chat{user}", random_.randint(5, 200), str(user % 9), f"10.1.0.{user}"
                t += random_.expovariate(1 / random_.choice([20, 60, 300]))
        return
    users = 0
    for trace in traces[skipped:skipped + 12]:
        seen = set()
        for line in trace.open():
            event = json.loads(line)
            if event["t"] > 3600 * (hour + 1):
                break
            if event["kind"] != "message" or event["t"] < 3600 * hour:
                continue
            seen.add(event["user"])
            yield (event["t"] - 3600 * hour, f"{trace.stem}-{event['user']}", event["bytes"],
                   str(event.get("channel", 0)), event.get("ip") or "10.0.0.1")
        users += len(seen)


def abuse(random_, number):
    """Floods of short messages, like those of a script that went wrong."""
    for abuser in range(number):
        begin, pace = random_.uniform(300, 3300), random_.uniform(3, 8)
        for i in range(int(random_.uniform(60, 150) * pace)):
            yield (begin + i / pace, f"abuser{abuser}", random_.randint(2, 30), "0",
                   f"10.9.0.{abuser}")


def post_traffic(server, random_, abusers=160, run="", hour=0, hours=1, skipped=0):
    """Posts one of so many hours until now. Ends all users' names with `run`: by their names a third of
    them judges."""
    now = time.time() - 3600 * (hours - hour)
    floods = ((t, f"{user}-{hour}" if hour else user, *rest) for t, user, *rest in abuse(random_, abusers))
    events = sorted([*chat(random_, hour, skipped), *floods])
    lines = [json.dumps({"user_id": user + run, "kind": "message", "message_size": size,
                         "channel": channel, "ip_address": address, "timestamp": now + t})
             for t, user, size, channel, address in events]
    # In small parts, as they would come: rows are sampled by their time, across all shards.
    for i in range(0, len(lines), 100):
        part = lines[i:i + 100]
        report = server.ask("POST", "/ml/events", (200, 202), "\n".join(part),
                            "application/x-ndjson")
        assert report["accepted"] == len(part), report
    print(f"{len(lines)} events of {len({e[1] for e in events})} users posted")


def judge_alerts(server, known=()):
    """Judges half of the alerts, without those that were `known` before; all alerts' ids."""
    alerts = []
    for _ in range(100):
        alerts = [alert for alert in server.ask(
            "GET", "/ml/anomalies/recent?limit=10000&min_severity=medium")["alerts"]
            if alert["id"] not in known]
        if len(alerts) >= 40:
            break
        time.sleep(.1)
    judged = 0
    for alert in alerts[::2]:
        verdict = "true_positive" if alert["user_id"].startswith("abuser") else "false_positive"
        server.ask("POST", f"/ml/anomalies/{alert['id']}/feedback", 200, {"verdict": verdict})
        judged += 1
    print(f"{len(alerts)} alerts, {judged} judged")
    return {alert["id"] for alert in alerts}


def train(server, **more):
    job = server.ask("POST", "/ml/models/train", 202,
                     {"model_name": MODEL, "data_source": "store", **more})["job_id"]
    server.ask("POST", "/ml/models/train", 409, {"model_name": MODEL, "data_source": "store"})
    return ended(server, job)


def ended(server, job):
    """A job's last view."""
    end = time.monotonic() + PATIENCE_S
    progress = 0
    while time.monotonic() < end:
        view = server.ask("GET", f"/ml/jobs/{job}")
        assert view["progress"] >= progress, view
        progress = view["progress"]
        if view["state"] not in ("queued", "running"):
            return view
        time.sleep(.2)
    raise AssertionError(f"job {job} does not end: {view}")


def model(server):
    return server.ask("GET", f"/ml/models/{MODEL}")


def row(**more):
    return {"messages_per_minute": 2, "avg_message_size": 80, "error_rate": 0,
            "rate_limit_violations": 0, **more}


def predict(server, status=200, **more):
    return server.ask("POST", "/ml/models/predict", status,
                      {"model_name": MODEL, "features": row(), **more})


def check_predictions(server):
    calm = predict(server, explain=True)
    wild = predict(server, features=row(messages_per_minute=900, avg_message_size=12))
    assert wild["prediction"] > calm["prediction"], (calm, wild)
    why = calm["explanation"]
    total = why["expectation"] + sum(why["contributions"].values())
    assert abs(total - why["margin"]) < 1e-6 * max(1, abs(total)), why
    rows = [row(), row(messages_per_minute=900, avg_message_size=12)]
    both = predict(server, features=rows)["predictions"]
    tensor = {"name": "input", "datatype": "FP32", "shape": [2, 4],
              "data": [list(one.values()) for one in rows]}
    said = server.ask("POST", f"/v2/models/{MODEL}/infer", 200, {"inputs": [tensor]})
    assert said["outputs"][0]["data"] == [one["prediction"] for one in both], (said, both)
    kept = {one["version"]: one["for_batches"] for one in model(server)["versions"]}
    for version, beside in kept.items():
        batch = predict(server, features=rows, batch=True, version=version)
        assert batch["for_batches"] == (beside is not None) and len(batch["predictions"]) == 2, batch
    predict(server, 422, features={"messages_per_minute": 1})
    predict(server, 404, version=99)


def quantiles(seconds):
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (.5, .99, 1)]
    return "p50 {:.2f}, p99 {:.2f}, slowest {:.1f} ms".format(*(1000 * one for one in at))


class Askers:
    """Two clients that ask for predictions one after another, and note what came and when."""

    def __init__(self, server, expected):
        self.server, self.expected = server, expected
        self.stop, self.took, self.wrong = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.ask) for _ in range(2)]

    def ask(self):
        try:
            self.ask_until_stopped()
        except Exception as e:  # an answer that does not come or cannot be read is a wrong one
            self.wrong.append(repr(e))

    def ask_until_stopped(self):
        own = http.client.HTTPConnection(*self.server.api, timeout=60)
        body = json.dumps({"model_name": MODEL, "features": row()})
        while not self.stop.is_set():
            begun = time.monotonic()
            own.request("POST", "/ml/models/predict", body, {"Content-Type": "application/json"})
            answer = own.getresponse()
            said = json.loads(answer.read())
            self.took.append(time.monotonic() - begun)
            if answer.status != 200 or said["prediction"] != self.expected.get(said["version"]):
                self.wrong.append((answer.status, said))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def swap_under_load(server, changes):
    """No request fails while the champion changes, and each answer is of one version, whole."""
    expected = {version: predict(server, version=version)["prediction"] for version in (1, 2)}
    with Askers(server, expected) as calm:
        time.sleep(.5)
    took = []
    with Askers(server, expected) as asked:
        for i in range(changes):
            begun = time.monotonic()
            server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 1 + i % 2})
            assert predict(server)["version"] == 1 + i % 2
            took.append(time.monotonic() - begun)
    wrong = calm.wrong + asked.wrong
    assert not wrong, wrong[:3]
    print(f"{changes} changes of the champion under {len(asked.took)} predictions of two clients: none "
          f"failed or was of neither version\n"
          f"  from a change's call to the next answer of its own: {quantiles(took)}\n"
          f"  a prediction, calm:           {quantiles(calm.took)}\n"
          f"  a prediction during changes:  {quantiles(asked.took)}")
    assert max(took) < 1, took


def check_experiment(server):
    view = server.ask("POST", "/ml/experiments", 201,
                      {"model_name": MODEL, "mode": "shadow", "guards": [],
                       "challenger": 3 - model(server)["champion"]})
    path = "/ml/experiments/" + view["experiment_id"]
    for _ in range(50):
        predict(server, features=[row(), row(messages_per_minute=500)])
    alerts = server.ask("GET", "/ml/anomalies/recent?limit=10000&min_severity=medium")["alerts"]
    fresh = {alert["user_id"]: alert for alert in alerts if alert["feedback"] is None}
    for alert in [*fresh.values()][:10]:
        for _ in range(2):  # what is said again counts once
            server.ask("POST", f"/ml/anomalies/{alert['id']}/feedback", 200,
                       {"verdict": "true_positive"})
    for _ in range(100):
        view = server.ask("GET", path)
        if view["scored"] >= 100 and view["judged"]["challenger"] >= 10:
            break
        time.sleep(.1)
    assert view["scored"] >= 100 and view["judged"]["challenger"] >= 10, view
    assert view["latency_us"]["champion"] > 0, view
    return path


def intact(data):
    for name in ("liminal.db", "models/registry.db"):
        with sqlite3.connect(f"{data}/{name}") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), name


def kill_while_training(program, data, server, random_, rounds):
    ready = []
    for _ in range(rounds):
        before = model(server)
        job = server.ask("POST", "/ml/models/train", 202, {"model_name": MODEL, "data_source": "store",
                                                           "time_budget_s": 600})["job_id"]
        while server.ask("GET", f"/ml/jobs/{job}")["state"] != "running":
            time.sleep(.02)
        time.sleep(random_.uniform(0, 1))
        server.kill()
        intact(data)
        server = Server(program, data)
        ready.append(server.ready_s)
        view = server.ask("GET", f"/ml/jobs/{job}")
        assert view["state"] == "failed" and "interrupted" in view["problem"], view
        assert model(server) == before, "versions or aliases changed"
        server.ask("GET", "/readyz?verbose")
    print(f"{rounds} kills during trainings: jobs found interrupted, versions and aliases as before; "
          f"ready again: {quantiles(ready)}")
    return server


def kill_while_promoting(program, data, server, random_, rounds):
    acknowledged, ready = 0, []
    history = server.ask("GET", f"/ml/models/{MODEL}/history?limit=1000")["count"]
    for _ in range(rounds):
        last, under_way = [model(server)["champion"]], [None]
        count = [0]

        def load():
            own = http.client.HTTPConnection(*server.api, timeout=10)
            try:
                for i in range(10**6):
                    under_way[0] = 1 + i % 2
                    own.request("POST", f"/ml/models/{MODEL}/load",
                                json.dumps({"version": under_way[0]}),
                                {"Content-Type": "application/json"})
                    answer = own.getresponse()
                    answer.read()
                    if answer.status == 200:
                        # What is champion already is no change, and writes no line.
                        count[0] += under_way[0] != last[0]
                        last[0], under_way[0] = under_way[0], None
            except (OSError, http.client.HTTPException):
                pass

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(random_.uniform(.1, .6))
        server.kill()
        thread.join()
        intact(data)
        server = Server(program, data)
        ready.append(server.ready_s)
        found = model(server)["champion"]
        assert found in (last[0], under_way[0]), (found, last, under_way)
        assert predict(server)["version"] == found
        acknowledged += count[0]
    lines = server.ask("GET", f"/ml/models/{MODEL}/history?limit=1000")["count"]
    assert lines == 1000 or lines >= history + acknowledged, (lines, history, acknowledged)
    print(f"{rounds} kills during promotions, {acknowledged} acknowledged: none is lost; ready again: "
          f"{quantiles(ready)}")
    return server


def command(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=PATIENCE_S)
    return done.returncode, done.stdout, done.stderr


def check_calls(program, server):
    """The commands that ask the running server."""
    api = ["--api", "http://%s:%d" % server.api]
    code, out, err = command(program, "models", "train", "--all", "--fits-max", "8", "--keep", *api)
    # Minutes of its load are not there yet: said, and the others are trained.
    assert code == 1 and "load_prediction: " in err and "anomaly_detection" not in err, (out, err)
    assert "version 3 of anomaly_detection is challenger" in out, out
    assert "version 1 of user_behavior is challenger" in out, out
    code, out, _ = command(program, "models", "jobs", *api)
    assert code == 0 and "version 1 of user_behavior" in out, out
    number = next(line.split()[0] for line in out.splitlines() if "user_behavior" in line)
    code, out, err = command(program, "models", "jobs", number, "--cancel", *api)
    assert code == 1 and "ended" in err, (out, err)
    code, out, _ = command(program, "models", "report", MODEL, "--version", "1", *api)
    assert code == 0 and json.loads(out)["split"], out
    code, out, _ = command(program, "models", "report", MODEL, "--page", *api)
    assert code == 0 and out.startswith("<!doctype html>"), out[:80]
    code, out, _ = command(program, "models", "load", "user_behavior", "--version", "1", *api)
    assert code == 0 and "version 1 of user_behavior is champion" in out, out
    group = server.ask("GET", "/ml/users/abuser1")["group"]
    assert group["version"] == 1 and group["cluster"] >= 0 and group["distance"] >= 0, group
    assert group["description"], group
    code, out, _ = command(program, "models", "unload", "user_behavior", *api)
    assert code == 0 and "no champion" in out, out
    assert server.ask("GET", "/ml/users/abuser1")["group"] is None
    code, out, _ = command(program, "experiments", "begin", MODEL, "--challenger", "3", *api)
    assert code == 0 and "3: running" in out, out
    number = out.split()[1]
    code, out, _ = command(program, "experiments", "show", number, *api)
    assert code == 0 and "3: running" in out, out
    code, out, _ = command(program, "experiments", "stop", number, *api)
    assert code == 0 and "3: stopped" in out and "an operator" in out, out
    code, _, err = command(program, "models", "unload", "../nobody", *api)
    assert code == 1 and err.startswith("liminal: "), err
    code, _, err = command(program, "models", "jobs", "--api", "http://127.0.0.1:1")
    assert code == 1 and "nobody listens" in err, err


def check_load(program, data, random_):
    """The champion of load_prediction says, a minute after another, what comes in five."""
    folder = pathlib.Path(data) / "training"
    folder.mkdir(exist_ok=True)
    with (folder / "load.csv").open("w") as file:
        file.write("messages_per_minute,connection_duration,channels_count,messages_per_second_in_5_minutes\n")
        for _ in range(400):
            load = random_.uniform(0, 6000)
            file.write(f"{load},{random_.uniform(0, 100)},2,{10 + load / 60 + random_.gauss(0, 1)}\n")
    server = Server(program, data, "--time-scale", "60")
    wish = {"model_name": "load_prediction", "data_source": "file", "file": "load.csv", "fits_max": 8}
    job = server.ask("POST", "/ml/models/train", 202, wish)["job_id"]
    view = ended(server, job)
    assert view["state"] == "succeeded", view
    server.ask("POST", "/ml/models/load_prediction/load", 200, {"version": 1})
    said, end = None, time.monotonic() + PATIENCE_S
    while said is None or said["version"] != 1:
        assert time.monotonic() < end, "nothing is foretold"
        said = server.ask("GET", "/ml/status")["model_manager"]["load_prediction"]
        time.sleep(.1)
    # Nobody sends anything: ten messages a second are what the table says follows.
    assert 0 <= said["low"] < said["messages_per_second"] < said["high"] < 60, said
    print(f"load_prediction in status: {said}")
    server.stop()


def check_commands(program, data, running, answers):
    code, out, _ = command(program, "models", "list", "--data", data)
    assert code == 0 and MODEL in out and "champion" in out, out
    rows = pathlib.Path(data) / "rows.csv"
    rows.write_text(",".join(row()) + "\n" + ",".join(str(one) for one in row().values()) + "\n")
    for version in (1, 2):
        code, out, err = command(program, "predict", MODEL, str(rows), "--version", str(version), "--data", data)
        assert code == 0 and out.startswith("prediction,probability\n"), (code, out, err)
        said = float(out.splitlines()[1].split(",")[1])
        assert abs(said - answers[version]) < 1e-6, (said, answers)
    code, out, err = command(program, "predict", MODEL, str(rows), "--version", "99", "--data", data)
    assert code == 1 and not out and "99" in err, (out, err)
    code, out, _ = command(program, "models", "history", MODEL, "--data", data)
    assert code == 0 and "champion" in out, out
    code, out, err = command(program, "models", "load", MODEL, "--version", "2", "--data", data)
    assert code == (1 if running else 0), (code, out, err)
    assert ("a server runs" in err) == running, err
    code, out, _ = command(program, "experiments", "list", "--data", data)
    assert code == 0 and MODEL in out, out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--training-kills", type=int, default=1)
    arguments = parser.parse_args()
    random_ = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as data:
        server = Server(arguments.program, data)
        problem = server.ask("POST", "/ml/models/train", 409,
                             {"model_name": MODEL, "data_source": "store"})
        assert problem["rows_missing"] > 0, problem
        server.ask("POST", "/ml/models/train", 422,
                   {"model_name": MODEL, "data_source": "file", "file": "../liminal.db"})
        post_traffic(server, random_)
        judge_alerts(server)
        first = train(server, fits_max=12)
        assert first["state"] == "succeeded", first
        print("first:", first["result"])
        report = server.ask("GET", f"/ml/models/{MODEL}/versions/1/report")
        print("split:", report["split"], "held out:", report["held_out"], "judged:",
              report["judged_by_people"], "without:", report["without_rule_features"])
        second = train(server, fits_max=12, seed=2, auto_deploy=False, injected_abuse=True)
        assert second["state"] == "succeeded" and second["result"]["alias"] == "challenger", second
        assert second["injected_abuse"] and not first["injected_abuse"], second
        data_of = [server.ask("GET", f"/ml/models/{MODEL}/versions/{version}/report")["data"]
                   for version in (1, 2)]
        assert "injected_rows" not in data_of[0], data_of
        assert data_of[1]["injected_rows"] > 60 and abs(data_of[1]["injected_weight"] - .1) < 1e-6, data_of
        if model(server)["champion"] is None:
            server.ask("POST", f"/ml/models/{MODEL}/load", 200, {"version": 1})
        check_predictions(server)
        path = check_experiment(server)
        assert server.ask("DELETE", path)["state"] == "stopped"
        swap_under_load(server, arguments.changes)
        answers = {version: predict(server, version=version)["prediction"] for version in (1, 2)}
        check_commands(arguments.program, data, True, answers)
        check_calls(arguments.program, server)
        status = server.ask("GET", "/ml/status")["model_manager"]
        assert MODEL in status["models"] and status["jobs"] == 0, status
        metrics = server.ask("GET", "/metrics")
        assert 'liminal_training_runs_total{model="anomaly_detection",status="succeeded"} 3' in metrics
        assert 'liminal_inference_seconds_count{model="anomaly_detection"}' in metrics
        checks = {one["name"]: one for one in server.ask("GET", "/readyz?verbose")["checks"]}
        assert checks["champions"]["ok"], checks
        server = kill_while_training(arguments.program, data, server, random_,
                                     arguments.training_kills)
        server = kill_while_promoting(arguments.program, data, server, random_, arguments.kills)
        server.stop()
        check_commands(arguments.program, data, False, answers)
        check_load(arguments.program, data, random_)
    print("done")


if __name__ == "__main__":
    main()
