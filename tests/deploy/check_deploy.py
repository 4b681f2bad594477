#!/usr/bin/env python3
"""Checks what deploy/ gives to Prometheus, Grafana and Docker against the program itself.

  check_deploy.py ROOT [--promtool PROMTOOL]

  - the scrape configuration, the rules and their tests, by promtool;
  - every query of the dashboard is PromQL, and every family that it or a rule names is one that
    Liminal exposes, with labels that it has;
  - every family is on the dashboard or in KEPT_OFF with the reason;
  - every alert has its place in docs/operations.md;
  - compose file, image and systemd unit name settings that exist, and the unit is one.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

KEPT_OFF = {
    "liminal_start_time_seconds": "process_start_time_seconds says it",
    "liminal_engine_time_seconds": "liminal_engine_ahead_seconds says by how much it differs from the date",
    "liminal_engine_ahead_seconds": "near zero unless the date was wrong; the alerting rule says when",
    "liminal_hub_channels": "the built-in hub is for who has no server yet",
    "liminal_hub_subscriptions": "the built-in hub is for who has no server yet",
    "liminal_hub_messages_total": "the built-in hub is for who has no server yet",
    "liminal_scaling_memory_bytes": "bounded by the number of services",
    "liminal_scaling_errors_total": "an alerting rule's matter, not a curve's",
    "liminal_grpc_calls_total": "only where KEDA asks over gRPC",
    "liminal_grpc_streams": "only where KEDA asks over gRPC",
    "liminal_address_entropy": "for who looks into an attack; alerts say when there is one",
    "liminal_address_users_max": "for who looks into an attack; alerts say when there is one",
    "liminal_address_connections_per_minute_max": "for who looks into an attack; alerts say when there is one",
    "liminal_channel_messages_per_minute_max": "for who looks into an attack",
    "liminal_data_free_bytes": "the alerting rule on its limit says when it matters",
    "liminal_certificate_expiry_seconds": "the alerting rule says when it matters",
    "liminal_metric_limit_probability_ratio": "the alerting rule says when it matters",
    "liminal_metric_limit_seconds": "beside the probability, on the metric's own dashboard",
    "liminal_metric_forecast_memory_bytes": "bounded by the number of series",
    "liminal_remote_write_samples_total": "only where a Prometheus writes to it",
    "process_virtual_memory_bytes": "says nothing: most of it is never touched",
}
NAME = re.compile(r"\b(?:liminal|websocket|process)_[a-z_]+\b")
SELECTOR = re.compile(r"\b((?:liminal|websocket|process)_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\b(?:by|without) \(([^)]*)\)")
# Labels that Prometheus adds, or histograms have.
ADDED = {"instance", "job", "le"}

ROOT = PROMTOOL = None


def promtool(*arguments, cwd=None):
    done = subprocess.run([PROMTOOL, *arguments], cwd=cwd, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def families():
    """Name → labels, as the table in src/io/prometheus declares them."""
    text = (ROOT / "src/io/prometheus/families.cpp").read_text()
    found = {}
    for entry in re.findall(r"\{k\w+,\s*\"([a-z_]+)\",\s*k\w+,(.*?)\}(?=,\n|\}\};)", text, re.S):
        labels = re.search(r"\{([^{}]*)\}?\s*$", entry[1])
        found[entry[0]] = set(re.findall(r'"([a-z_]+)"', labels.group(1))) if labels else set()
    return found


def family_of(name):
    return re.sub(r"_(bucket|sum|count)$", "", name) if name.endswith(("_bucket", "_sum", "_count")) else name


def dashboard():
    return json.loads((ROOT / "deploy/grafana/dashboards/liminal.json").read_text())


def panel_queries():
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]


def rules():
    groups = yaml.safe_load((ROOT / "deploy/prometheus/liminal.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


class Deploy(unittest.TestCase):
    def test_rules_are_rules_and_pass_their_tests(self):
        folder = ROOT / "deploy/prometheus"
        for arguments in (("check", "rules", "liminal.rules.yml"),
                          ("test", "rules", "liminal.rules.test.yml"),
                          ("check", "config", "--syntax-only", "prometheus.yml"),
                          ("check", "config", "--syntax-only", "cluster.yml")):
            code, text = promtool(*arguments, cwd=folder)
            self.assertEqual(code, 0, text)

    def test_every_query_of_the_dashboard_is_promql(self):
        made = [{"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*")}
                for number, (_, expr, _) in enumerate(panel_queries())]
        self.assertGreater(len(made), 30)
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": made}]}, file)
            file.flush()
            code, text = promtool("check", "rules", file.name)
        self.assertEqual(code, 0, text)

    def test_queries_name_families_and_labels_that_exist(self):
        known = families()
        self.assertGreater(len(known), 40)
        queries = [(title, expr) for title, expr, _ in panel_queries()]
        queries += [(rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules()]
        for where, expr in queries:
            for name in NAME.findall(re.sub(r'"[^"]*"', '""', expr)):
                self.assertIn(family_of(name), known, where)
            for name, matchers in SELECTOR.findall(expr):
                for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                    self.assertIn(label, known[family_of(name)] | ADDED, f"{where}: {name}")
            named = {family_of(n) for n in NAME.findall(re.sub(r'"[^"]*"', '""', expr))}
            labels = set().union(ADDED, *(known[n] for n in named))
            for group in GROUPED.findall(expr):
                for label in re.split(r",\s*", group):
                    self.assertIn(label, labels, where)

    def test_legends_show_labels_that_the_query_keeps(self):
        for title, expr, legend in panel_queries():
            for label in re.findall(r"\{\{(\w+)\}\}", legend):
                self.assertRegex(expr, rf"by \([^)]*\b{label}\b[^)]*\)", title)

    def test_every_family_is_on_the_dashboard(self):
        shown = {family_of(n) for _, expr, _ in panel_queries() for n in NAME.findall(expr)}
        for part in ("templating", "annotations"):
            shown |= set(NAME.findall(json.dumps(dashboard()[part])))
        missing = set(families()) - shown - set(KEPT_OFF)
        self.assertFalse(missing)

    def test_panels_do_not_overlap(self):
        taken = set()
        ids = set()
        for panel in dashboard()["panels"]:
            self.assertNotIn(panel["id"], ids)
            ids.add(panel["id"])
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    self.assertLess(x, 24)
                    taken.add((x, y))

    def test_every_alert_is_explained(self):
        text = (ROOT / "docs/operations.md").read_text()
        for rule in rules():
            if "alert" in rule:
                self.assertIn(f"`{rule['alert']}`", text)
                self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
                self.assertIn("summary", rule["annotations"])

    def test_settings_of_the_containers_exist(self):
        reference = (ROOT / "docs/configuration.md").read_text()
        keys = set(re.findall(r"^\| `([a-z_.0-9]+)` \|", reference, re.M))
        variables = {"LIMINAL_" + key.upper().replace(".", "_") for key in keys} | {"LIMINAL_CONFIG"}
        for file in ("deploy/compose.yaml", "deploy/Dockerfile", "deploy/docker-compose.kenning.yml",
                     "deploy/kenning/Containerfile", "packaging/liminal.service"):
            for name in re.findall(r"\bLIMINAL_[A-Z_]+\b", (ROOT / file).read_text()):
                self.assertIn(name, variables, file)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is missing")
    def test_the_unit_is_one(self):
        unit = (ROOT / "packaging/liminal.service").read_text()
        with tempfile.TemporaryDirectory() as folder:
            # The program need not be installed to look at the unit.
            file = pathlib.Path(folder) / "liminal.service"
            file.write_text(unit.replace("/usr/bin/liminal", "/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_compose_mounts_what_is_there(self):
        compose, more = (yaml.safe_load((ROOT / "deploy" / file).read_text())
                         for file in ("compose.yaml", "docker-compose.kenning.yml"))
        volumes = {**compose["volumes"], **more["volumes"]}  # the second is given beside the first
        for name, service in [*compose["services"].items(), *more["services"].items()]:
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((ROOT / "deploy" / source).exists(), f"{name}: {source}")
                else:
                    self.assertIn(source, volumes, name)
            for secret in service.get("secrets", []):
                self.assertIn(secret, compose["secrets"], name)

    def test_jupyter_is_for_this_machine(self):
        compose = yaml.safe_load((ROOT / "deploy/docker-compose.kenning.yml").read_text())
        self.assertEqual(compose["services"]["jupyter"]["ports"], ["127.0.0.1:8888:8888"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--promtool", default="promtool")
    options = parser.parse_args()
    ROOT, PROMTOOL = options.root, options.promtool
    unittest.main(argv=[sys.argv[0]])
