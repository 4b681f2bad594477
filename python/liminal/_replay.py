"""Recorded traffic through the engine alone."""
from __future__ import annotations

import os
from typing import Any

from liminal import _engine


def replay(
    files: str | os.PathLike[str] | list[str | os.PathLike[str]],
    *,
    profile: str = "chat",
    mode: str = "shadow",
    detection_rules: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Runs traces (NDJSON) through the engine, merged in the order of their times, as ``liminal replay``.

    Returns ``{"alerts": [...], "summary": {...}, "complaints": [...]}``: each alert as it stood in the
    end, counts with the hash of the engine's state, and the first ten lines that are no events. The
    same files and settings give the same alerts and hash on every machine, as the program does.
    Other threads run meanwhile. Raises FileNotFoundError, IsADirectoryError, and ValueError that names an
    argument.
    """
    if isinstance(files, (str, os.PathLike)):
        files = [files]
    for file in files:
        if os.path.isdir(file):
            raise IsADirectoryError(f"{os.fspath(file)}: is a folder")
    return _engine._replay([os.fspath(file) for file in files],
                           profile=profile, mode=mode, detection_rules=detection_rules)
