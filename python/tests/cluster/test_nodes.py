"""The application on a cluster of several nodes, from its configuration file: started by
docker/ray-workers.sh, scaled up and down, a worker node killed, taken away again."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import pytest
import yaml
from clients import Load, wait_for, wait_until_ready
from conftest import (
    PROJECT,
    REFUSED_BY_A_DEAD_REPLICA,
    end_haproxy,
    free_port,
    haproxy_of_its_own,
    kill_haproxy,
    kill_node,
)

BIN = pathlib.Path(sys.executable).parent
SCRIPT = PROJECT / "docker/ray-workers.sh"


def run(*command, environment, timeout=240):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A head and two workers as processes: their environment, the folder of who runs, that of HAProxy."""
    folder = tmp_path_factory.mktemp("nodes")
    sockets = tempfile.mkdtemp(prefix="lmn.", dir="/tmp")  # their paths must be short
    environment = os.environ | haproxy_of_its_own(sockets) | {
        "RAY": str(BIN / "ray"), "RAY_WORKERS_KIND": "processes", "RAY_WORKERS_FOLDER": str(folder),
        "RAY_WORKERS_PORT": str(free_port()), "RAY_WORKERS_DASHBOARD_PORT": str(free_port()),
        "RAY_WORKERS_CPUS": "2"}
    try:
        said = run(SCRIPT, "start", "2", environment=environment)
        assert "nodes=3 kind=processes" in said
        yield environment, folder, sockets
    finally:
        subprocess.run([SCRIPT, "stop"], env=environment, check=True, timeout=60)
        left = kill_haproxy(sockets)
        end_haproxy(sockets)
    assert not left, "HAProxy outlived its nodes"
    assert subprocess.run([SCRIPT, "status"], env=environment, capture_output=True).returncode == 1


@pytest.fixture(scope="module")
def deployed(nodes, tmp_path_factory):
    """deploy/ray/serve.yaml on it, with what belongs to this machine and to a test's patience changed: where it
    answers, the dashboard, and what deploys it again."""
    environment, folder, _ = nodes
    wanted = yaml.safe_load((PROJECT / "deploy/ray/serve.yaml").read_text())
    port = free_port()
    wanted["http_options"]["port"] = port
    application = wanted["applications"][0]
    application["args"] |= {"folder": str(tmp_path_factory.mktemp("owners")), "owners": 2,
                            "owner_cpus": .1, "snapshot_s": 1.0, "patience_s": 120.0}
    for deployment in application["deployments"]:
        deployment["ray_actor_options"]["num_cpus"] = .2
        deployment["graceful_shutdown_timeout_s"] = 2
        deployment["health_check_timeout_s"] = 30
        deployment["autoscaling_config"] |= {"upscale_delay_s": 1, "downscale_delay_s": 3,
                                             "metrics_interval_s": 1, "look_back_period_s": 2}
        deployment["autoscaling_config"]["max_replicas"] = 3
    application["deployments"][0]["autoscaling_config"]["target_ongoing_requests"] = 2
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump(wanted))
    dashboard = f"http://127.0.0.1:{environment['RAY_WORKERS_DASHBOARD_PORT']}"
    base = f"http://127.0.0.1:{port}"

    def deploy():
        run(BIN / "serve", "deploy", "--address", dashboard, file, environment=environment)
        wait_until_ready(base)

    deploy()
    return base, dashboard, deploy


def replicas(dashboard) -> list[str]:
    """The addresses of the nodes on which replicas of the ingress run."""
    request = urllib.request.Request(dashboard + "/api/serve/applications/", headers={
        "Authorization": "Bearer " + os.environ["RAY_AUTH_TOKEN"]})
    with urllib.request.urlopen(request, timeout=10) as answer:
        deployments = json.load(answer)["applications"]["liminal"]["deployments"]
    # While it is deployed anew none is told of.
    ingress = deployments.get("Ingress", {"replicas": []})
    return [one["node_ip"] for one in ingress["replicas"] if one["state"] == "RUNNING"]


def test_the_configuration_file_serves_everything(nodes, deployed):
    environment, _, _ = nodes
    base, dashboard, _ = deployed
    # One answers already while the other begins.
    wait_for("two replicas", lambda: len(replicas(dashboard)) == 2, 180, .5)
    said = run(sys.executable, PROJECT / "scripts/test_ml_models.py", base, environment=environment)
    assert "everything is as it should be" in said and "/ml/models " in said


def test_replicas_follow_the_load(deployed, capsys):
    base, dashboard, _ = deployed
    begin = time.monotonic()
    with Load(base, clients=16, events=20, pause_s=0) as load:
        wait_for("a third replica", lambda: len(replicas(dashboard)) > 2, 180, .5)
        up_s = time.monotonic() - begin
    begin = time.monotonic()
    wait_for("two replicas again", lambda: len(replicas(dashboard)) <= 2, 180, .5)
    with capsys.disabled():
        print(f"\n  autoscaling: a third replica after {up_s:.0f} s of load, two again "
              f"{time.monotonic() - begin:.0f} s after it; {load}")
    assert not load.failed, load.failed


