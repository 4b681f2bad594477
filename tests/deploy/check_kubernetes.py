#!/usr/bin/env python3
"""Checks deploy/kubernetes: every manifest by Kubernetes' own schemas (kubernetes-validate from
build/python), and that what they name of Liminal is there.

  check_kubernetes.py ROOT          77: the validator is not installed (tools/install test)
"""
import pathlib
import re
import subprocess
import sys

import yaml


def main():
    root = pathlib.Path(sys.argv[1])
    folder = root / "deploy" / "kubernetes"
    files = sorted(folder.glob("*.yaml"))
    documents = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    kinds = {document["kind"] for document in documents}
    assert {"Deployment", "Service", "ScaledObject"} <= kinds, kinds
    by_kind = {document["kind"]: document for document in documents}

    container = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for port in by_kind["Service"]["spec"]["ports"]:
        assert port["targetPort"] in ports, port
    described = yaml.safe_load((root / "api/openapi.yaml").read_text())["paths"]
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in described, probe
    settings = (root / "docs/configuration.md").read_text()
    for variable in container["env"]:
        key = variable["name"].removeprefix("LIMINAL_").lower().replace("_", ".", 1)
        assert f"`{key}`" in settings, variable
    service = by_kind["Service"]
    served = {f"{service['metadata']['name']}:{port['port']}": port["name"]
              for port in service["spec"]["ports"]}
    triggers = [trigger for document in documents if document["kind"] == "ScaledObject"
                for trigger in document["spec"]["triggers"]]
    assert {trigger["type"] for trigger in triggers} == {"metrics-api", "external-push"}, triggers
    for trigger in triggers:
        told = trigger["metadata"]
        if trigger["type"] == "external-push":
            assert served[told["scalerAddress"]] == "scaler", told
            assert told["service"], told
            continue
        address, path = re.fullmatch(r"http://([^/]+)(/.*)", told["url"]).groups()
        assert served[address] == "api", told
        assert re.sub(r"/scaling/[^/]+/", "/scaling/{service}/", path) in described, path

    validator = root / "build" / "python" / "bin" / "kubernetes-validate"
    if not validator.exists():
        print("kubernetes-validate is not installed: the schemas were not checked")
        return 77
    known = [file for file in files if "keda.sh" not in file.read_text()]
    return subprocess.run([validator, "--strict", *known], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
