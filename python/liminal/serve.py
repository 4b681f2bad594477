"""Liminal as an application of Ray Serve: the answers of the single program, from as many machines as it takes.

    serve run liminal.serve:app token=SECRET        or scripts/deploy_ml_serve.py, which waits until it is ready

``Ingress`` replicas answer at the same paths as the program (api/openapi.yaml). What needs no state they
answer themselves; what belongs to a user, a source of metrics or a service they ask the actor that owns it;
what is about all they ask all owners and put together (docs/scale.md). ``ModelServer`` replicas answer what
is asked of trained models; one actor keeps and trains them.

Arguments of ``app``, as in deploy/ray/serve.yaml: owners (actors that share the 64 shards; fixed for the life of a
folder), replicas (of the ingress; 0 where a configuration file says), folder (where owners keep their snapshots: one
that all nodes see, and that must be given where there are several; else liminal in ~/.local/state), store (an object
store instead, as s3://bucket/path: the folder is of each node then), store_s (how often it gets what changed),
snapshot_s, journal (whether an owner has events on the disk before they are answered; else a death costs those since its
last snapshot), token (or token_file, or LIMINAL_TOKEN in the environment: with one, nothing but /livez, /readyz and the
like is answered without it, from this machine either), profile, mode, rows (recent feature rows that an owner keeps:
what models learn from), owner_cpus, fit_cpus (what a fit of the trainer ray is reckoned at), name, models
(definitions of models beside the first three, as ``models.definitions`` of the program), onnxruntime (the file of
ONNX Runtime, which computes models of others; of the Python package of that name where it is installed), provider
(what replicas of ModelServer compute those with: cpu, cuda or tensorrt), threads (of one such call), patience_s (how
long a request waits for an actor that died or is renewed, before it is 503). Deployed again with others, or by
another version of the package, the actors that go by them are renewed one after the other; folder, store and
owners cannot become others while the actors run.
"""
from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import pathlib
import threading
import time
from typing import Any
from urllib.parse import unquote

import ray
from ray import serve
from ray.serve import metrics
from ray.serve.context import _get_global_client
from starlette.requests import Request
from starlette.responses import Response

from liminal import _engine, _merge
from liminal._actors import Gone, Named, ensure, make, owner_parts, silence_of
from liminal._fits import FIT_CPUS
from liminal._folder import default_folder
from liminal._store import Store
from liminal._gather import Gathering
from liminal._owner import MISMATCH, Moving, idempotency_key, names_onnxruntime, onnxruntime_of
from liminal.api import (
    BODY_BYTES_MAX,
    ROWS,
    _is_local,
    _target,
    asks_a_model,
    is_about_models,
    too_large,
)
from liminal.engine import Engine

DEFAULTS: dict[str, Any] = {
    "name": "liminal", "owners": 2, "replicas": 2, "folder": "", "store": "", "store_s": 1.0,
    "snapshot_s": 2.0, "journal": True, "token": "", "token_file": "", "profile": "chat", "mode": "shadow",
    "rows": ROWS,
    "owner_cpus": 0, "fit_cpus": FIT_CPUS, "beat": True, "models": [], "onnxruntime": "", "provider": "cpu",
    "threads": 1, "patience_s": 20.0,
}
PROVIDERS = ("cpu", "cuda", "tensorrt")
_INLINE_BYTES_MAX = 64 * 1024
# Of a source or service that a request does not name, as api/openapi.yaml has it.
_DEFAULT_NAME = "default"
# Of an actor that is being restarted or renewed.
_NOT_NOW = (ray.exceptions.RayActorError, Gone, Moving)
_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def settings_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """What is not given is as by default; raises ValueError that names what is wrong."""
    unknown = sorted(set(arguments) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"{unknown[0]}: is not known")
    settings = DEFAULTS | arguments
    if not 1 <= settings["owners"] <= _engine.SHARDS:
        raise ValueError("owners: must be 1 to 64")
    if settings["replicas"] < 0:
        raise ValueError("replicas: must be at least 1, or 0 for what the deployment's configuration says")
    if not 0 < settings["fit_cpus"] <= 64:
        raise ValueError("fit_cpus: must be above 0 and at most 64")
    if not 0 < settings["patience_s"] <= 600:
        raise ValueError("patience_s: must be above 0 and at most 600")
    if not isinstance(settings["journal"], bool):
        raise ValueError("journal: must be true or false")
    if not all(isinstance(one, str) for one in settings["models"]):
        raise ValueError("models: must be definitions, each a line of text")
    if settings["provider"] not in PROVIDERS:
        raise ValueError(f"provider: must be {', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}")
    if not isinstance(settings["threads"], int) or not 1 <= settings["threads"] <= 64:
        raise ValueError("threads: must be 1 to 64")
    if not isinstance(settings["rows"], int) or not 1 <= settings["rows"] <= 10_000_000:
        raise ValueError("rows: must be 1 to 10000000")
    if not 0 < settings["store_s"] <= 60:
        raise ValueError("store_s: must be above 0 and at most 60")
    if settings["store"]:
        Store(settings["store"])
    Engine(profile=settings["profile"], mode=settings["mode"])
    settings["folder"] = settings["folder"] or default_folder()
    settings["token"], settings["token_file"] = _token_of(settings), ""
    return settings


