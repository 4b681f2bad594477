#!/usr/bin/env python3
"""Holds a gateway that enforces to what the documentation says of limits, from outside.

  enforcing.py LIMINAL

One server enforces in front of another one, whose hub answers. Real connections are refused, delayed and
closed; users, alerts, the audit log and metrics are what the API says of it. Needs nothing but Python's own
library.
"""
import json
import pathlib
import re
import signal
import sys
import tempfile
import time

from check_serve import PATIENCE_S, Server, until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
from proxy import BINARY, PING, PONG, TEXT, Client, frame, request  # noqa: E402

HELD_BACK_S = 2
BEHIND = """
mode = "observe"
shards = 1
[log]
format = "json"
"""
ENFORCING = """
mode = "enforce"
shards = 2
[log]
format = "json"
[identity]
trusted_proxies = ["127.0.0.1"]
[detect.statistics.error_cusum]
line_factor = 4  # never: the rule alone is to speak
[gateway]
error_values = ["error"]
hold_time_max = "20 ms"
held_back_max = "%d s"
"""


def connect(server, user, address):
    """A connection on its way in."""
    client = Client(server.listen)
    client.send(request(f"X-User-Id: {user}", f"X-Forwarded-For: {address}"))
    return client


def connected(server, user, address):
    client = connect(server, user, address)
    assert client.status() == 101
    return client


def publish(content):
    return json.dumps({"type": "publish", "channel": f"of {len(content)}", "content": content}).encode()


def feature(server, user, name):
    return json.loads(server.ask("GET", f"/ml/users/{user}")[1])["features"][name]


def alerts(server, user, kind):
    recent = json.loads(server.ask("GET", "/ml/anomalies/recent?min_severity=low&limit=1000")[1])["alerts"]
    return [alert for alert in recent if (alert["user_id"], alert["type"]) == (user, kind)]


def audited(server, user):
    """What was done to a user and by whom, as soon as it is stored."""
    entries = json.loads(server.ask("GET", f"/ml/audit?subject={user}")[1])["entries"]
    return [(entry["actor"], entry["action"], entry["detail"]) for entry in entries]


def metric(server, sample):
    [value] = re.findall(rf"^{re.escape(sample)} (\S+)$", server.ask("GET", "/metrics")[1], re.MULTILINE)
    return float(value)


def caps_on_connections_hold_exactly(server):
    """However fast they come, and on whichever thread their users are."""
    for users, cap, reason in ((1, 10, "user_connections"), (100, 50, "address_connections")):
        address = f"203.0.113.{users}"
        clients = [connect(server, f"many-{i % users}-of-{users}", address) for i in range(cap + 50)]
        heads = [client.head() for client in clients]
        refused = [head for head in heads if " 429 " in head.split("\r\n")[0]]
        assert sum(" 101 " in head.split("\r\n")[0] for head in heads) == cap, heads
        assert len(refused) == 50, heads
        assert all("Retry-After: 10\r\n" in head for head in refused), refused
        until("those let in", lambda: metric(server, "websocket_connections") == cap)
        assert metric(server, f'websocket_rate_limit_total{{reason="{reason}"}}') == 50
        for client in clients:
            client.socket.close()
        until("they are gone", lambda: metric(server, "websocket_connections") == 0)
        # At once again: nothing is left of those that were refused, nor of those that went.
        with connected(server, f"many-0-of-{users}", address):
            pass
        until("nobody", lambda: metric(server, "websocket_connections") == 0)


def what_is_too_large_is_closed(server):
    with connected(server, "large", "203.0.113.3") as client:
        client.send(frame(BINARY, bytes(70_000)))
        assert client.close_code() == 1009
    with connected(server, "growing", "203.0.113.3") as client:  # each of its frames is small enough
        client.send(frame(BINARY, bytes(40_000), fin=False) + frame(0, bytes(40_000)))
        assert client.close_code() == 1009
    for user in ("large", "growing"):
        until("its entry", lambda: any(actor == "engine" and action == "close" and "message_size" in detail
                                       for actor, action, detail in audited(server, user)))


def a_rule_drops_whatever_crosses_it(server):
    """Also while its cool-down keeps it from saying so again."""
    with connected(server, "heavy", "203.0.113.7") as client:
        for i in range(20):
            client.send(frame(TEXT, json.dumps({"type": "ping", "pad": f"{i:05}" * 4_000}).encode()))
        client.send(frame(PING, b"behind them"))
        answers = 0
        while client.frame()[0] & 0x0f != PONG:
            answers += 1
    assert answers <= 2, f"{answers} of 20 passed"
    [alert] = until("an alert", lambda: alerts(server, "heavy", "oversized_messages"))
    assert alert["detector"] == "rule", alert
    until("its entry", lambda: ("engine", "drop", "message: oversized_messages") in audited(server, "heavy"))


def a_message_in_fragments_is_one(server):
    """Also when it is judged before its end comes."""
    with connected(server, "pieces", "203.0.113.4") as client:
        for i in range(5):
            whole = publish(str(i) * 3_000)
            client.send(frame(TEXT, whole[:1_000], fin=False))
            until("its beginning", lambda: feature(server, "pieces", "messages_per_minute") == i + 1)
            client.send(frame(0, whole[1_000:2_000], fin=False) + frame(0, whole[2_000:]))
        until("all", lambda: feature(server, "pieces", "bytes_per_minute") >= 15_000)
        assert feature(server, "pieces", "messages_per_minute") == 5
        assert feature(server, "pieces", "avg_message_size") == len(whole)
        assert metric(server, 'liminal_events_total{kind="continued"}') >= 5