def test_a_worker_node_that_is_killed_takes_few_answers_along(nodes, deployed, capsys):
    environment, folder, _ = nodes
    base, dashboard, _ = deployed
    with Load(base, events=20) as load:
        load.more(500)
        took_replicas = "127.0.0.4" in replicas(dashboard)
        kill_node(folder, "worker-2")
        said = run(SCRIPT, "start", "2", environment=environment)  # another one in its place
        assert "nodes=3" in said, said
        load.more(500)
    begin = time.monotonic()
    wait_until_ready(base)
    with capsys.disabled():
        print(f"\n  worker node killed, {'with' if took_replicas else 'without'} a replica of the ingress: {load}, "
              f"everything ready {time.monotonic() - begin:.1f} s later")
    # One that begins or ends there counts as much as one that runs.
    assert sum(load.failed.values()) <= REFUSED_BY_A_DEAD_REPLICA, load.failed


def test_rays_metrics_have_the_replicas_counts(nodes, deployed):
    listed = pathlib.Path(os.environ["RAY_TMPDIR"]) / "ray" / "prom_metrics_service_discovery.json"
    for path in ("cluster.yml", "prometheus.yml"):
        jobs = yaml.safe_load((PROJECT / "deploy/prometheus" / path).read_text())["scrape_configs"]
        assert jobs[0]["metrics_path"] == "/metrics"

    def there() -> bool:
        told = "".join(scraped(target) for group in json.loads(listed.read_text()) for target in group["targets"])
        return all(re.search(rf"^ray_{name}\{{[^}}]*application=\"liminal\"[^}}]*\}} [1-9]", told, re.M)
                   for name in ("liminal_requests_total", "serve_deployment_request_counter_total"))

    wait_for("the counts of replicas", there, 60, 1)


def scraped(target):
    try:
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
            return answer.read().decode()
    except OSError:  # of a node that was killed
        return ""


SCALED_BY_FORECAST = """
[[scaling.actors]]
service = "ingress"
kind = "ray_serve"
url = "{dashboard}"
application = "liminal"
deployment = "Ingress"
token_file = "{token}"
mode = "enforce"
"""


def scaled_by_forecast(file):
    """The configuration file with replicas as many as somebody asks for, instead of by requests under way."""
    wanted = yaml.safe_load(file.read_text())
    application = wanted["applications"][0]
    application["external_scaler_enabled"] = True
    for deployment in application["deployments"]:
        del deployment["autoscaling_config"]
        deployment["num_replicas"] = 1
    file.write_text(yaml.safe_dump(wanted))


def test_replicas_are_as_many_as_is_forecast(nodes, deployed, program, tmp_path, monkeypatch, capsys):
    _, folder, _ = nodes
    base, dashboard, deploy = deployed
    for tests in ("tests/serve", "tests/actor"):
        monkeypatch.syspath_prepend(str(PROJECT / tests))
    from check_actor import tell
    from join_cluster import Server

    scaled_by_forecast(folder / "serve.yaml")
    deploy()
    wait_for("one replica", lambda: len(replicas(dashboard)) == 1, 180, .5)
    (tmp_path / "token").write_text(os.environ["RAY_AUTH_TOKEN"] + "\n")
    (tmp_path / "liminal.toml").write_text(SCALED_BY_FORECAST.format(
        dashboard=dashboard, token=tmp_path / "token"))
    liminal = Server(program, str(tmp_path / "data"), "127.0.0.1:0", "--config", str(tmp_path / "liminal.toml"))
    try:
        begin = time.monotonic()
        advised = tell(":".join(map(str, liminal.api)), "ingress")
        assert advised > 1
        wait_for(f"{advised} replicas", lambda: len(replicas(dashboard)) == advised, 180, .5)
        liminal.ask("PUT", "/scaling/ingress", json.dumps({"replicas_min": 1, "replicas_max": 2}), status=(200,))
        wait_for("two replicas, as many as it may be", lambda: len(replicas(dashboard)) == 2, 180, .5)
    finally:
        liminal.kill()
    wait_until_ready(base)
    with capsys.disabled():
        print(f"\n  by the forecast: {advised} replicas, then 2, after {time.monotonic() - begin:.0f} s")


def test_it_is_taken_away(nodes, deployed):
    environment, _, _ = nodes
    base, _, _ = deployed
    said = run(sys.executable, PROJECT / "scripts/deploy_ml_serve.py", "--undeploy", "--address",
               f"127.0.0.1:{environment['RAY_WORKERS_PORT']}", environment=environment)
    # Ray may tell of the dead node first. Two owners, commons, models.
    assert said.endswith("taken away: liminal and its 4 actors\n"), said
    with pytest.raises(AssertionError):
        wait_until_ready(base, 1)