def _token_of(settings: dict[str, Any]) -> str:
    if not settings["token_file"]:
        return settings["token"] or os.environ.get("LIMINAL_TOKEN", "")
    if settings["token"]:
        raise ValueError("token_file: must not be given beside token")
    try:
        token = pathlib.Path(settings["token_file"]).read_text().strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ValueError(f"token_file: {settings['token_file']}: {wrong}") from None
    if not token:
        raise ValueError(f"token_file: {settings['token_file']} is empty")
    return token


# All of it fits on two CPUs; a configuration file may say otherwise.
_CPUS = {"num_cpus": .5}
_FEW_CPUS = {"num_cpus": .25}
# A replica that died is found, and another begun, by asking it; Serve's default is ten seconds.
_HEALTH = {"health_check_period_s": 2}
# How often replicas look for new champions, and how long they wait for the actor that has them.
CHAMPIONS_EVERY_S = 1.0
_MODELS_PATIENCE_S = 30.0
# Who asks whether everything is ready is told within this, of parts that do not answer too.
READY_PATIENCE_S = 3.0


def counter(name: str, text: str, *tags: str) -> metrics.Counter:
    """A count of this replica, among Ray's own metrics as ``ray_NAME_total`` (deploy/prometheus/cluster.yml)."""
    return metrics.Counter(name, description=text, tag_keys=tags)


@serve.deployment(name="SalienceScorer", max_ongoing_requests=64, ray_actor_options=_FEW_CPUS, **_HEALTH)
class SalienceScorer:
    """Answers what takes long and needs no state, off the ingress: large rankings, and forecasts."""

    def __init__(self, settings: dict[str, Any]):
        self._service = _engine.Service(Engine(), token=settings["token"])
        self._counted = counter("liminal_rankings", "Large requests to /salience.")

    def __call__(self, request: tuple) -> _Answer:
        self._counted.inc()
        return self._service.handle(*request)


@serve.deployment(name="ModelServer", max_ongoing_requests=64, ray_actor_options=_FEW_CPUS, **_HEALTH)
class ModelServer:
    """Answers predictions by copies of the champions, which it looks for every second.

    A champion that changes answers here a second later at most. Who asks for another version, or for a model
    whose experiment runs, is answered by the actor of models. Away, that actor does not keep replicas from
    answering by what they have.
    """

    def __init__(self, settings: dict[str, Any]):
        self._service = _engine.Service(
            Engine(), token=settings["token"], models="copies", onnxruntime=onnxruntime_of(settings),
            provider=settings["provider"], threads=settings["threads"], required=names_onnxruntime(settings))
        make("models", settings)
        self._models, self._patience_s = Named(settings, "models"), settings["patience_s"]
        self._held: dict[str, tuple[int, str]] = {}
        self._compared: set[str] = set()
        self._refused: dict[str, str] = {}
        self._counted = counter("liminal_predictions", "Requests for predictions.", "by")
        self._lock = threading.Lock()
        self._look()
        threading.Thread(target=self._keep_looking, daemon=True, name="champions").start()

    def _look(self) -> None:
        with self._lock:
            try:
                told = ray.get(self._models.call("champions", self._held), timeout=_MODELS_PATIENCE_S)
            except ray.exceptions.RayActorError:
                self._models.forget()
                raise
            refused = dict(self._service.take_copies(
                [one[:4] for one in told if one[2] != self._refused.get(one[0])]))
            for model, why in refused.items():
                print(f"{model}: its champion is asked of the actor of models, for it cannot be answered here: "
                      f"{why}"[:500], flush=True)
            # What was refused is not sent again, until it is another.
            self._held = {model: (version, sha256) for model, version, sha256, _, _ in told}
            self._refused = {model: sha256 for model, (_, sha256) in self._held.items()
                             if model in refused or self._refused.get(model) == sha256}
            self._compared = {one[0] for one in told if one[4]}

    def _keep_looking(self) -> None:
        while True:
            time.sleep(CHAMPIONS_EVERY_S)
            try:
                self._look()
            except (ray.exceptions.RayError, Gone, ValueError) as wrong:
                print(f"champions were not looked for: {wrong!r}"[:500], flush=True)

    def __call__(self, asked: tuple) -> _Answer:
        parts = asked[1].partition("?")[0].split("/")
        model = unquote(parts[3]) if parts[1] == "v2" else _text(asked[3], "model_name")
        if model not in self._compared:
            answer = self._service.handle(*asked)
            if answer[0] != 404:
                self._counted.inc(tags={"by": "copy"})
                return answer
        self._counted.inc(tags={"by": "models"})
        return _ask_models(self._models, asked, self._patience_s)


