#!/usr/bin/env python3
"""Deploys Liminal on a Ray cluster, waits until it answers, and prints where.

  scripts/deploy_ml_serve.py --local            starts a small cluster on this machine first
  scripts/deploy_ml_serve.py --address ADDRESS  a cluster that runs ("auto": this machine's)
  scripts/deploy_ml_serve.py --undeploy         takes the application and its owners away
                     with --local: and ends the cluster

Deploying again is an upgrade without failed requests: replicas are replaced one by one; owners, commons and
models stay, or are renewed one by one where their settings or the package's version changed: each saves itself
and begins again with what it knew. --renew renews all of them, which spreads them over nodes that came since.
Owners keep what they know in --folder; on several machines that is a shared one, or --store is an object store.

Safe as it stands: the API and the dashboard listen on 127.0.0.1, Ray's usage reports are off. To listen
elsewhere a --token or --token-file is needed; with one, whoever asks needs it, on this machine too. Ray's own
ports listen everywhere, whatever is said, and want a network that others cannot reach; they ask for a token,
which --local makes in ~/.ray/auth_token unless RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH says another. A cluster
that was started without wants RAY_AUTH_MODE=disabled (docs/scale.md).
"""
import argparse
import ipaddress
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# Before Ray is imported, and for every process that it starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_SERVE_THROUGHPUT_OPTIMIZED", "1")
os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
# One that died is looked for every second: Ray's own ten make it half a minute.
os.environ.setdefault("RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S", "1")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
# `ray start` does without a token where none was made before.
os.environ.setdefault("RAY_AUTH_MODE", "token")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--address", default="auto")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--owners", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--folder", help="data/ray, where there is one node; with --store, of each node")
    parser.add_argument("--store", default="", metavar="ADDRESS", help="an object store, as s3://bucket/path")
    parser.add_argument("--mode", choices=("observe", "shadow", "enforce"), default="shadow")
    parser.add_argument("--model", action="append", default=[], metavar="DEFINITION",
                        help="of a model beside the first three: NAME TASK TARGET FEATURE,FEATURE,…")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--snapshot-s", type=float, default=2.0)
    parser.add_argument("--token", default="", help="or LIMINAL_TOKEN in the environment")
    parser.add_argument("--token-file", help="a file with the token, which no list of processes shows")
    parser.add_argument("--name", default="liminal")
    parser.add_argument("--wait-s", type=float, default=180)
    parser.add_argument("--undeploy", action="store_true")
    given = parser.parse_args()
    if given.token_file and given.token:
        parser.error("--token-file: not beside --token")
    try:
        given.token = (pathlib.Path(given.token_file).read_text().strip() if given.token_file
                       else given.token or os.environ.get("LIMINAL_TOKEN", ""))
    except (OSError, UnicodeDecodeError) as wrong:
        parser.error(f"--token-file {given.token_file}: {wrong}")
    if given.token_file and not given.token:
        parser.error(f"--token-file {given.token_file}: is empty")
    try:
        given.host = str(socket.getaddrinfo(given.host, given.port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as wrong:
        parser.error(f"--host {given.host}: {wrong}")
    if not given.token and not ipaddress.ip_address(given.host).is_loopback:
        parser.error("a --token, or --token-file, is needed to listen on other than a loopback address")
    return given


def ray_program():
    beside = pathlib.Path(sys.executable).with_name("ray")
    return str(beside) if beside.exists() else "ray"


def make_token():
    """What Ray's ports will ask for, unless there is one already."""
    if os.environ["RAY_AUTH_MODE"] != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    subprocess.run([ray_program(), "get-auth-token", "--generate"], check=True, umask=0o077,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def answers(address):
    """Whether anybody listens at HOST:PORT; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        return True
    except OSError:
        return False


def start_local():
    """A cluster of one node, unless one runs here."""
    make_token()
    running = subprocess.run([ray_program(), "status", "--address", "127.0.0.1:6379"],
                             capture_output=True, text=True)
    if running.returncode == 0:
        return
    subprocess.run([ray_program(), "start", "--head", "--node-ip-address=127.0.0.1", "--port=6379",
                    "--dashboard-host=127.0.0.1", "--disable-usage-stats"],
                   check=True, stdout=subprocess.DEVNULL)


def get(url, token):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def wait_until_ready(base, token, seconds):
    until = time.monotonic() + seconds
    while True:
        try:
            if get(base + "/readyz", token)["status"] == "ok":
                return
        except urllib.error.HTTPError as refused:
            last = f"{refused}: {refused.read().decode(errors='replace')[:1000]}"
        except (OSError, ValueError) as wrong:
            last = wrong
        if time.monotonic() > until:
            sys.exit(f"deploy_ml_serve: not ready after {seconds:.0f} s: {last}")
        time.sleep(.5)


def refuse_another_door(given, serving):
    """Serve listens where it was first told to, whatever is said later."""
    there = (serving.host, serving.port)
    if there != (given.host, given.port):
        sys.exit(f"deploy_ml_serve: Serve of this cluster listens at {there[0]}:{there[1]} already: say "
                 f"--host {there[0]} --port {there[1]}, or end it first (`serve shutdown`)")


def folder_of(given, nodes):
    """Where owners keep what they know: several nodes do not see what lies by default on this one. "": each by itself."""
    if not given.folder and given.store:
        return ""
    if not given.folder and nodes > 1:
        sys.exit(f"deploy_ml_serve: --folder is needed where there are {nodes} nodes, one that all of them see, or "
                 "--store")
    return str(pathlib.Path(given.folder or "data/ray").absolute())


def deploy(given, dashboard):
    import ray
    from ray import serve
    from ray.serve.context import _get_global_client

    from liminal._actors import ensure
    from liminal.serve import app, settings_of

    given.folder = folder_of(given, sum(node["Alive"] for node in ray.nodes()))
    serve.start(http_options={"host": given.host, "port": given.port})
    refuse_another_door(given, _get_global_client().http_config)
    try:
        settings = settings_of({
            "name": given.name, "owners": given.owners, "replicas": given.replicas, "folder": given.folder,
            "store": given.store, "snapshot_s": given.snapshot_s, "token": given.token, "mode": given.mode,
            "models": given.model})
        renewed = ensure(settings, always=given.renew)
    except (ValueError, RuntimeError) as wrong:
        sys.exit(f"deploy_ml_serve: {wrong}")
    serve.run(app(settings), name=given.name, blocking=False)
    host = f"[{given.host}]" if ":" in given.host else given.host
    base = f"http://{host}:{given.port}"
    wait_until_ready(base, given.token, given.wait_s)
    print(f"ready api={host}:{given.port}")
    print(f"  API        {base}/ml/status")
    print(f"  metrics    {base}/metrics")
    print(f"  dashboard  {f'http://{dashboard}' if dashboard else 'none: Ray was started without it'}")
    print(f"  owners     {given.owners} of 64 virtual shards, snapshots in {given.store or given.folder}")
    if renewed:
        print(f"  renewed    {', '.join(renewed)}")


def undeploy(given):
    from ray import serve

    from liminal._actors import end_owners
    from liminal.serve import settings_of

    serve.delete(given.name)
    ended = end_owners(settings_of({"name": given.name}))
    print(f"taken away: {given.name} and its {ended} actors")
    if given.local:
        serve.shutdown()


def main():
    given = parse()
    if given.local and not given.undeploy:
        start_local()
    address = "127.0.0.1:6379" if given.local else given.address
    import ray

    try:
        if address.rpartition(":")[2].isdecimal() and "://" not in address and not answers(address):
            raise ConnectionError(f"nobody answers at {address}")
        cluster = ray.init(address=address, namespace="liminal", log_to_driver=False, logging_level="warning")
    except ConnectionError as wrong:
        if given.undeploy:
            print(f"nothing to take away: {wrong}")
            return
        sys.exit(f"deploy_ml_serve: {wrong}")
    if given.undeploy:
        undeploy(given)
        ray.shutdown()
        if given.local:
            subprocess.run([ray_program(), "stop", "--grace-period", "10"], check=True,
                           stdout=subprocess.DEVNULL)
    else:
        deploy(given, cluster.address_info.get("webui_url"))


if __name__ == "__main__":
    main()
