"""deploy/ray/serve.yaml against Ray's own schema: no cluster is asked."""
import copy

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
