"""The folder of an application: whose, and which. No cluster is asked."""
import os
import stat

import pytest
from clients import routed

from liminal import _folder, serve
from liminal._folder import make_private, refusal, refuse_default


class Memory(dict):
    def put(self, name, text):
        self[name] = text

    def put_first(self, name, text):
        return self.setdefault(name, text)

    def forget(self, name):
        self.pop(name, None)


def begin(folder, part, memory):
    """A part that begins, as `_owner` has it."""
    assert refusal(folder, part, memory) is None
    number = int(memory.get(f"{part}/epoch") or 0) + 1
    (folder / part / f"epoch-{number:09d}").mkdir(parents=True)
    memory.put(f"{part}/epoch", str(number))


def test_parts_begin_with_the_folder_that_the_first_of_them_began_with(tmp_path):
    memory = Memory()
    folder = tmp_path / "owners"
    for part in ("owner-00", "owner-01", "owner-00"):
        begin(folder, part, memory)
    # A new cluster knows nothing, and takes it as it is.
    begin(folder, "owner-02", memory := Memory())
    assert memory["folder"] == next(folder.glob("identity-*")).name[9:]


def test_a_folder_that_is_not_there_or_another_is_refused_and_not_made(tmp_path):
    memory = Memory()
    begin(tmp_path / "here", "owner-00", memory)
    assert "not there, or empty, unlike the one" in refusal(tmp_path / "there", "owner-00", memory)
    assert not (tmp_path / "there").exists()
    begin(tmp_path / "there", "owner-00", Memory())
    assert "another one than the one" in refusal(tmp_path / "there", "owner-00", memory)


def test_a_part_that_would_go_back_is_refused(tmp_path):
    memory = Memory()
    for _ in range(3):
        begin(tmp_path, "owner-00", memory)
    (tmp_path / "owner-00/epoch-000000003").rmdir()
    assert "ends with epoch 2, and 3 had begun" in refusal(tmp_path, "owner-00", memory)
    assert refusal(tmp_path, "owner-01", memory) is None


def test_two_that_make_an_identity_at_once_are_of_one_folder(tmp_path):
    class Late(Memory):
        def put_first(self, name, text):
            (tmp_path / "identity-b").mkdir()
            return "b"  # the other one was first

    assert refusal(tmp_path, "owner-00", Late()) is None


def test_who_waits_for_the_folder_tells_why_once(tmp_path, monkeypatch, capfd):
    memory, folder = Memory(), tmp_path / "owners"
    begin(folder, "owner-00", memory)
    folder.rename(tmp_path / "away")
    looks = []

    def sleep(_):
        looks.append(memory["owner-00/refused"])
        if len(looks) == 3:
            (tmp_path / "away").rename(folder)

    monkeypatch.setattr(_folder.time, "sleep", sleep)
    monkeypatch.setattr(_folder.ray.util, "get_node_ip_address", lambda: "192.0.2.1")
    _folder.wait_for_folder({"folder": str(folder)}, "owner-00", memory)
    assert len(looks) == 3 and "(node 192.0.2.1)" in looks[0]
    assert "owner-00/refused" not in memory
    assert capfd.readouterr().out.count("owner-00 does not begin: folder: ") == 1


def test_a_default_folder_is_for_one_node(monkeypatch):
    nodes = [{"Alive": True}, {"Alive": False}]
    monkeypatch.setattr(_folder.ray, "nodes", lambda: nodes)
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    folder = serve.settings_of({})["folder"]
    assert folder == "/somewhere/liminal"
    refuse_default(folder)
    nodes.append({"Alive": True})
    with pytest.raises(ValueError, match="folder: must be given where there are 2 nodes"):
        refuse_default(folder)
    refuse_default("/shared")


def test_what_owners_keep_is_for_who_runs_them_alone(owner_of, tmp_path):
    tmp_path.chmod(0o755)
    owner = owner_of()
    owner.track(routed([{"user_id": "ann", "kind": "message"}])[0])
    owner.save()
    seen = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path, *tmp_path.rglob("*")]}
    epoch = owner._epochs.mine
    assert {seen[path] for path in (tmp_path, tmp_path / "owner-00", epoch)} == {0o700}
    assert seen[epoch / "engine.snapshot"] == 0o600
    assert all(mode == 0o600 for path, mode in seen.items() if path.name.startswith("journal-"))


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    there = os.stat(tmp_path)
    monkeypatch.setattr(_folder.os, "geteuid", lambda: there.st_uid + 1)
    if there.st_uid == 0:  # root's is taken: a volume may be mounted so
        make_private(tmp_path)
        os.chown(tmp_path, 12345, -1)
    with pytest.raises(ValueError, match=f"folder: {tmp_path} is of another user"):
        make_private(tmp_path)


def test_the_token_is_given_in_the_settings_or_a_file_or_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("of the file\n")
    monkeypatch.setenv("LIMINAL_TOKEN", "of the environment")
    settings = serve.settings_of({"token_file": str(file)})
    assert settings["token"] == serve.settings_of(settings)["token"] == "of the file"
    assert serve.settings_of({})["token"] == "of the environment"
    assert serve.settings_of({"token": "said"})["token"] == "said"
    file.write_text("")
    for wrong in ({"token_file": str(file)}, {"token_file": str(tmp_path / "none")},
                  {"token_file": str(file), "token": "said"}):
        with pytest.raises(ValueError, match="token_file: "):
            serve.settings_of(wrong)
