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


def test_columns_may_be_lists_and_of_pandas_and_arrow():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    values = [float(value) for value in range(30)] + [math.nan, 5.0]
    maybe = [None if math.isnan(value) else value for value in values]
    told = liminal.MetricDetector().step_batch(np.array(values))
    forecaster = liminal.Forecaster(horizon=3)
    forecaster.learn(np.array(values))
    for given in (values, maybe, tuple(values), pandas.Series(values), pandas.Series(maybe, dtype="Float64"),
                  pyarrow.array(maybe), pyarrow.chunked_array([maybe]), np.array(values)[::-1][::-1],
                  np.array(values, np.float32)):
        assert np.array_equal(liminal.MetricDetector().step_batch(given)["novelty"], told["novelty"])
        other = liminal.Forecaster(horizon=3)
        other.learn(given)
        assert other.save() == forecaster.save()
    for one in (5, 5.0, np.int64(5), np.float32(5)):
        forecaster.learn(one)
    assert forecaster.points == len(values) + 4
    assert liminal.GCRA(10, 5).allow_batch(pandas.Series([0.0] * 6), [1] * 6).tolist() == [True] * 5 + [False]
    columns = {"severity": [.5, None], "duration": [None, 3]}
    assert liminal.salience_scores(columns).tolist() == liminal.salience_scores(pandas.DataFrame(columns)).tolist()
    times = pandas.date_range("2027-01-01", periods=3, freq="min")
    planner = liminal.ScalingPlanner()
    assert planner.observe_batch(times, request_rate=[1, 2, None], replicas=pandas.Series([1, 1, 1])) == 3
    timed = liminal.MetricDetector(counter=True)
    seconds = 1798761600 + 60 * np.arange(3)
    assert np.array_equal(timed.step_batch([1, 2, 3], times)["novelty"],
                          liminal.MetricDetector(counter=True).step_batch([1, 2, 3], seconds)["novelty"])
    assert timed.step(4, times[2])["state"] == "learning"


@pytest.mark.parametrize("wrong", ["text", ["1", "2"], [[1.0], [2.0]], [[1], [1, 2]], None, object(), [object()]])
def test_what_is_no_column_is_named(wrong):
    for call, named in ((liminal.MetricDetector().step_batch, "values"), (liminal.Forecaster().learn, "values"),
                        (liminal.GCRA(1, 1).allow_batch, "now"), (liminal.ScalingPlanner().observe_batch, "timestamps"),
                        (lambda values: liminal.salience_scores({"severity": values}), "severity"),
                        (lambda values: liminal.MetricDetector().step(values, 1.0), "value"),
                        (lambda values: liminal.GCRA(values, 1), "per_second"),
                        (lambda values: liminal.GCRA(1, values), "burst")):
        with pytest.raises(ValueError, match=f"^{named}: must be "):
            call(wrong)


@pytest.mark.parametrize("counter", [False, True])
def test_a_series_in_parts_is_the_series(counter):
    values = np.cumsum(np.abs(series())) if counter else series()
    whole = liminal.MetricDetector(counter=counter).step_batch(values)
    one, parts = liminal.MetricDetector(counter=counter), []
    for begin in range(0, len(values), 100):
        parts.append(one.step_batch(values[begin:begin + 100]))
        again = liminal.MetricDetector(counter=counter)
        again.load(one.save())
        one = again
    for name, judged in whole.items():
        assert np.array_equal(np.concatenate([part[name] for part in parts]), judged), name


@pytest.mark.parametrize("field, value, named", [
    ("severity", 5, "must be 0 to 1"), ("severity", -1, "must be 0 to 1"), ("cpu_usage", 85, "must be 0 to 1"),
    ("frequency", math.inf, "must be 0 to 1"), ("duration", -1, "must be 0 to 1e12 seconds"),
    ("response_time", 1e13, "must be 0 to 1e12 seconds"),
])
def test_a_salience_beyond_its_field_is_named(field, value, named):
    with pytest.raises(ValueError, match=rf"^{field}\[2\]: {named}"):
        liminal.salience_scores({field: np.array([.5, math.nan, value])})
    assert np.isfinite(liminal.salience_scores({field: np.array([0., 1., math.nan])})).all()
