import os
import pathlib
import random

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
START = 1_800_000_000.0


@pytest.fixture
def program() -> str:
    """The binary whose answers are compared with the package's."""
    path = os.environ.get("LIMINAL_PROGRAM")
    if not path:
        pytest.skip("LIMINAL_PROGRAM does not name the binary")
    return path


@pytest.fixture
def chat_trace() -> pathlib.Path:
    """The smallest recorded day of chat."""
    traces = sorted((PROJECT.parent / "shared/data/chat").glob("*.ndjson"),
                    key=lambda path: path.stat().st_size)
    if not traces:
        pytest.skip("../shared/data/chat is not there")
    return traces[0]


def talk(seed: int = 1, users: int = 20, seconds: int = 600):
    """People who talk: (user, time, bytes) in the order of time."""
    draw = random.Random(seed)
    for second in range(seconds):
        if draw.random() < .3:
            yield f"user{draw.randrange(users)}", START + second, 20 + draw.randrange(60)


def flood(user: str = "mallory", begin: float = START + 600, count: int = 400):
    for i in range(count):
        yield user, begin + i * .05, 40
