#include "app/models_view.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "app/api_client.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

json job() {
  return json::parse(R"({"job_id":"3","model_name":"anomaly_detection","state":"succeeded",
    "created":"2026-03-01T12:00:03.000Z","progress":1,"problem":null,
    "leaderboard":[{"recipe":"boosted \u001btrees","score":0.9134567,"fits":5,"cost_s":0.25,"us_a_row":1.234}],
    "result":{"version":2,"alias":"champion","reasons":["better: AUC 0.91 to 0.84"],"report":"/r"}})");
}

TEST(ModelsView, SaysWhatCameOfAJobAndWhy) {
  EXPECT_EQ(render_job(job()),
            "job 3: version 2 of anomaly_detection is champion\n"
            "  better: AUC 0.91 to 0.84\n"
            "       score   fits   seconds  µs a row  recipe\n"
            "     0.91346      5      0.25      1.23  boosted ?trees\n");
  json failed = job();
  failed["state"] = "failed";
  failed["result"] = nullptr;
  failed["problem"] = "interrupted: the server ended";
  failed["leaderboard"] = json::array();
  EXPECT_EQ(render_job(failed), "job 3: anomaly_detection failed: interrupted: the server ended\n");
  json runs = failed;
  runs["state"] = "running";
  runs["progress"] = .42;
  EXPECT_EQ(render_jobs({{"jobs", {job(), runs}}}),
            "   3  2026-03-01T12:00:03.000Z  version 2 of anomaly_detection is champion\n"
            "   3  2026-03-01T12:00:03.000Z  anomaly_detection runs: 42 %\n");
}

TEST(ModelsView, ShowsAnExperimentWithoutWhatIsNotKnown) {
  json experiment = json::parse(R"({"mode":"shadow","model_name":"m","champion":1,"challenger":2,
    "state":"running","judged":{"champion":12,"challenger":12},"difference":0.0123,
    "interval":{"low":-0.1,"high":0.2},"scored":100,"agreement":0.98,
    "latency_us":{"champion":0.5,"challenger":null},
    "decisions":[{"time":"T","state":"harm","difference":-0.5,"rows":90,"text":"a guard broke"}]})");
  EXPECT_EQ(render_experiment(experiment),
            "shadow of m, 1 against 2: running\n"
            "judged: 12 and 12, difference 0.0123 (-0.1 to 0.2)\n"
            "scored: 100, agreement 0.980\n"
            "T  harm  difference -0.5, 90 rows: a guard broke\n");
  experiment["difference"] = experiment["interval"] = experiment["agreement"] = nullptr;
  experiment["latency_us"]["challenger"] = .75;
  experiment["decisions"] = json::array();
  EXPECT_EQ(render_experiment(experiment),
            "shadow of m, 1 against 2: running\n"
            "judged: 12 and 12, difference not known yet\n"
            "microseconds a row: 0.50 and 0.75\n");
}

TEST(ModelsView, StandsAnswersOfAnyShape) {
  for (const char* odd :
       {"null", "7", "[]", "{}", R"({"jobs":[7],"leaderboard":[1],"result":{}})"}) {
    EXPECT_FALSE(render_job(json::parse(odd)).empty());
    EXPECT_FALSE(render_experiment(json::parse(odd)).empty());
    EXPECT_NO_THROW((void)render_jobs(json::parse(odd)));
  }
}

TEST(ApiClient, TellsAProblemInWords) {
  EXPECT_EQ(words_of_problem({409, R"({"status":409,"detail":"too few rows","rows_missing":3})"}),
            "too few rows");
  EXPECT_EQ(words_of_problem({422,
                              R"({"detail":"2 fields are wrong","errors":[
                                {"path":"a","detail":"is b"},{"path":"c","detail":"is d"}]})"}),
            "2 fields are wrong; a is b; c is d");
  EXPECT_EQ(words_of_problem({409,
                              R"({"detail":"no","differences":[
                                {"feature":"size","difference":"is missing"}]})"}),
            "no\n  size                      is missing");
  EXPECT_EQ(words_of_problem({502, "<html>"}), "the server answers 502");
}

TEST(ApiClient, KeepsAWordInsideItsPartOfAPath) {
  EXPECT_EQ(path_segment("a_b-9"), "a_b-9");
  EXPECT_EQ(path_segment("../x y\r\n"), "%2E%2E%2Fx%20y%0D%0A");
}

}  // namespace
}  // namespace liminal::app
