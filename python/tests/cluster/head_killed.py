"""The head killed under load, and its cluster begun again: two minutes, and so by hand and not a part of ./test.

    (cd python/tests/cluster && ../../../build/ray-venv/bin/python -m pytest head_killed.py)
"""
import time

from clients import Load, get, wait_for
from conftest import kill_haproxy, kill_node
from test_nodes import SCRIPT, deployed, nodes, run  # noqa: F401  two are fixtures


def owners(base) -> list[dict]:
    return get(base, "/ml/status")["owners"]


def test_a_head_that_is_killed_is_begun_again_with_what_owners_knew(nodes, deployed, capsys):  # noqa: F811
    """Its cluster goes with it: an operator says the two commands again."""
    environment, folder, sockets = nodes
    base, _, deploy = deployed
    with Load(base, events=20) as load:
        load.more(500)
        kill_node(folder, "head")
        kill_haproxy(sockets)  # of that machine too
        begin = time.monotonic()
        assert "nodes=2" in run(SCRIPT, "start", "1", environment=environment)
        deploy()
        ready_s = time.monotonic() - begin
        load.more(500)
    with capsys.disabled():
        print(f"\n  head killed: everything ready {ready_s:.1f} s after the command to begin it again was given; "
              f"{load}")
    # What was acknowledged right before is in the journals, and what was repeated with its key counts once.
    assert sum(one["events_accepted"] for one in owners(base)) == load.acknowledged
    wait_for("no losses", lambda: sum(one["events_lost"] for one in owners(base)) == 0, 10)
