"""The HTTP API in an application of one's own.

    from fastapi import FastAPI
    import liminal.api
    app = FastAPI()
    app.include_router(liminal.api.router)

``router`` answers, below whatever prefix, the /ml paths and the calls for system signals (/salience, /anomaly,
/forecast, /scaling) with the program's own handlers over the shared engine: answers and errors are those of
api/openapi.yaml.
``create_app`` is a whole application with health, metrics and the description too:

    python -m liminal.api [--api HOST:PORT] [--token TOKEN] [--data FOLDER]

With a folder and ``models=True`` (as ``--data`` does) it has a registry of models in it too, and trains,
serves and compares them as the program does; without, the calls for models are answered 503.
"""
from __future__ import annotations

import argparse
import asyncio
import ipaddress
import re
import socket
import sys
from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from liminal import _engine
from liminal.engine import Engine
from liminal.feature_extractor import feature_extractor

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
PREFIXES = ("/ml", "/salience", "/anomaly", "/forecast", "/scaling")
# Recent feature rows kept by who has models: what they learn from.
ROWS = 20_000
BODY_BYTES_MAX = 16 * 1024 * 1024
# Answered where the request is; what takes longer, or may wait for a disk, is answered on another thread.
_INLINE_BYTES_MAX = 32 * 1024
MODEL_PATHS = ("/ml/models", "/ml/jobs", "/ml/experiments", "/ml/learning", "/v2")
_PREDICTS = re.compile(r"/ml/models/predict|/v2/models/[^/]+(/versions/[^/]+)?/infer")


def _without_name(headers: list) -> list:
    """By whatever name a trusted caller comes, its own pages may write. Those of other sites may not."""
    names = dict(headers)
    own = names.get(b"origin", b"").partition(b"://")[2] == names.get(b"host")
    dropped = (b"host", b"origin") if own else (b"host",)
    return [field for field in headers if field[0] not in dropped]


def is_about_models(path: str) -> bool:
    """Whether a path of the API belongs to models, as /ml/models and what is below it."""
    return any(path == one or path.startswith(one + "/") for one in MODEL_PATHS)


def asks_a_model(method: str, path: str) -> bool:
    """Whether a request wants predictions, which need no more than the model."""
    return method == "POST" and _PREDICTS.fullmatch(path) is not None


