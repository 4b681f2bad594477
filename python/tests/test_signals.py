import math

import numpy as np
import pytest

import liminal


def test_a_limit_allows_its_burst_and_then_its_rate():
    limit = liminal.GCRA(10, 5)
    assert [limit.allow(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert limit.retry_after(0.0) == pytest.approx(.1)
    assert limit.retry_after(0.0, cost=6) == math.inf
    assert limit.allow(.1)
    allowed = liminal.GCRA(10, 5).allow_batch(np.arange(100) / 100)
    assert allowed.dtype == np.bool_ and allowed.sum() == 5 + 9
    assert liminal.GCRA(0, 1).allow(0.0, cost=1000)


@pytest.mark.parametrize("arguments, named", [
    ((-1, 1), "per_second"), ((math.nan, 1), "per_second"), ((1, 0), "burst"), ((1, 10**6), "burst"),
])
def test_a_wrong_limit_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        liminal.GCRA(*arguments)
    with pytest.raises(ValueError, match="unit"):
        liminal.GCRA(1, 1, unit="x")
    with pytest.raises(ValueError, match="now"):
        liminal.GCRA(1, 1).allow(-1.0)
    with pytest.raises(ValueError, match="cost"):
        liminal.GCRA(1, 1).allow_batch(np.zeros(2), np.ones(3, np.uint32))


def series():
    values = np.random.default_rng(1).normal(50, 2, 3000)
    values[2500] = 90
    return values


def test_a_jump_in_a_metric_is_new():
    judged = liminal.MetricDetector().step_batch(series())
    assert judged["score"].shape == (3000,) and judged["score"].dtype == np.float32
    assert judged["score"][2500] >= 1 and judged["state"][2500] == 2
    assert (judged["score"][:2500] >= 1).mean() < .01


def test_points_one_by_one_are_the_batch():
    values = series()[:500]
    one = liminal.MetricDetector()
    scores = [one.step(value, float(i))["score"] for i, value in enumerate(values)]
    assert np.array_equal(liminal.MetricDetector().step_batch(values)["score"],
                          np.array(scores, np.float32))
    low, high = one.expected()
    assert low < 50 < high and one.points == 500 and 0 < one.trust <= 1
    other = liminal.MetricDetector()
    other.load(one.save())
    assert other.step(70, 500.0) == one.step(70, 500.0)
    with pytest.raises(ValueError, match="bytes"):
        other.load(b"x")
    with pytest.raises(ValueError, match="range"):
        liminal.MetricDetector(range=(1, 0))


def test_salience_is_that_of_the_api():
    events = [{"type": "system_event", "severity": "high", "frequency": 0.8},
              {"type": "user_interaction", "engagement": 0.6, "duration": 120, "colour": "red"}]
    told = liminal.Salience().rank(events)
    assert [round(score, 3) for score in told["scores"]] == [.537, .258]
    assert told["ranking"] == [0, 1] and told["ignored"] == ["colour"]
    scores = liminal.salience_scores({
        "severity": np.array([math.nan, math.nan]), "frequency": np.array([.8, math.nan]),
        "engagement": np.array([math.nan, .6]), "duration": np.array([math.nan, 120.])})
    assert scores[1] == pytest.approx(told["scores"][1])
    assert "severity" in liminal.Salience().rank([{}, {"severity": "awful"}])["ignored"][0]
    with pytest.raises(ValueError, match=r"features\[1\]\.frequency"):
        liminal.Salience().rank([{}, {"frequency": -1}])
    with pytest.raises(ValueError, match="colour"):
        liminal.salience_scores({"colour": np.zeros(1)})


def test_a_season_is_forecast():
    hours = np.arange(24 * 21)
    values = 100 + 50 * np.sin(hours * 2 * np.pi / 24)
    forecaster = liminal.Forecaster(horizon=24)
    forecaster.learn(values)
    told = forecaster.forecast(quantiles=[.1, .9])
    truth = 100 + 50 * np.sin((hours[-1] + 1 + np.arange(24)) * 2 * np.pi / 24)
    assert told["mean"].shape == (24,) and told["quantiles"].shape == (2, 24)
    assert np.abs(told["mean"] - truth).max() < 5
    assert (told["quantiles"][0] <= told["quantiles"][1]).all()
    other = liminal.Forecaster(horizon=24)
    other.load(forecaster.save())
    assert np.array_equal(other.forecast()["mean"], forecaster.forecast()["mean"])


def test_what_a_forecaster_cannot_do_is_named():
    forecaster = liminal.Forecaster(horizon=5)
    with pytest.raises(ValueError, match="values"):
        forecaster.forecast()
    forecaster.learn(np.arange(50.))
    for arguments, named in (({"horizon": 6}, "horizon"), ({"horizon": 0}, "horizon"),
                             ({"quantiles": [.5, 1.]}, r"quantiles\[1\]")):
        with pytest.raises(ValueError, match=named):
            forecaster.forecast(**arguments)
    with pytest.raises(ValueError, match="horizon"):
        liminal.Forecaster(horizon=0)
    with pytest.raises(ValueError, match="measure"):
        liminal.Forecaster(measure="x")


def test_a_planner_learns_what_an_instance_takes():
    minutes = np.arange(3000)
    rate = 300 + 200 * np.sin(minutes * 2 * np.pi / 1440)
    planner = liminal.ScalingPlanner(horizon_minutes=10)
    learnt = planner.observe_batch(1.8e9 + 60 * minutes, request_rate=rate, cpu_avg=rate / 1000,
                                   replicas=np.full(3000, 3.))
    assert learnt == 3000
    advice = planner.advise(1.8e9 + 60 * 3000)["predictions"]
    assert advice["action"] in ("maintain", "scale_up", "scale_down")
    assert advice["recommended_replicas"] >= 1 and advice["bottleneck"] == "cpu"
    assert planner.backtest()["planned"]
    fresh = liminal.ScalingPlanner()
    assert fresh.observe(1.8e9, request_rate=10) is True
    assert fresh.advise(1.8e9)["predictions"]["action"] == "monitor"
    with pytest.raises(ValueError, match="cpu_avg"):
        fresh.observe(1.8e9, cpu_avg=-1)
    with pytest.raises(ValueError, match="history"):
        fresh.backtest()
    with pytest.raises(ValueError, match="horizon_minutes"):
        liminal.ScalingPlanner(horizon_minutes=0)


def test_what_json_cannot_say_is_named_by_its_field():
    salience = liminal.Salience()
    for value in (math.nan, object(), {1, 2}):
        with pytest.raises(ValueError, match=r"features\[1\]\.frequency: "):
            salience.rank([{"severity": "high"}, {"frequency": value}])
    with pytest.raises(ValueError, match="features: "):
        salience.rank([math.inf])
