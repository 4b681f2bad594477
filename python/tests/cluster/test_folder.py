"""The folder of an application: whose, and which. No cluster is asked."""
import errno
import os
import stat
import types

import pytest
from clients import routed
from conftest import Memory

from liminal import _actors, _beginning, _engine, _folder, _owner, serve
from liminal._beginning import begin_epoch
from liminal._folder import FolderPlace, Unfit, make_private, refusal, refuse_default


def begin(folder, part, memory):
    """A part that begins, as `begin_epoch` has it."""
    assert refusal(FolderPlace(folder), part, memory) is None
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
    assert "not there, or empty, unlike the one" in refusal(FolderPlace(tmp_path / "there"), "owner-00", memory)
    assert not (tmp_path / "there").exists()
    begin(tmp_path / "there", "owner-00", Memory())
    assert "another one than the one" in refusal(FolderPlace(tmp_path / "there"), "owner-00", memory)


def test_a_part_that_would_go_back_is_refused(tmp_path):
    memory = Memory()
    for _ in range(3):
        begin(tmp_path, "owner-00", memory)
    (tmp_path / "owner-00/epoch-000000003").rmdir()
    assert "ends with epoch 2, and 3 had begun" in refusal(FolderPlace(tmp_path), "owner-00", memory)
    assert refusal(FolderPlace(tmp_path), "owner-01", memory) is None


def test_two_that_make_an_identity_at_once_are_of_one_folder(tmp_path):
    class Late(Memory):
        def put_first(self, name, text):
            (tmp_path / "identity-b").mkdir()
            return "b"  # the other one was first

    assert refusal(FolderPlace(tmp_path), "owner-00", Late()) is None


def test_who_waits_for_the_folder_tells_why_once(tmp_path, node, capfd):
    memory, folder = node.memory, tmp_path / "owners"
    begin(folder, "owner-00", memory)
    folder.rename(tmp_path / "away")
    looks = []

    def look():
        looks.append(memory["owner-00/refused"])

    node.waits = [look, look, lambda: (look(), (tmp_path / "away").rename(folder))]
    assert begin_epoch({"folder": str(folder), "owners": 1, "name": "liminal"}, "owner-00")[0].number == 2
    assert len(looks) == 3 and "(node 192.0.2.1)" in looks[0]
    assert "owner-00/refused" not in memory and memory["owner-00/epoch"] == "2" and "owner-00/began" in memory
    assert capfd.readouterr().out.count("owner-00 does not begin: folder: ") == 1


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("wrong", [errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.EACCES])
def test_a_mount_that_is_broken_is_waited_for(tmp_path, node, monkeypatch, wrong, known):
    if known:
        begin(tmp_path, "owner-00", node.memory)

    def broken(path):
        raise OSError(wrong, os.strerror(wrong), str(path))

    def mended():
        assert node.memory["owner-00/refused"] == f"folder: {tmp_path}: {os.strerror(wrong)} (node 192.0.2.1)"
        broke.undo()

    with monkeypatch.context() as broke:
        broke.setattr(_folder.os, "listdir", broken)
        node.waits = [lambda: None, mended]
        assert begin_epoch({"folder": str(tmp_path), "owners": 1, "name": "liminal"}, "owner-00")[0].number == 1 + known
    assert not node.waits and "owner-00/refused" not in node.memory


def test_a_mount_that_breaks_while_a_part_begins_is_waited_for(tmp_path, node, monkeypatch):
    def broken(folder):
        raise OSError(errno.ESTALE, "Stale file handle", str(folder))

    settings = serve.settings_of({"folder": str(tmp_path), "owners": 1})
    for name, begins in (("Epochs", lambda: begin_epoch(settings, "commons")),
                         ("make_private", lambda: _owner.Models(settings))):
        with monkeypatch.context() as broke:
            broke.setattr(_beginning, name, broken)
            node.waits = [broke.undo]
            assert begins()
        assert not node.waits
    assert {"commons/began", "models/began"} <= set(node.memory)


def test_a_folder_that_stays_unfit_is_looked_for_on_another_node_after_a_minute(tmp_path, node):
    tmp_path.chmod(0o777)
    node.waits = [lambda: None] * 100
    with pytest.raises(SystemExit):
        begin_epoch({"folder": str(tmp_path), "owners": 1, "name": "liminal"}, "owner-00")
    assert node.ended == [1] and 60 < node.now < 65
    assert "may be written by everybody" in node.memory["owner-00/refused"] and "owner-00/began" not in node.memory


def test_another_number_of_owners_is_not_waited_for(tmp_path, node):
    begin_epoch({"folder": str(tmp_path), "owners": 1, "name": "liminal"}, "owner-00")
    with pytest.raises(ValueError, match="owners: .* was begun by 1"):
        begin_epoch({"folder": str(tmp_path), "owners": 2, "name": "liminal"}, "owner-00")
    with pytest.raises(ValueError, match="name: .* was begun by liminal"):
        begin_epoch({"folder": str(tmp_path), "owners": 1, "name": "shop/chat"}, "owner-00")


