#!/usr/bin/env python3
"""Has a real Prometheus scrape Liminal and write to it, until Liminal judges what it sent.

  check_prometheus.py LIMINAL PROMETHEUS

Prometheus scrapes Liminal's own /metrics every second. Its series must appear as metrics of the
source that the label `instance` names, with the right values and a counter as its rate; nothing may
have failed or been refused on the way; after Liminal was away, what waited must arrive.
"""
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

PATIENCE_S = 60
CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: web
    static_configs: [{{targets: ["{api}"]}}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: "(up|liminal|process|scrape).*", action: keep}}
remote_write:
  - url: http://{api}/api/v1/write
    authorization: {{credentials: s3cret}}
    queue_config: {{min_backoff: 100ms, max_backoff: 500ms, batch_send_deadline: 500ms}}
"""


def get(address, path):
    request = urllib.request.Request(f"http://{address}{path}",
                                     headers={"Authorization": "Bearer s3cret"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def declare(address, metric, kind):
    path = f"/anomaly/series/{address}/" + urllib.parse.quote(metric, safe="")
    request = urllib.request.Request(
        f"http://{address}{path}", json.dumps({"kind": kind}).encode(), method="PUT",
        headers={"Authorization": "Bearer s3cret", "Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def samples(text):
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def until(what, look):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if (found := look()) is not None:
                return found
        except OSError:
            pass  # not there (yet)
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(.2)


class Liminal:
    def __init__(self, program, folder, api="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--api", api, "--data",
             str(folder / "data"), "--set", "api.token=s3cret", "--set", "log.level=warning"],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        self.api = re.match(r"ready listen=\S+ api=(\S+)", ready)[1]

    def metrics(self):
        return samples(get(self.api, "/metrics"))

    def result(self, name):
        return self.metrics()[f'liminal_remote_write_samples_total{{result="{name}"}}']

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def failed(prometheus):
    found = samples(get(prometheus, "/metrics"))
    return sum(value for name, value in found.items()
               if re.match(r"prometheus_remote_storage_(samples|metadata)_failed_total", name))


def check(liminal, prometheus, folder, program):
    value = f'liminal_metric_value{{source="{liminal.api}",metric='
    up = value + '"up{job=\\"web\\"}"}'
    scale = value + '"process_start_time_seconds{job=\\"web\\"}"}'
    cpu = value + '"process_cpu_seconds_total{job=\\"web\\"}"}'
    # Only a hundred series are shown, those first of which something was told.
    for metric, kind in (("up", "gauge"), ("process_start_time_seconds", "gauge"),
                         ("process_cpu_seconds_total", "counter")):
        declare(liminal.api, f'{metric}{{job="web"}}', kind)

    def judged():
        found = liminal.metrics()
        return found if {up, scale, cpu} <= found.keys() else None

    found = until("the scraped series as metrics", judged)
    assert found[up] == 1, found[up]
    start = found["process_start_time_seconds"]
    assert abs(found[scale] - start) < 1, (found[scale], start)
    assert 0 <= found[cpu] < 8, f"no rate: {found[cpu]}"
    assert found["liminal_metric_series"] > 100, found["liminal_metric_series"]
    assert found['liminal_remote_write_samples_total{result="learnt"}'] > 100
    assert not [name for name in found if "liminal_metric_value" in name.partition("metric=")[2]]
    until("metadata answered", lambda: True if failed(prometheus) == 0 else None)

    # Away for a while: what Prometheus has kept comes when it is back.
    api = liminal.api
    assert liminal.stop() == 0
    time.sleep(2)
    again = Liminal(program, folder, api)
    try:
        until("samples after the restart", lambda: again.result("learnt") > 0 or None)
        assert again.metrics()["liminal_metric_series"] > 100, "what was learnt is there again"
        assert failed(prometheus) == 0, "samples were given up"
    finally:
        assert again.stop() == 0


def main():
    program, prometheus_program = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="liminal-remote-write-") as name:
        folder = pathlib.Path(name)
        liminal = Liminal(program, folder)
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(api=liminal.api))
        address = f"127.0.0.1:{free_port()}"
        with open(folder / "prometheus.log", "w") as log, subprocess.Popen(
                [prometheus_program, f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={address}",
                 # Else it waits a minute for a Liminal that has ended.
                 "--storage.remote.flush-deadline=1s"],
                stdout=log, stderr=log) as prometheus:
            try:
                until("Prometheus", lambda: get(address, "/-/ready") or None)
                check(liminal, address, folder, program)
            except BaseException:
                print((folder / "prometheus.log").read_text()[-3000:])
                raise
            finally:
                prometheus.terminate()
                if liminal.process.poll() is None:
                    liminal.process.kill()
    print("what Prometheus scraped was judged, across a restart")


if __name__ == "__main__":
    main()
