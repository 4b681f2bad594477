"""The scripts for a cluster of Ray, with a program ``ray`` that only notes what it was told."""
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest
from conftest import PROJECT

WORKERS = PROJECT / "docker/ray-workers.sh"
DEPLOY = PROJECT / "scripts/deploy_ml_serve.py"
# As many nodes are there as were started.
FAKE = """#!/usr/bin/env bash
echo "$1 mode=$RAY_AUTH_MODE token=${RAY_AUTH_TOKEN:-none}" >>"$NOTES"
case $1 in
  start)
    echo 'Ray runtime started.'
    [[ " $* " != *" --block "* ]] || sleep 60 ;;
  status)
    [ -n "$DEPLOYS" ] && exit 1
    echo Active:
    for _ in $(grep '^start' "$NOTES"); do echo ' 1 node_x'; done
    echo Pending: ;;
esac
"""


@pytest.fixture
def fake(tmp_path):
    """The environment of a fresh machine, and what the program was told there."""
    program = tmp_path / "ray"
    program.write_text(FAKE)
    program.chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY": str(program), "NOTES": str(notes), "HOME": str(tmp_path), "DEPLOYS": "",
                    "RAY_WORKERS_KIND": "processes", "RAY_WORKERS_FOLDER": str(tmp_path / "workers")}
    return environment, lambda: [line for line in notes.read_text().splitlines()
                                 if not line.startswith("status")]


def kill(environment, name):
    """Kills a node; returns when nothing of it looks as if it ran."""
    pid = int((pathlib.Path(environment["RAY_WORKERS_FOLDER"]) / f"{name}.pid").read_text())
    os.killpg(pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while True:
        try:
            if not pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return
        except OSError:
            return
        assert time.monotonic() < until, name
        time.sleep(.01)


@pytest.mark.parametrize("given, told", [
    ({}, ["get-auth-token mode=token token=none", "start mode=token token=none"]),
    ({"RAY_AUTH_TOKEN": "abc"}, ["start mode=token token=abc"]),
    ({"RAY_AUTH_MODE": "disabled"}, ["start mode=disabled token=none"]),
])
def test_nodes_ask_for_a_token_on_a_fresh_machine(fake, given, told):
    environment, notes = fake
    try:
        done = subprocess.run([WORKERS, "start", "0"], env=environment | given, capture_output=True, text=True,
                              timeout=180)
        assert done.returncode == 0, done.stderr
        assert notes() == told
    finally:
        subprocess.run([WORKERS, "stop"], env=environment, check=True, timeout=180)


def test_workers_are_begun_taken_away_and_begun_again(fake):
    environment, notes = fake

    def workers(*given, code=0):
        done = subprocess.run([WORKERS, *given], env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode == code, done.stderr
        return done.stdout

    try:
        assert "nodes=2 kind=processes" in workers("start", "1")
        # What nodes said at their start is not kept for ever.
        for log in pathlib.Path(environment["RAY_WORKERS_FOLDER"]).glob("*.log"):
            log.unlink()
        assert "nodes=3 kind=processes" in workers("start", "2")
        assert workers("status") == "head runs\nworker-1 runs\nworker-2 runs\n"
        assert "nodes=2" in workers("start", "1")
        assert workers("status") == "head runs\nworker-1 runs\n"
        kill(environment, "worker-1")
        assert "nodes=2" in workers("start", "1")
        assert [line.split()[0] for line in notes()] == ["get-auth-token", *["start"] * 2, "get-auth-token", "start",
                                                         *["get-auth-token"] * 2, "start"]
        # A head takes its cluster along.
        kill(environment, "head")
        assert "nodes=2" in workers("start", "1")
        assert [line.split()[0] for line in notes()][-3:] == ["get-auth-token", *["start"] * 2]
    finally:
        workers("stop")
    assert workers("status", code=1) == ""


@pytest.fixture
def deploy(fake, monkeypatch):
    """The script as a module, on the same machine."""
    environment, notes = fake
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    for name in ("NOTES", "HOME"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setenv("DEPLOYS", "1")
    with monkeypatch.context() as kept:  # what it sets is gone after the test
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_SERVE_ENABLE_HA_PROXY",
                     "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S", "RAY_DEDUP_LOGS", "RAY_AUTH_MODE"):
            kept.setenv(name, "")
            os.environ.pop(name)
        spec = importlib.util.spec_from_file_location("deploy_ml_serve", DEPLOY)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        kept.setattr(module, "ray_program", lambda: environment["RAY"])
        yield module, notes, kept


def test_a_local_cluster_asks_for_a_token_on_a_fresh_machine(deploy):
    module, notes, _ = deploy
    module.start_local()
    assert notes() == ["get-auth-token mode=token token=none", "start mode=token token=none"]


def test_a_token_that_is_there_is_taken(deploy):
    module, notes, environment = deploy
    environment.setenv("RAY_AUTH_TOKEN", "abc")
    module.start_local()
    assert notes() == ["start mode=token token=abc"]


def test_hosts_may_be_names(deploy, capsys):
    module, _, environment = deploy
    environment.delenv("LIMINAL_TOKEN", raising=False)
    environment.setattr(sys, "argv", ["deploy_ml_serve.py", "--host", "localhost"])
    assert module.parse().host in ("127.0.0.1", "::1")
    for host in ("0.0.0.0", "no such host"):
        environment.setattr(sys, "argv", ["deploy_ml_serve.py", "--host", host])
        with pytest.raises(SystemExit) as ended:
            module.parse()
        assert ended.value.code == 2
    assert "--token is needed" in capsys.readouterr().err


def test_where_serve_listens_already_is_told_instead_of_waiting(deploy):
    module, _, _ = deploy
    wish = types.SimpleNamespace(host="127.0.0.1", port=8000)
    module.refuse_another_door(wish, types.SimpleNamespace(host="127.0.0.1", port=8000))
    with pytest.raises(SystemExit, match="listens at 127.0.0.1:9000 already: say --host 127.0.0.1 --port 9000"):
        module.refuse_another_door(wish, types.SimpleNamespace(host="127.0.0.1", port=9000))


@pytest.mark.parametrize("given", [["--undeploy"], ["--undeploy", "--address", "127.0.0.1:1"]])
def test_taking_away_where_there_is_no_cluster_is_done(fake, tmp_path, given):
    (tmp_path / "ray.py").write_text(
        "def init(**arguments):\n    raise ConnectionError('no cluster runs here')\n")
    environment, _ = fake
    environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run([sys.executable, DEPLOY, *given], env=environment, capture_output=True, text=True,
                          timeout=180)
    assert done.returncode == 0 and done.stdout.startswith("nothing to take away: "), done.stderr
    done = subprocess.run([sys.executable, DEPLOY, *given[1:]], env=environment, capture_output=True, text=True,
                          timeout=180)
    assert done.returncode == 1 and done.stderr.startswith("deploy_ml_serve: "), done.stderr


def test_every_place_that_starts_ray_asks_for_a_token():
    for path in ("deploy/ray/Dockerfile", "deploy/ray/serve.yaml"):
        assert "RAY_AUTH_MODE=token" in pathlib.Path(PROJECT / path).read_text(), path