def test_a_folder_that_is_empty_is_left_for_a_while_to_nodes_that_have_something_in_it(tmp_path, node):
    bare, kept = tmp_path / "bare", tmp_path / "kept"
    begin(kept, "owner-01", Memory())
    node.nodes = [{"Alive": True}] * 2
    # The node that has it comes a moment later.
    node.waits = [lambda: begin(kept, "owner-02", node.memory), lambda: kept.rename(bare)]
    assert begin_epoch({"folder": str(bare), "owners": 1, "name": "liminal"}, "owner-00")[0].number == 1
    assert node.memory["folder"] == next(bare.glob("identity-*")).name[9:] and not node.waits
    # Nobody has: it begins there.
    node.memory, node.now, node.waits = Memory(), 0.0, [lambda: None] * 20
    new = tmp_path / "new"
    assert begin_epoch({"folder": str(new), "owners": 1, "name": "liminal"}, "owner-00")[0].number == 1
    assert 5 <= node.now < 10


def test_what_an_earlier_version_kept_is_no_empty_folder(tmp_path, node):
    node.nodes = [{"Alive": True}] * 2
    (tmp_path / "owners-1").mkdir()
    begin_epoch({"folder": str(tmp_path), "owners": 1, "name": "liminal"}, "owner-00")
    assert node.now == 0.0


def test_a_part_that_began_earlier_and_is_late_does_not_take_the_epoch_back(tmp_path, node):
    settings = {"folder": str(tmp_path), "owners": 1, "name": "liminal"}
    node.memory["owner-00/epoch"] = "1"
    (tmp_path / "identity-a").mkdir()
    (tmp_path / "owner-00/epoch-000000001").mkdir(parents=True)

    class Late(_beginning.Epochs):
        def __init__(self, folder):
            super().__init__(folder)
            node.memory["owner-00/epoch"] = "7"

    _beginning.Epochs, held = Late, _beginning.Epochs
    try:
        begin_epoch(settings, "owner-00")
    finally:
        _beginning.Epochs = held
    assert node.memory["owner-00/epoch"] == "7"


def test_an_application_forgets_its_own_alone(monkeypatch):
    held = {}
    monkeypatch.setattr(_folder, "internal_kv", types.SimpleNamespace(
        _internal_kv_put=lambda key, value, namespace: held.update({key: value}),
        _internal_kv_del=lambda key, del_by_prefix, namespace: [
            held.pop(one) for one in list(held) if one.startswith(key)]))
    for name in ("a", "a/b", "ab"):
        _folder.ClusterMemory(name).put("folder", name)
    _folder.ClusterMemory("a").forget_all()
    assert sorted(held.values()) == [b"a/b", b"ab"]


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


class Cluster:
    """Parts as `_actors` sees them: those that are there, their state, what they tell, and for how long they do not."""

    def __init__(self, monkeypatch, settings):
        self.settings, self.memory, self.nodes, self.now = settings, Memory(), 1, 0.0
        self.state, self.told, self.away_until, self.renewed = {}, {}, {}, []
        monkeypatch.setattr(_actors, "time", types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))
        monkeypatch.setattr(_actors, "ClusterMemory", lambda name: self.memory)
        monkeypatch.setattr(_actors, "make", self.make)
        monkeypatch.setattr(_actors, "abouts", lambda parts, ended=None: {
            part: self.told[part] for part in parts if self.now >= self.away_until.get(part, 0)})
        monkeypatch.setattr(_actors, "_running", lambda settings, part: types.SimpleNamespace(
            _actor_id=types.SimpleNamespace(hex=lambda: part)) if part in self.state else None)
        monkeypatch.setattr(_actors, "ray", types.SimpleNamespace(
            _private=types.SimpleNamespace(state=types.SimpleNamespace(actors=lambda part: {
                "State": self.state[part], "Address": {"Port": 1}})),
            remote=lambda kind: types.SimpleNamespace(options=lambda **given: types.SimpleNamespace(
                remote=lambda: types.SimpleNamespace(renew=types.SimpleNamespace(remote=self.renew)))),
            get=lambda told: told, kill=lambda actor: None,
            exceptions=types.SimpleNamespace(RayActorError=RuntimeError)))
        monkeypatch.setattr(_folder.ray, "nodes", lambda: [{"Alive": True}] * self.nodes)

    def sleep(self, seconds):
        self.now += seconds

    def make(self, part, settings):
        if part not in self.state:
            self.state[part] = "ALIVE"
            self.memory[f"{part}/began"] = "yes"
            self.told[part] = {"settings": _actors.used(part, settings), "version": _engine.__version__}

    def renew(self, settings, parts, always):
        self.renewed += parts
        for part in parts:
            self.told[part] = {"settings": _actors.used(part, settings), "version": _engine.__version__}
        return parts