def failing_messages_are_an_error_spike_at_the_tenth(server):
    def fail(client, i):
        client.send(frame(TEXT, f"nonsense {i}".encode()))
        assert json.loads(client.frame()[1])["type"] == "error"

    with connected(server, "failing", "203.0.113.5") as client:
        for i in range(9):
            fail(client, i)
        until("nine", lambda: feature(server, "failing", "error_rate") == 1)
        assert feature(server, "failing", "messages_per_minute") == 9
        assert not alerts(server, "failing", "error_spike")
        fail(client, 9)
        [alert] = until("an alert", lambda: alerts(server, "failing", "error_spike"))
        assert alert["detector"] == "rule", alert
        assert alert["features"]["messages_per_minute"] == 10, alert


def who_floods_is_held_back_and_then_closed(server):
    with connected(server, "flood", "203.0.113.6") as client:
        began = time.monotonic()
        for i in range(200):
            client.send(frame(TEXT, publish(f"flood {i}")))
        assert client.close_code() == 1013
        took = time.monotonic() - began
        assert took >= HELD_BACK_S, f"closed after {took} s"
        # 20 at once, 10 a second.
        assert feature(server, "flood", "messages_per_minute") <= 20 + 10 * took + 2
    entries = until("its close", lambda: [entry for entry in audited(server, "flood") if entry[1] == "close"])
    assert entries[0][0] == "gateway" and entries[0][2].startswith("message: user_messages"), entries
    assert any(entry[:2] == ("engine", "delay") for entry in audited(server, "flood"))
    assert metric(server, 'websocket_delays_exceeded_total{action="close"}') == 1
    assert metric(server, 'websocket_closes_total{reason="rate_limited"}') == 1


def who_is_blocked_is_closed_and_not_let_in_again(server):
    with connected(server, "blocked", "203.0.113.8") as client:
        answer, text = server.ask("PUT", "/ml/limits/blocked", json.dumps({"kind": "block", "reason": "a test"}),
                                  Content_Type="application/json")
        assert answer.status in (200, 201), text
        assert client.close_code() == 1008
    with connect(server, "blocked", "203.0.113.8") as client:
        assert client.status() == 403
    until("its entries", lambda: {("gateway", "close", "connect: blocked"), ("engine", "drop", "connect: blocked")}
          <= set(audited(server, "blocked")))


def who_is_blocked_and_only_reads_is_closed_too(server):
    """All connections of the user, and of nobody else."""
    def told(client, user):
        client.send(frame(TEXT, json.dumps({"type": "subscribe", "channel": "watched"}).encode()))
        assert json.loads(client.frame()[1])["type"] == "subscribed", user

    spies = [connected(server, "spy", f"203.0.113.{10 + i}") for i in range(3)]
    with connected(server, "reader", "203.0.113.10") as reader:
        for client, user in [*((spy, "spy") for spy in spies), (reader, "reader")]:
            told(client, user)
        began = time.monotonic()
        answer, text = server.ask("PUT", "/ml/limits/spy", json.dumps({"kind": "block", "reason": "reads along"}),
                                  Content_Type="application/json")
        assert answer.status == 201, text
        assert [spy.close_code() for spy in spies] == [1008] * 3
        print(f"closed within {time.monotonic() - began:.2f} s", flush=True)
        until("its entry", lambda: ("gateway", "close", "connect: blocked") in audited(server, "spy"))
        with connect(server, "spy", "203.0.113.10") as again:
            assert again.status() == 403
        reader.send(frame(TEXT, json.dumps({"type": "publish", "channel": "watched", "content": "on"}).encode()))
        assert json.loads(reader.frame()[1])["content"] == "on"
    for spy in spies:
        spy.socket.close()


def a_delay_that_the_gateway_does_not_grant_is_a_drop(server):
    server.reload(ENFORCING % HELD_BACK_S + 'delay_max = "0 s"\n')
    with connected(server, "dropped", "203.0.113.9") as client:
        for i in range(60):
            client.send(frame(TEXT, publish(f"dropped {i}")))
        until("drops", lambda: metric(server, 'websocket_delays_exceeded_total{action="drop"}') >= 1)
    until("its drop", lambda: any(entry[:2] == ("gateway", "drop") for entry in audited(server, "dropped")))


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folders = [pathlib.Path(name) / part for part in ("behind", "front")]
        for folder in folders:
            folder.mkdir()
        servers = [Server(program, folders[0], BEHIND)]
        try:
            servers.append(Server(program, folders[1], ENFORCING % HELD_BACK_S, "--upstream",
                                  f"ws://{servers[0].listen}"))
            for holds in (caps_on_connections_hold_exactly, what_is_too_large_is_closed,
                          a_rule_drops_whatever_crosses_it, a_message_in_fragments_is_one,
                          failing_messages_are_an_error_spike_at_the_tenth,
                          who_floods_is_held_back_and_then_closed,
                          who_is_blocked_is_closed_and_not_let_in_again,
                          who_is_blocked_and_only_reads_is_closed_too,
                          a_delay_that_the_gateway_does_not_grant_is_a_drop):
                began = time.monotonic()
                holds(servers[1])
                print(f"{holds.__name__}: {time.monotonic() - began:.1f} s", flush=True)
        finally:
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
            codes = [server.process.wait(timeout=PATIENCE_S) for server in servers]
        assert codes == [0, 0], codes
    print("ok")


if __name__ == "__main__":
    main()
