"""deploy/ray/serve.yaml against Ray's own schema: no cluster is asked."""
import copy
import re

import pytest
import yaml
from conftest import PROJECT
from ray.serve.schema import ServeDeploySchema

from liminal.serve import DEFAULTS, settings_of

TEXT = (PROJECT / "deploy/ray/serve.yaml").read_text()
WANTED = yaml.safe_load(TEXT)


def test_it_is_what_serve_takes_with_arguments_that_there_are():
    [application] = ServeDeploySchema.model_validate(WANTED).applications
    assert {one.name for one in application.deployments} == {"Ingress", "SalienceScorer", "ModelServer"}
    assert set(application.args) < set(DEFAULTS)
    settings_of(application.args)


def cpus_at_the_beginning(wanted):
    """What replicas and actors ask for before anybody asks them."""
    [application] = wanted["applications"]
    replicas = sum(one["autoscaling_config"]["min_replicas"] * one["ray_actor_options"]["num_cpus"]
                   for one in application["deployments"])
    return replicas + (application["args"]["owners"] + 2) * application["args"]["owner_cpus"]


def test_the_nodes_of_the_description_have_room_for_it_and_for_a_fit():
    [workers] = re.findall(r"^docker/ray-workers.sh start (\d+) ", (PROJECT / "docs/scale.md").read_text(), re.M)
    [cpus] = re.findall(r"RAY_WORKERS_CPUS:-(\d+)", (PROJECT / "docker/ray-workers.sh").read_text())
    assert cpus_at_the_beginning(WANTED) + DEFAULTS["fit_cpus"] <= (int(workers) + 1) * int(cpus)
    # As processes of one machine they have one port.
    assert WANTED["proxy_location"] == "HeadOnly"


def test_the_pods_of_the_manifest_have_room_for_it_and_for_a_fit():
    cluster = next(one for one in yaml.safe_load_all((PROJECT / "deploy/kubernetes/rayservice.yaml").read_text())
                   if one["kind"] == "RayService")["spec"]
    room = sum(group["replicas"] * int(group["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
               for group in cluster["rayClusterConfig"]["workerGroupSpecs"])
    assert cpus_at_the_beginning(yaml.safe_load(cluster["serveConfigV2"])) + DEFAULTS["fit_cpus"] <= room


def test_replicas_are_scaled_by_requests_or_by_the_forecast_and_never_by_both():
    assert "    # external_scaler_enabled: true\n" in TEXT
    both = copy.deepcopy(WANTED)
    both["applications"][0]["external_scaler_enabled"] = True
    with pytest.raises(ValueError, match="external_scaler_enabled"):
        ServeDeploySchema.model_validate(both)
    forecast = copy.deepcopy(both)
    for deployment in forecast["applications"][0]["deployments"]:
        del deployment["autoscaling_config"]
        deployment["num_replicas"] = 2
    ServeDeploySchema.model_validate(forecast)