@pytest.fixture
def parts(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Cluster(monkeypatch, serve.settings_of({"owners": 2}))


def test_a_node_that_comes_does_not_end_what_runs_with_the_default_folder(parts):
    assert _actors.ensure(parts.settings) == []
    parts.nodes = 2
    assert _actors.ensure(parts.settings) == []
    del parts.state["owner-01"]
    with pytest.raises(ValueError, match="folder: must be given where there are 2 nodes"):
        _actors.ensure(parts.settings)


def test_a_part_that_never_found_its_folder_fails_the_deployment_after_a_minute(parts):
    for part in _actors.parts_of(parts.settings):
        parts.make(part, parts.settings)
    # It ended itself, for Ray to try another node: that is no beginning.
    del parts.memory["owner-01/began"]
    parts.memory["owner-01/refused"] = "folder: /shared is not there"
    parts.state["owner-01"], parts.away_until["owner-01"] = "RESTARTING", float("inf")
    with pytest.raises(RuntimeError, match="owner-01: folder: /shared is not there"):
        _actors.ensure(parts.settings)
    assert 60 < parts.now < 62
    # A volume that is mounted late fails nothing.
    parts.away_until["owner-01"] = parts.now + 50
    assert _actors.ensure(parts.settings) == []


def test_who_is_being_restarted_when_it_is_deployed_again_is_renewed_too(parts):
    _actors.ensure(parts.settings)
    parts.state["owner-01"], parts.away_until["owner-01"] = "RESTARTING", parts.now + 10
    again = parts.settings | {"token": "another"}
    assert sorted(_actors.ensure(again)) == ["models", "owner-00", "owner-01"]
    # A replica that begins later waits for nobody.
    parts.away_until["owner-01"], began = parts.now + 10, parts.now
    assert _actors.ensure(again) == [] and parts.now == began
    # One that stays away holds nobody up for long, and is looked for again until it was seen.
    third = again | {"token": "a third"}
    parts.away_until["owner-01"] = float("inf")
    assert sorted(_actors.ensure(third)) == ["models", "owner-00"]
    parts.away_until["owner-01"] = parts.now + 5
    assert _actors.ensure(third) == ["owner-01"]


def test_what_owners_keep_is_for_who_runs_them_alone(owner_of, tmp_path):
    tmp_path.chmod(0o755)  # somebody's, given to them: it stays so
    owner = owner_of()
    owner.track(routed([{"user_id": "ann", "kind": "message"}])[0])
    owner.save()
    seen = {path: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path, *tmp_path.rglob("*")]}
    epoch = owner._epochs.mine
    assert seen.pop(tmp_path) == 0o755
    assert {seen[path] for path in (tmp_path / "owner-00", tmp_path / "owners-1", epoch)} == {0o700}
    assert seen[epoch / "engine.snapshot"] == 0o600
    assert all(mode == 0o600 for path, mode in seen.items() if path.name.startswith("journal-"))


def test_a_folder_is_made_for_its_owner_alone_and_stays_as_it_was(tmp_path):
    make_private(tmp_path / "new/one")
    assert stat.S_IMODE((tmp_path / "new/one").stat().st_mode) == 0o700
    for mode in (0o755, 0o2775, 0o750):
        (tmp_path / "new/one").chmod(mode)
        make_private(tmp_path / "new/one")
        assert stat.S_IMODE((tmp_path / "new/one").stat().st_mode) == mode
    for mode in (0o777, 0o1777):
        (tmp_path / "new/one").chmod(mode)
        with pytest.raises(Unfit, match=f"folder: {tmp_path}/new/one may be written by everybody: give a folder in it"):
            make_private(tmp_path / "new/one")
    make_private(tmp_path / "new/one/below")


def test_a_folder_of_another_user_is_refused_and_a_link_of_his(tmp_path, monkeypatch):
    there = os.stat(tmp_path)
    make_private(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    make_private(tmp_path / "link")
    if there.st_uid == 0:  # root's is taken: a volume may be mounted so
        monkeypatch.setattr(_folder.os, "geteuid", lambda: 12345)
        make_private(tmp_path)
        os.chown(tmp_path / "link", 54321, -1, follow_symlinks=False)
        with pytest.raises(Unfit, match=f"folder: {tmp_path}/link is of another user"):
            make_private(tmp_path / "link")
        os.chown(tmp_path, 54321, -1)
    else:
        monkeypatch.setattr(_folder.os, "geteuid", lambda: there.st_uid + 1)
    with pytest.raises(Unfit, match=f"folder: {tmp_path} is of another user"):
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
