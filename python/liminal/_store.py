"""An object store, where the state of an application on a cluster outlives its nodes: objects by their names.

Everything that goes wrong with the store is an OSError in a line of words; what is not there is a FileNotFoundError.
"""
from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterable, Iterator
from typing import Any

_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "file")
_REQUEST_S, _CONNECT_S, _RETRIES, _RETRYING_S = 10, 3, 3, 20


def refuse(url: str) -> None:
    """Raises ValueError for what names no store."""
    scheme, there, _ = url.partition("://")
    if not there or scheme not in _SCHEMES:
        raise ValueError(f"store: {url!r} must be s3://BUCKET/PATH, or begin with {', '.join(_SCHEMES[2:-1])} or file")
    if "@" in url.split("/")[2] and scheme not in ("abfs", "abfss"):
        raise ValueError("store: credentials belong into the environment, not into the address")


class Store:
    """The objects below an address, as ``s3://bucket/path``. Who may read and write them is said by the environment, as
    the clients of the store have it (``AWS_ACCESS_KEY_ID``, a role of the machine, …). Thread-safe.
    """

    def __init__(self, url: str):
        refuse(url)
        try:
            import obstore
            import obstore.store
        except ImportError as missing:
            raise ValueError(f"store: needs the package obstore (pip install 'liminal[store]'): {missing}") from None
        self.url = url
        self._obstore: Any = obstore
        options: dict[str, Any] = {}
        if not url.startswith("file:"):
            patience = datetime.timedelta(seconds=_RETRYING_S)
            options = {"client_options": {"timeout": f"{_REQUEST_S}s", "connect_timeout": f"{_CONNECT_S}s"},
                       "retry_config": {"max_retries": _RETRIES, "retry_timeout": patience}}
            if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):  # on this machine, or a safe network
                options["client_options"]["allow_http"] = True
        elif not os.path.isdir(url.removeprefix("file://")):
            os.makedirs(url.removeprefix("file://"), mode=0o700, exist_ok=True)
        with self._told("its address"):
            self._objects: Any = obstore.store.from_url(url, **options)

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Errors of the store as those of files, in one line."""
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.url}: no object {name}") from None
        except self._obstore.exceptions.BaseError as wrong:
            words = str(wrong).partition("\n")[0]
            raise OSError(f"{self.url}: {name}: {words}"[:500]) from None

    def create(self, name: str, content: bytes = b"") -> bool:
        """Makes an object that is not there yet: whether it was not. Of several that do it at once one is told so."""
        with self._told(name):
            try:
                self._obstore.put(self._objects, name, content, mode="create")
                return True
            except self._obstore.exceptions.AlreadyExistsError:
                return False
            except FileNotFoundError:
                raise OSError(f"{self.url}: {name}: there is no such bucket") from None

    def put(self, name: str, content: bytes) -> None:
        """Makes an object, or another of it, all at once."""
        with self._told(name):
            try:
                self._obstore.put(self._objects, name, content)
            except FileNotFoundError:
                raise OSError(f"{self.url}: {name}: there is no such bucket") from None

    def get(self, name: str) -> bytes:
        with self._told(name):
            return bytes(self._obstore.get(self._objects, name).bytes())

    def mark(self, name: str) -> str | None:
        """Another one for another content of an object; None where there is none."""
        with self._told(name):
            try:
                held = self._obstore.head(self._objects, name)
            except FileNotFoundError:
                return None
        return str(held["e_tag"])

    def below(self, folder: str) -> list[str]:
        """Names of all objects of a folder, without it, in their order."""
        with self._told(folder):
            return sorted(str(one["path"]).removeprefix(f"{folder}/")
                          for chunk in self._obstore.list(self._objects, prefix=folder) for one in chunk)

    def names(self, folder: str = "") -> list[str]:
        """Names of what lies in a folder, objects and folders."""
        with self._told(folder or "its content"):
            held = self._obstore.list_with_delimiter(self._objects, prefix=folder or None)
        paths = [*held["common_prefixes"], *(one["path"] for one in held["objects"])]
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in paths)

    def remove(self, names: Iterable[str]) -> None:
        """Takes objects away; those that are not there are none to."""
        for name in names:  # bulk deletion is not spoken by all that speak S3
            with contextlib.suppress(FileNotFoundError), self._told(name):
                self._obstore.delete(self._objects, name)
