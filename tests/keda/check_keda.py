#!/usr/bin/env python3
"""Asks a running server what KEDA asks an external scaler, with messages written byte by byte.

  check_keda.py LIMINAL

Names and numbers are those that KEDA publishes, not taken from our own .proto.
"""
import json
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "remote_write"))
from remote_write import delimited, varint  # noqa: E402

METRIC = b"liminal-replicas"


def object_ref(name, service=None):
    message = delimited(1, name.encode()) + delimited(2, b"shop")
    if service:
        entry = delimited(1, b"service") + delimited(2, service.encode())
        message += delimited(3, entry)
    return message


def number(whole):
    return b"\x10" + varint(whole) + b"\x19" + struct.pack("<d", whole)


SPEC = delimited(1, delimited(1, METRIC) + number(1))


class Liminal:
    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data",
             str(folder / "data"), "--set", "scaling.grpc=127.0.0.1:0", "--set", "log.level=warning"],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        self.api, address = re.match(r"ready listen=\S+ api=(\S+) grpc=(\S+)", ready).groups()
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])

    def ask(self, method, message):
        return self.channel.unary_unary(f"/externalscaler.ExternalScaler/{method}")(
            message, timeout=30, wait_for_ready=True)

    def refused(self, method, message):
        try:
            self.ask(method, message)
        except grpc.RpcError as error:
            return error.code()
        return None

    def stream(self, method, message):
        return self.channel.unary_stream(f"/externalscaler.ExternalScaler/{method}")(
            message, timeout=30)

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.api}{path}", data, method=method,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def metrics_request(name, service=None):
    return delimited(1, object_ref(name, service)) + delimited(2, METRIC)


def check(liminal):
    assert liminal.ask("GetMetricSpec", object_ref("web")) == SPEC
    assert liminal.ask("IsActive", object_ref("web")) == b"\x08\x01"
    assert liminal.refused("GetMetrics", metrics_request("web")) == grpc.StatusCode.NOT_FOUND
    liminal.call("POST", "/scaling", {"service": "new", "usage_patterns": {"request_rate": 1}})
    assert liminal.refused("GetMetrics", metrics_request("new")) == grpc.StatusCode.UNAVAILABLE

    history = [{"timestamp": time.time() - 60 * t, "request_rate": 100 + t % 50,
                "cpu_avg": (100 + t % 50) / 200, "replicas": 2} for t in range(200, 0, -1)]
    liminal.call("PUT", "/scaling/web", {"replicas_min": 3})
    liminal.call("POST", "/scaling", {"service": "web", "current_replicas": 2,
                                      "usage_patterns": {"request_rate": 100, "cpu_avg": .5},
                                      "history": history})
    advised = json.loads(liminal.call("GET", "/scaling/web/metric"))["value"]
    assert advised >= 3
    value = delimited(1, delimited(1, METRIC) + number(advised))
    assert liminal.ask("GetMetrics", metrics_request("web")) == value
    assert liminal.ask("GetMetrics", metrics_request("deployment", "web")) == value

    active = liminal.stream("StreamIsActive", object_ref("web"))
    assert next(active) == b"\x08\x01"
    spec = liminal.stream("StreamMetricSpec", object_ref("web"))
    assert next(spec) == SPEC
    found = liminal.call("GET", "/metrics")
    assert 'liminal_grpc_calls_total{method="GetMetrics",result="answered"} 2' in found
    assert 'liminal_grpc_calls_total{method="GetMetrics",result="failed"} 2' in found
    assert "liminal_grpc_streams 2" in found
    assert liminal.stop() == 0, "with streams open"
    try:
        next(active)
        raise AssertionError("the stream goes on without a server")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    return value


def main():
    with tempfile.TemporaryDirectory(prefix="liminal-keda-") as name:
        liminal = Liminal(sys.argv[1], pathlib.Path(name))
        try:
            value = check(liminal)
            liminal = Liminal(sys.argv[1], pathlib.Path(name))
            assert liminal.ask("GetMetricSpec", object_ref("web")) == SPEC
            again = liminal.ask("GetMetrics", metrics_request("web"))
            assert again == value, "another advice after the restart"
            assert liminal.stop() == 0
        finally:
            if liminal.process.poll() is None:
                liminal.process.kill()
    print("KEDA would be answered")


if __name__ == "__main__":
    main()
