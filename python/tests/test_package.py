import ast
import pathlib
import subprocess
import sys

from conftest import PROJECT

import liminal

FOLDER = pathlib.Path(liminal.__file__).parent


def test_everything_public_says_what_it_is():
    for name in liminal.__all__:
        thing = getattr(liminal, name)
        if not name.isupper() and name != "__version__":
            assert thing.__doc__, name


def test_the_stubs_describe_the_extension():
    described = {node.name for node in ast.parse((FOLDER / "_engine.pyi").read_text()).body
                 if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    there = {name for name in dir(liminal._engine) if not name.startswith("_") and not name.isupper()}
    assert there <= described, there - described
    assert (FOLDER / "py.typed").exists()


def test_the_version_is_the_projects():
    assert liminal.__version__ == (PROJECT / "VERSION").read_text().strip()


def test_importing_brings_neither_fastapi_nor_threads():
    said = subprocess.run(
        [sys.executable, "-c",
         "import sys, threading, liminal\n"
         "print('fastapi' in sys.modules, threading.active_count(), len(__import__('os').listdir("
         "'/proc/self/task')))"],
        capture_output=True, text=True, check=True,
        env={"OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}).stdout.split()
    assert said == ["False", "1", "1"]
