#!/usr/bin/env python3
"""Checks deploy/kubernetes: every manifest by Kubernetes' own schemas (kubernetes-validate from
build/python), the pods of the RayService too, and that what they name of Liminal is there.

  check_kubernetes.py ROOT          77: the validator is not installed (tools/install test)
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

# Of KubeRay's RayService (ray.io/v1): what is used here, and no more. Its pods are Kubernetes' own.
RAY = {
    "spec": {"serveConfigV2", "rayClusterConfig"},
    "cluster": {"rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions",
                "headGroupSpec", "workerGroupSpecs"},
    "head": {"rayStartParams", "template"},
    "worker": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
}


def check_ray(root, service, claims):
    """Checks the RayService but for its pods, which it gives."""
    spec = service["spec"]
    cluster = spec["rayClusterConfig"]
    pinned = re.search(r"ray\[.*\]==(\S+)", (root / "python/requirements-ray.txt").read_text())[1]
    assert cluster["rayVersion"] == pinned, cluster["rayVersion"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    for what, given in (("spec", spec), ("cluster", cluster), ("head", head),
                        *(("worker", worker) for worker in workers)):
        assert set(given) <= RAY[what], (what, set(given) - RAY[what])
        for value in given.get("rayStartParams", {}).values():
            assert isinstance(value, str), value
    for worker in workers:
        assert worker["minReplicas"] <= worker["replicas"] <= worker["maxReplicas"], worker

    # The same application as on a cluster of one's own.
    there = yaml.safe_load(spec["serveConfigV2"])
    here = yaml.safe_load((root / "deploy/ray/serve.yaml").read_text())
    assert there["http_options"].pop("host") == "0.0.0.0"
    assert (there.pop("proxy_location"), here.pop("proxy_location")) == ("EveryNode", "HeadOnly")
    here["http_options"].pop("host")
    assert there == here, "serveConfigV2 and deploy/ray/serve.yaml differ"

    folder = here["applications"][0]["args"]["folder"]
    pods = [("head", head["template"]), *((one["groupName"], one["template"]) for one in workers)]
    for name, template in pods:
        container = template["spec"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["serve"] == here["http_options"]["port"], ports
        mounted = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        volumes = {one["name"]: one["persistentVolumeClaim"]["claimName"]
                   for one in template["spec"]["volumes"]}
        assert claims[volumes[mounted[folder]]] == ["ReadWriteMany"], "every node must see the folder"
        environment = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
        # Who listens beyond its own machine has a token, which is in no text of the cluster's.
        assert set(environment["LIMINAL_TOKEN"]) == {"secretKeyRef"}, environment
        assert environment["RAY_USAGE_STATS_ENABLED"] == "0", environment
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **template["metadata"]},
               "spec": template["spec"]}


# Of the Prometheus operator's resources likewise.
MONITORS = {
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "endpoint": {"port", "path", "interval", "relabelings"},
    "ScrapeConfig": {"jobName", "metricsPath", "scrapeInterval", "authorization", "staticConfigs"},
}


def check_monitors(by_kind, pods, described):
    """Checks that Prometheus finds what the RayService's pods tell, and may ask for it."""
    monitor, scrape = by_kind["PodMonitor"]["spec"], by_kind["ScrapeConfig"]["spec"]
    assert set(monitor) <= MONITORS["PodMonitor"] and set(scrape) <= MONITORS["ScrapeConfig"]
    [endpoint] = monitor["podMetricsEndpoints"]
    assert set(endpoint) <= MONITORS["endpoint"], endpoint
    service = by_kind["RayService"]
    cluster = service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group, pod in zip(groups, pods, strict=True):
        assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items(), pod["metadata"]
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        assert group["rayStartParams"]["metrics-export-port"] == str(ports[endpoint["port"]]), ports
        admitted = {port["port"] for rule in by_kind["NetworkPolicy"]["spec"]["ingress"]
                    for port in rule.get("ports", [])}
        assert {ports["serve"], ports[endpoint["port"]]} <= admitted, admitted
        assert scrape["staticConfigs"] == [{"targets": [
            f"{service['metadata']['name']}-serve-svc:{ports['serve']}"]}], scrape["staticConfigs"]
    assert scrape["metricsPath"] in described
    assert scrape["authorization"]["type"] == "Bearer" and set(scrape["authorization"]["credentials"]) == {
        "name", "key"}


def main():
    root = pathlib.Path(sys.argv[1])
    folder = root / "deploy" / "kubernetes"
    files = sorted(folder.glob("*.yaml"))
    documents = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    kinds = {document["kind"] for document in documents}
    assert {"Deployment", "Service", "ScaledObject", "RayService", "PodMonitor"} <= kinds, kinds
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

    claims = {one["metadata"]["name"]: one["spec"]["accessModes"] for one in documents
              if one["kind"] == "PersistentVolumeClaim"}
    pods = list(check_ray(root, by_kind["RayService"], claims))
    check_monitors(by_kind, pods, described)

    validator = root / "build" / "python" / "bin" / "kubernetes-validate"
    if not validator.exists():
        print("kubernetes-validate is not installed: the schemas were not checked")
        return 77
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as known:
        # What Kubernetes itself does not know was checked above.
        foreign = ("keda.sh/", "ray.io/", "monitoring.coreos.com/")
        yaml.safe_dump_all(pods + [one for one in documents
                                   if not one["apiVersion"].startswith(foreign)], known)
        known.flush()
        return subprocess.run([validator, "--strict", known.name], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
