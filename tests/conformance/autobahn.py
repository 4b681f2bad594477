#!/usr/bin/env python3
"""Runs Autobahn's WebSocket cases 1 to 10 through the gateway and compares the verdicts with those of
the upstream alone.

  autobahn.py LIMINAL ECHO_UPSTREAM [--kosoku PROGRAM] [--case GLOB]… [--report FOLDER]

A case passes when its verdict is OK, NON-STRICT or INFORMATIONAL through the gateway. Cases 12 and 13
are about compression, which the gateway does not let through. Exits 77 (skipped) when kosoku (PyPI),
which runs the cases, is not there.
"""
import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import programs

SKIPPED = 77
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
# There is no chapter 8.
CASES = [f"{chapter}.*" for chapter in (1, 2, 3, 4, 5, 6, 7, 9, 10)]


def verdicts(kosoku, address, cases, report):
    """case → (behaviour, behaviour of the close)."""
    command = [kosoku, f"ws://{address}", "--parallelism", "4", "--outdir", str(report)]
    for case in cases:
        command += ["--include", case]
    # Its status says whether all passed: the verdicts are in the report.
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    if not (report / "index.json").exists():
        raise RuntimeError(f"kosoku did not run: {ran.stderr}")
    (agent,) = json.loads((report / "index.json").read_text()).values()
    return {case: (one["behavior"], one["behaviorClose"]) for case, one in agent.items()}


def compare(alone, through):
    problems = [f"{case}: did not run through the gateway" for case in alone if case not in through]
    for case, verdict in through.items():
        if not GOOD.issuperset(verdict):
            problems.append(f"{case}: {' / '.join(verdict)}; the upstream alone: "
                            f"{' / '.join(alone.get(case, ('did not run',)))}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("liminal")
    parser.add_argument("echo_upstream")
    parser.add_argument("--kosoku", default="kosoku")
    parser.add_argument("--case", action="append")
    parser.add_argument("--report", type=pathlib.Path)
    options = parser.parse_args()
    installed = pathlib.Path(__file__).parents[2] / "build/python/bin" / options.kosoku
    kosoku = str(installed) if installed.exists() else shutil.which(options.kosoku)
    if kosoku is None:
        print("kosoku is not installed: tools/install test")
        return SKIPPED

    with tempfile.TemporaryDirectory() as folder, \
         programs.started(options.echo_upstream) as upstream, \
         programs.gateway(options.liminal, upstream) as gateway:
        reports = options.report or pathlib.Path(folder)
        alone = verdicts(kosoku, upstream, options.case or CASES, reports / "alone")
        through = verdicts(kosoku, gateway, options.case or CASES, reports / "through")
    problems = compare(alone, through)
    for problem in problems:
        print(problem)
    counts = collections.Counter(behaviour for behaviour, _ in through.values())
    print(f"{len(through)} cases through the gateway: "
          + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
          + f"; {sum(alone[case] == through.get(case) for case in alone)} of {len(alone)} as alone")
    return 1 if problems or not through else 0


if __name__ == "__main__":
    sys.exit(main())