def _ask_models(models: Named, asked: tuple, patience_s: float) -> _Answer:
    """Asks the actor of models, again while it is being restarted or renewed."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return ray.get(models.call("ask", *asked))
        except _NOT_NOW:
            if time.monotonic() > until:
                return _problem(503, "the models do not answer; try again")
            models.forget()
            time.sleep(.1)


def refuse_strangers(token: str, host: str | None) -> None:
    """Raises ValueError when anybody could ask without a token: through HAProxy everybody comes from this machine.

    By itself Serve listens on all addresses behind HAProxy, unless ``http_options`` says another host.
    """
    if not token and host != "localhost" and not _is_local(host or ""):
        raise ValueError(f"token: is needed where Serve listens on {host or 'all addresses'}: give one, or "
                         "http_options with the host 127.0.0.1")


@serve.deployment(name="Ingress", max_ongoing_requests=256, ray_actor_options=_CPUS, **_HEALTH)
class Ingress:
    """One of the replicas that everybody asks."""

    def __init__(self, settings: dict[str, Any], scorer: Any, predictor: Any):
        refuse_strangers(settings["token"], _get_global_client().http_config.host)
        self._scorer, self._predictor = scorer, predictor
        self._settings = settings
        self._patience_s = settings["patience_s"]
        self._local = _engine.Service(Engine(), token=settings["token"])
        # A service routes one body at a time: what is in line behind a large one must not be this replica's loop.
        self._bulk = _engine.Service(Engine(), token=settings["token"])
        for part in ensure(settings):
            print(f"renewed: {part}", flush=True)
        self._owners = [Named(settings, part) for part in owner_parts(settings)]
        self._gathered = [Gathering(functools.partial(_given, owner), self._patience_s) for owner in self._owners]
        self._commons, self._models = Named(settings, "commons"), Named(settings, "models")
        self._counted = counter("liminal_requests", "Requests that the ingress answered.", "status")
        self._told = [(0, 0)] * len(self._owners)  # epoch and number acknowledged, an owner each

    async def __call__(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return too_large()
        peer = request.client.host if request.client else ""
        # Through HAProxy everybody comes from this machine: where there is a token, nobody is believed to.
        is_local = not self._settings["token"] and _is_local(peer)
        asked = (request.method, _target(request.scope, ""), request.scope["headers"], bytes(body), peer, is_local)
        try:
            status, headers, content = await self._answer(asked)
        except Exception as wrong:
            # Of an owner or a replica too. What it was is for the log, not for who asked.
            print(f"{asked[0]} {asked[1]}: {wrong!r}"[:2000], flush=True)
            status, headers, content = _problem(500, "the request could not be carried out")
        if "x-request-id" in request.headers and all(
                name.lower() != b"x-request-id" for name, _ in headers):
            headers = [*headers, (b"X-Request-Id", request.headers["x-request-id"].encode("latin-1"))]
        self._counted.inc(tags={"status": str(status)})
        response = Response(content, status)
        response.raw_headers = [(name.lower(), value) for name, value in headers]
        if status not in (204, 304):
            response.raw_headers.append((b"content-length", str(len(content)).encode()))
        return response

    async def _answer(self, asked: tuple) -> _Answer:
        method, target, body = asked[0], asked[1], asked[3]
        raw_path = target.split("?", 1)[0]
        if (method, raw_path) == ("POST", "/ml/events"):
            return await self._events(asked)
        if method in ("GET", "HEAD") and raw_path == "/ml/crowd":
            return await self._crowd(asked)
        if asks_a_model(method, raw_path):
            return await _another(self._predictor, asked, self._patience_s)
        if is_about_models(raw_path):
            return await self._ask_models(asked)
        kind = ("GET" if method == "HEAD" else method, raw_path)
        if kind in _merge.CHECKS:
            return await self._checks(asked, kind)
        if kind in _merge.MERGES:
            answers = await self._ask_all(asked)
            if kind in _merge.WITH_MODELS:
                answers.append(await self._ask_models(asked))
            answer = _merge.MERGES[kind](answers, target)
            if kind in _merge.WITH_ACCOUNTS and answer[0] == 200:
                answer = _merge.WITH_ACCOUNTS[kind](answer, *await self._accounts())
            return answer
        owner = self._owner_of(method, raw_path, body)
        if owner is None:
            if raw_path == "/forecast" or (
                    raw_path == "/salience" and len(body) > _INLINE_BYTES_MAX):
                return await _another(self._scorer, asked, self._patience_s)
            return self._local.handle(*asked)
        return await self._ask(owner, asked)

    def _owner_of(self, method: str, raw_path: str, body: bytes) -> int | None:
        """The owner of what a request is about; None when it is about nobody."""
        parts = raw_path.split("/")[1:]
        key: str | None = None
        if len(parts) == 3 and parts[:2] in (["ml", "users"], ["ml", "limits"]):
            key = unquote(parts[2])
        elif parts == ["ml", "anomalies", "analyze"]:
            key = _text(body, "user_id")
        elif parts == ["ml", "anomalies", "feedback"] or (
                parts == ["ml", "anomalies", "recent"] and method == "POST"):
            # Of all gateways at one place, as of one program: ranked in one order, grouped into incidents.
            return _engine.OF_GATEWAYS % len(self._owners)
        elif parts[:2] == ["ml", "anomalies"] and len(parts) in (3, 4):
            shard = unquote(parts[2]).split("-")[0]
            return int(shard) % len(self._owners) if shard.isdecimal() and len(shard) < 3 else None
        elif parts == ["ml", "features", "recent"] and method == "POST":
            # Any owner will do, for all are asked what they have: whole requests, in turn by whose is first.
            key = _first_user(body)
        elif parts == ["anomaly"] and method == "POST":
            key = _text(body, "source") or _DEFAULT_NAME
        elif parts[:2] == ["anomaly", "series"] and len(parts) in (3, 4):
            key = unquote(parts[2])
        elif parts == ["scaling"] and method == "POST":
            key = _text(body, "service") or _DEFAULT_NAME
        elif parts[:1] == ["scaling"] and len(parts) > 1:
            key = unquote(parts[1])
        if key is None:
            return None
        try:
            return _engine.shard_of(key) % len(self._owners)
        except UnicodeEncodeError:
            return None

    async def _events(self, asked: tuple) -> _Answer:
        headers = asked[2]
        key = idempotency_key(headers)
        # Owners keep the keys: another replica may be asked the next time. A wrong one is told of here.
        if key is not None and 0 < len(key) <= 255:
            asked = (*asked[:2], [one for one in headers if one[0].lower() != b"idempotency-key"],
                     *asked[3:])
        if len(asked[3]) <= _INLINE_BYTES_MAX:
            answer, batches = self._local.route_events(*asked, len(self._owners))
        else:  # beside the other requests
            answer, batches = await asyncio.to_thread(self._bulk.route_events, *asked, len(self._owners))
        if not any(batches):
            return answer
        fingerprint = hashlib.sha256(asked[3]).hexdigest() if key is not None else ""
        known = await asyncio.gather(*(self._gathered[place].track(batch, key, fingerprint)
                                       for place, batch in enumerate(batches) if batch))
        if None in known:
            return _problem(503, "an owner of these users does not answer; try again")
        if MISMATCH in known:
            return _problem(422, "Idempotency-Key: was used for a request with another body", errors=[{
                "in": "header", "path": "Idempotency-Key",
                "detail": "was used for a request with another body"}])
        for place, (epoch, accepted) in zip(
                (place for place, batch in enumerate(batches) if batch), known):
            self._note(place, epoch, accepted)
        return answer

    async def _crowd(self, asked: tuple) -> _Answer:
        # The handler here says what is wrong with the request, and which headers an answer has.
        status, headers, content = self._local.handle(*asked)
        if status != 200:
            return status, headers, content
        parts = await asyncio.gather(*(self._retrying(place, "crowd")
                                       for place in range(len(self._owners))))
        if None in parts:
            return _problem(503, "an owner of users does not answer; try again")
        return status, headers, _engine.merge_crowds(list(parts), json.loads(content)["limit"])

    def _note(self, place: int, epoch: int, accepted: int) -> None:
        """Remembers what an owner acknowledged, and tells its next incarnation."""
        before = self._told[place]
        if before[0] and epoch > before[0]:
            self._tell(place, "was_told", *before)
        self._told[place] = max(before, (epoch, accepted))

    def _tell(self, place: int, method: str, *arguments: Any) -> None:
        """What an owner need not answer."""
        try:
            self._owners[place].call(method, *arguments)
        except Gone:
            self._owners[place].forget()

    async def _accounts(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """How owners and commons stand, after owners were told what this replica remembers of them."""
        told = await asyncio.gather(*(self._retrying(place, "account", *self._told[place])
                                      for place in range(len(self._owners))),
                                    _again(self._commons, self._patience_s, "about"))
        return [one for one in told[:-1] if one is not None], told[-1]

    async def _checks(self, asked: tuple, kind: tuple[str, str]) -> _Answer:
        """Of all parts what they check; of those that do not answer soon, why not."""
        names = [*owner_parts(self._settings), "models"]
        actors = [*self._owners, self._models]
        answers = await asyncio.gather(*(
            asyncio.wait_for(_again(actor, READY_PATIENCE_S, "ask", *asked), READY_PATIENCE_S) for actor in actors),
            return_exceptions=True)
        silent = [name for name, answer in zip(names, answers) if not isinstance(answer, tuple)]
        if not silent:
            return _merge.MERGES[kind](answers, asked[1])
        checks = [{"name": name, "ok": False, "detail": (await asyncio.to_thread(silence_of, self._settings, name))[0]}
                  for name in silent]
        return _problem(503, "not ready: " + "; ".join(f"{one['name']}: {one['detail']}" for one in checks),
                        checks=checks)

    async def _ask_all(self, asked: tuple) -> list[_Answer]:
        return list(await asyncio.gather(*(self._ask(owner, asked)
                                           for owner in range(len(self._owners)))))

    async def _ask(self, place: int, asked: tuple) -> _Answer:
        answer = await self._retrying(place, "ask", *asked)
        return answer if answer is not None else _problem(
            503, "the owner of this does not answer; try again")

    async def _ask_models(self, asked: tuple) -> _Answer:
        answer = await _again(self._models, self._patience_s, "ask", *asked)
        return answer if answer is not None else _problem(503, "the models do not answer; try again")

    async def _retrying(self, place: int, method: str, *arguments: Any) -> Any:
        return await _again(self._owners[place], self._patience_s, method, *arguments)


async def _again(actor: Named, patience_s: float, method: str, *arguments: Any) -> Any:
    """Asks an actor, again while it is being restarted or renewed; None when it is not back in time."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return await actor.call(method, *arguments)
        except _NOT_NOW:
            if time.monotonic() > until:
                return None
            actor.forget()
            await asyncio.sleep(.1)