class Api:
    """Answers requests over an engine.

    engine: the shared one unless given. folder: where metric streams and the loads of services are kept;
    "" for in memory alone. token: the bearer token that callers need; without one only clients of this
    machine are served, and a page of another site changes nothing. trusted: the application has checked
    who asks; nobody is refused. models: keep a registry of models in the folder, which no other process may
    use. definitions: of models beside the first three, as ``models.definitions`` of the configuration.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        folder: str = "",
        token: str = "",
        trusted: bool = False,
        models: bool = False,
        definitions: list[str] | tuple[str, ...] = (),
    ):
        self._engine = feature_extractor if engine is None else engine
        self._options = {"folder": folder, "token": token, "models": "here" if models else "",
                         "definitions": list(definitions), "trust_proxy": trusted}
        self._trusted = trusted
        self._service: _engine.Service | None = None

    @property
    def service(self) -> _engine.Service:
        # Made when it is first needed: it has a thread, which must not be there before a fork.
        if self._service is None:
            self._service = _engine.Service(self._engine, **self._options)
        return self._service

    async def answer(self, request: Request, base: str = "") -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return too_large()
        peer = request.client.host if request.client else ""
        headers = request.scope["headers"]
        if self._trusted:
            headers = _without_name(headers)
        arguments = (
            request.method,
            _target(request.scope, base),
            headers,
            bytes(body),
            peer,
            self._trusted or _is_local(peer),
        )
        path = arguments[1].split("?", 1)[0]
        waits = path in ("/forecast", "/scaling") or path.startswith("/scaling/") or path.endswith("/plot") or (
            is_about_models(path) and not asks_a_model(request.method, path))
        if len(body) <= _INLINE_BYTES_MAX and not waits:
            status, headers, content = self.service.handle(*arguments)
        else:
            status, headers, content = await asyncio.to_thread(self.service.handle, *arguments)
        response = Response(content, status)
        response.raw_headers = [(name.lower(), value) for name, value in headers]
        if status not in (204, 304):
            response.raw_headers.append((b"content-length", str(len(content)).encode()))
        return response


def too_large() -> Response:
    return Response(
        b'{"type":"about:blank","title":"Content Too Large","status":413,'
        b'"detail":"the body is larger than 16 MiB"}',
        413, media_type="application/problem+json")


def _is_local(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _target(scope: dict[str, Any], base: str) -> str:
    """The target as the API knows it: below whatever the application put in front, still encoded."""
    raw_path = scope.get("raw_path")
    raw = raw_path.decode("latin-1").partition("?")[0] if raw_path else quote(scope["path"])
    rest = scope.get("path_params", {}).get("rest")
    path = base + _end_of(raw, "/" + rest) if rest is not None else base or raw
    query = scope.get("query_string", b"").decode("latin-1")
    return path + ("?" + query if query else "")


def _end_of(raw: str, end: str) -> str:
    """The end of an encoded path that decodes to `end`. What is in front may have the same words in it."""
    segments = raw.split("/")
    left = len(end)
    for place in range(len(segments) - 1, 0, -1):
        left -= 1 + len(unquote(segments[place]))
        if left == 0:
            return "/" + "/".join(segments[place:])
    return quote(end)  # the slash before it was encoded


def create_router(engine: Engine | None = None, **options: Any) -> APIRouter:
    """A router with the /ml paths and the calls for system signals; arguments as of ``Api``."""
    api = Api(engine, **options)
    made = APIRouter()
    for prefix in PREFIXES:

        async def answer(request: Request, base: str = prefix) -> Response:
            return await api.answer(request, base)

        # Starlette's own routes: FastAPI would read bodies and parameters that are not its business.
        made.add_route(prefix, answer, METHODS, include_in_schema=False)
        made.add_route(prefix + "/{rest:path}", answer, METHODS, include_in_schema=False)
    return made


def create_app(engine: Engine | None = None, **options: Any) -> FastAPI:
    """An application that answers everything that api/openapi.yaml describes."""
    return _app_of(Api(engine, **options))


def _app_of(api: Api) -> FastAPI:
    app = FastAPI(openapi_url=None, title="Liminal", version=_engine.__version__)

    async def answer(request: Request) -> Response:
        return await api.answer(request)

    app.add_route("/{rest:path}", answer, METHODS)
    return app


router = create_router()


def main(arguments: list[str] | None = None) -> None:
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m liminal.api", description="Serves the HTTP API.")
    parser.add_argument("--api", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--token", default="")
    parser.add_argument("--data", default="", metavar="FOLDER")
    given = parser.parse_args(arguments)
    host, _, port = given.api.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        parser.error("--api: must be HOST:PORT")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError) as wrong:
        parser.error(f"--api {given.api}: {wrong}")
    if not given.token and not _is_local(str(address[0])):
        parser.error("a --token is needed to listen on other than a loopback address")
    engine = Engine(buffer_size=ROWS) if given.data else None
    api = Api(engine, token=given.token, folder=given.data, models=bool(given.data))
    with socket.socket(family) as listening:
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(1024)
            _ = api.service  # what is wrong with the folder is said now, not to who asks
        except (OSError, RuntimeError, ValueError) as wrong:
            sys.exit(f"liminal.api: {wrong}")
        print(f"ready api={host}:{listening.getsockname()[1]}", flush=True)
        app = _app_of(api)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        asyncio.run(server.serve(sockets=[listening]))


if __name__ == "__main__":
    main()
