"""The scripts for a cluster of Ray, with a program ``ray`` that only notes what it was told."""
import contextlib
import importlib.util
import os
import pathlib
import signal
import socket
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
    if [ -n "$HAPROXY" ] && [[ " $* " == *" --head "* ]]; then
      setsid "$HAPROXY" -db -f "${RAY_SERVE_HAPROXY_CONFIG_FILE_LOC%/*}/node/haproxy.cfg" &
    fi
    [[ " $* " != *" --block "* ]] || sleep 60 ;;
  status)
    [ -n "$DEPLOYS" ] && exit 1
    echo Active:
    for _ in $(grep '^start' "$NOTES"); do echo ' 1 node_x'; done
    echo Pending: ;;
esac
"""


PORTS = ("RAY_WORKERS_PORT", "RAY_WORKERS_DASHBOARD_PORT", "RAY_SERVE_HAPROXY_STATS_PORT",
         "RAY_SERVE_HAPROXY_METRICS_PORT")


def free_ports(count):
    with contextlib.ExitStack() as held:
        listening = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in listening:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in listening]


@pytest.fixture
def fake(tmp_path):
    """The environment of a fresh machine, and what the program was told there."""
    program = tmp_path / "ray"
    program.write_text(FAKE)
    program.chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY": str(program), "NOTES": str(notes), "HOME": str(tmp_path), "DEPLOYS": "", "HAPROXY": "",
                    **{name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)))},
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


def haproxies(folder):
    """The processes whose command names a file of HAProxy in a folder."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"-db\0-f\0" + str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def test_the_end_of_the_nodes_is_haproxys_too(fake, tmp_path):
    """It is in no node's process group, and would keep the ports of the next cluster."""
    environment, _ = fake
    program = tmp_path / "haproxy"
    program.write_text("#!/usr/bin/env bash\nsleep 60 & wait\n")
    program.chmod(0o755)
    environment["HAPROXY"] = str(program)
    subprocess.run([WORKERS, "start", "0"], env=environment, check=True, capture_output=True, timeout=180)
    folder = pathlib.Path(environment["RAY_WORKERS_FOLDER"])
    try:
        assert len(haproxies(folder)) == 1
        subprocess.run([WORKERS, "stop"], env=environment, check=True, timeout=180)
        assert haproxies(folder) == []
    finally:
        for process in haproxies(folder):
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("name", PORTS)
def test_no_node_is_begun_where_a_port_is_taken(fake, name):
    environment, notes = fake
    with socket.socket() as another:
        another.bind(("", int(environment[name])))
        another.listen()
        done = subprocess.run([WORKERS, "start", "0"], env=environment, capture_output=True, text=True, timeout=180)
        assert done.returncode == 1 and f":{environment[name]} is taken" in done.stderr, done.stderr
    assert all(not line.startswith("start") for line in notes())


def test_the_token_may_be_in_a_file_or_in_the_environment(deploy, tmp_path, capsys):
    module, _, environment = deploy
    file = tmp_path / "token"
    file.write_text("of the file\n")
    environment.setenv("LIMINAL_TOKEN", "of the environment")

    def parsed(*given):
        environment.setattr(sys, "argv", ["deploy_ml_serve.py", *given])
        return module.parse().token

    assert parsed("--token-file", str(file)) == "of the file"
    assert parsed() == "of the environment"
    assert parsed("--token", "said") == "said"
    file.write_text("\n")
    for given in (["--token-file", str(file)], ["--token-file", str(tmp_path / "none")],
                  ["--token-file", str(file), "--token", "said"]):
        with pytest.raises(SystemExit):
            parsed(*given)
        assert "--token-file" in capsys.readouterr().err


def test_several_nodes_need_a_folder_that_all_of_them_see(deploy):
    module, _, _ = deploy
    assert module.folder_of(types.SimpleNamespace(folder=None, store=""), 1).endswith("/data/ray")
    assert module.folder_of(types.SimpleNamespace(folder="/shared", store=""), 3) == "/shared"
    assert module.folder_of(types.SimpleNamespace(folder=None, store="s3://bucket"), 3) == "", "each node has its own"
    with pytest.raises(SystemExit, match="--folder is needed where there are 3 nodes"):
        module.folder_of(types.SimpleNamespace(folder=None, store=""), 3)


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
    assert "--token, or --token-file, is needed" in capsys.readouterr().err


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
