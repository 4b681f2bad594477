#!/usr/bin/env python3
"""Publishes an ONNX file as the next version of a model of the application on a Ray cluster.

  scripts/add_ml_model.py NAME FILE.onnx [--champion] [--address ADDRESS] [--name APPLICATION]

It is challenger, or champion with --champion. The model must be defined (docs/adding-a-model.md), and the
file have its features. Exits 1, saying why, when it does not.
"""
import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--champion", action="store_true")
    parser.add_argument("--address", default="auto")
    parser.add_argument("--name", default="liminal")
    parser.add_argument("--token", default=os.environ.get("LIMINAL_TOKEN", ""))
    given = parser.parse_args()

    import ray

    from liminal._actors import models_of

    ray.init(address=given.address, namespace="liminal", log_to_driver=False, logging_level="warning")
    try:
        models = models_of(given.name)
        version = ray.get(models.add.remote(given.model, given.file.read_bytes()))
    except (OSError, ValueError, ray.exceptions.RayTaskError) as wrong:
        sys.exit(f"add_ml_model: {getattr(wrong, 'cause', wrong)}")
    print(f"version {version} of {given.model} is challenger")
    if given.champion:
        headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
        if given.token:
            headers.append((b"authorization", b"Bearer " + given.token.encode()))
        status, _, answer = ray.get(models.ask.remote(
            "POST", f"/ml/models/{given.model}/load", headers,
            json.dumps({"version": version}).encode(), "127.0.0.1", True))
        if status != 200:
            sys.exit(f"add_ml_model: {answer.decode()}")
        print(f"version {version} of {given.model} is champion")


if __name__ == "__main__":
    main()