async def _given(owner: Named, patience_s: float, *given: Any) -> Any:
    return await _again(owner, patience_s, "track_all", *given)


async def _another(replicas: Any, asked: tuple, patience_s: float) -> _Answer:
    """Asks a replica beside this one, and another if it dies over it: what is asked of them changes nothing."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return await replicas.remote(asked)
        except ray.exceptions.RayActorError:
            if time.monotonic() > until:
                return _problem(503, "the replicas that answer this are gone; try again")
            await asyncio.sleep(.1)


def _first_user(body: bytes) -> str:
    try:
        first = json.loads(body)["features"][0]["user_id"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return first if isinstance(first, str) else ""


def _text(body: bytes, field: str) -> str | None:
    """A text in a body that is a JSON object, if it is there."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _problem(status: int, detail: str, **more: Any) -> _Answer:
    titles = {422: "Unprocessable Content", 500: "Internal Server Error", 503: "Service Unavailable"}
    body = json.dumps({"type": "about:blank", "title": titles[status], "status": status,
                       "detail": detail} | more).encode()
    headers = [(b"Content-Type", b"application/problem+json")]
    if status == 503:
        headers.append((b"Retry-After", b"1"))
    return status, headers, body


def app(arguments: dict[str, Any]) -> serve.Application:
    settings = settings_of(arguments)
    ingress = Ingress.options(num_replicas=settings["replicas"]) if settings["replicas"] else Ingress
    return ingress.bind(settings, SalienceScorer.bind(settings), ModelServer.bind(settings))
