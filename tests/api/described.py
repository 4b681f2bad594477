"""A server's API as api/openapi.yaml describes it: every answer is checked against that."""
import http.client
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

DOCUMENT = yaml.safe_load(
    (pathlib.Path(__file__).parents[2] / "api" / "openapi.yaml").read_text())


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


class Api:
    """One connection, kept open: what follows an error on it must still work."""

    def __init__(self, base, token):
        url = urllib.parse.urlsplit(base)
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        self.token = token
        self.answers = 0
        self.seen = set()

    def ask(self, method, path, status, body=None, headers=None, kind="application/json"):
        """Asks, checks the answer against the description, and gives its JSON (or its text)."""
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", "Bearer " + self.token)
        if body is not None:
            headers.setdefault("Content-Type", kind)
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        headers["X-Request-Id"] = f"check-{self.answers}"
        self.connection.request(method, path, body=body, headers=headers)
        response = self.connection.getresponse()
        text = response.read()
        self.answers += 1
        where = f"{method} {path}: {response.status} {text[:300]!r}"
        assert response.status in (status if isinstance(status, tuple) else (status,)), \
            f"{where}, expected {status}"
        assert response.headers["X-Request-Id"] == headers["X-Request-Id"], where
        self.check_schema(method, path, response, text, where)
        is_json = "json" in (response.headers["Content-Type"] or "")
        is_file = response.headers["Content-Type"] == "application/octet-stream"
        return json.loads(text) if is_json and text else text if is_file else text.decode()

    def check_schema(self, method, path, response, text, where):
        media = (response.headers["Content-Type"] or "").split(";")[0]
        if response.status >= 400:
            assert media == "application/problem+json", where
            problem = json.loads(text)
            assert problem["status"] == response.status, where
            self.validate(DOCUMENT["components"]["schemas"]["Problem"], problem, where)
        operation = self.operation(method, path)
        if operation is None:
            assert response.status in (400, 404, 405), where
            return
        self.seen.add((operation["operationId"], response.status))
        if response.status >= 400:
            return
        described = operation["responses"].get(str(response.status))
        assert described is not None, f"{where}: a status that is not described"
        content = resolve(described).get("content", {})
        if not content:
            assert not text, where
            return
        assert media in content, f"{where}: {media} is not described"
        schema = content[media]["schema"]
        if media == "application/octet-stream":
            assert text, where
            return
        self.validate(schema, json.loads(text) if "json" in media else text.decode(), where)

    @staticmethod
    def operation(method, path):
        path = path.split("?")[0]
        for pattern, item in sorted(DOCUMENT["paths"].items(), key=lambda one: "{" in one[0]):
            if re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", pattern), path):
                return item.get(method.lower())
        return None

    @staticmethod
    def validate(schema, value, where):
        resolver = jsonschema.RefResolver.from_schema(DOCUMENT)
        validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
        errors = sorted(validator.iter_errors(value), key=str)
        assert not errors, f"{where}\n" + "\n".join(
            f"  {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in errors)


def paths_of(problem):
    return [error["path"] for error in problem["errors"]]
