#!/usr/bin/env python3
"""Abuse that is injected into real chat is found by `liminal replay`, as often as was measured.

  check_abuse.py LIMINAL BENCH_ABUSE CHAT

`bench_abuse` injects four kinds of abuse into each of three traces (its seeds are fixed), `liminal replay`
gives the alerts, and `bench_abuse --alerts` scores them. Skipped without the chat, which is not part of
the project.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TRACES = ["2006-05-15-c", "2011-08-17-a", "2015-02-04-b"]  # of the half on which nothing was tuned
INJECTED, HOURS = 12, 236
# As recorded with these traces. More is welcome: then write it down here.
RECALL, FALSE_ALERTS = 1.0, 0
SCORE = re.compile(r"recall ([\d.]+), .* false alerts per 1,000 user-hours \((\d+) in (\d+)\)")


def main():
    liminal, bench_abuse, chat = sys.argv[1:]
    chat = pathlib.Path(chat)
    if not chat.is_dir():
        print(f"skipped: {chat} is not there")
        return 77
    with tempfile.TemporaryDirectory(prefix="liminal-abuse-") as name:
        folder = pathlib.Path(name)
        for part in ("chat", "injected", "alerts"):
            (folder / part).mkdir()
        for trace in TRACES:
            shutil.copy(chat / f"{trace}.ndjson", folder / "chat")
        bench = [bench_abuse, "--data", str(folder / "chat"), "--half", "reported", "--seeds", "1", "--games", "0"]
        subprocess.run([*bench, "--write", str(folder / "injected")], check=True)
        written = sorted((folder / "injected").iterdir())
        assert len(written) == len(TRACES), written
        for trace in written:
            subprocess.run([liminal, "replay", str(trace), "--out", str(folder / "alerts" / f"{trace.name}.alerts")],
                           check=True, stderr=subprocess.DEVNULL)
        scored = subprocess.run([*bench, "--alerts", str(folder / "alerts"), "--mistakes"], check=True,
                                capture_output=True, text=True).stdout
    print(scored)
    (recall, wrong, hours), = SCORE.findall(scored)
    injected = [int(count) for count in re.findall(r"^  \S[\w -]*?\s+(\d+)\s+[\d.]+\s", scored, re.MULTILINE)]
    assert sum(injected) == INJECTED and int(hours) == HOURS, (injected, hours)
    assert float(recall) >= RECALL - .0005, f"recall {recall} instead of {RECALL}"
    assert int(wrong) <= FALSE_ALERTS, f"{wrong} false alerts instead of {FALSE_ALERTS}"
    return 0


sys.exit(main())
