import json
import subprocess

import pytest

import liminal


def test_a_replay_gives_the_programs_alerts_and_state(program, chat_trace):
    done = subprocess.run([program, "replay", chat_trace], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    replayed = liminal.replay(chat_trace)
    assert replayed["summary"] == lines[-1]["summary"]
    assert replayed["alerts"] == lines[:-1]
    assert replayed["complaints"] == []


def test_an_engine_fed_with_a_trace_is_in_the_programs_state(program, chat_trace):
    done = subprocess.run([program, "replay", chat_trace], capture_output=True, text=True, check=True)
    engine = liminal.Engine(clock="events")
    report = engine.track_ndjson(chat_trace.read_text())
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    assert report["accepted"] == summary["events"]
    assert engine.state_hash() == summary["state_hash"]


def test_bad_lines_are_named_and_files_must_be_there(tmp_path):
    trace = tmp_path / "trace.ndjson"
    trace.write_text('{"t":1,"user":"a","kind":"join"}\nnonsense\n')
    replayed = liminal.replay([trace])
    assert replayed["summary"]["events"] == 1 and replayed["summary"]["rejected"] == 1
    assert "trace.ndjson:2: " in replayed["complaints"][0]
    with pytest.raises(FileNotFoundError, match="missing"):
        liminal.replay(tmp_path / "missing")
    with pytest.raises(ValueError, match="profile"):
        liminal.replay(trace, profile="x")
