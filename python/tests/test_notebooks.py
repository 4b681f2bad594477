"""The notebooks run from top to bottom; their last cells say what must have come out."""
import os

import pytest
from conftest import PROJECT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

NOTEBOOKS = sorted((PROJECT / "python/notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["detector", "models", "scaling", "traffic"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    # Nothing of who runs the tests: neither their settings nor their history.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "save it without outputs"
    client = nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3",
                                     resources={"metadata": {"path": os.fspath(tmp_path)}})
    client.execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
