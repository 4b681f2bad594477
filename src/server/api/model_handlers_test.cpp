#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "server/api/fake_models.hpp"
#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using nlohmann::json;
using testing::answer_of;
using ::testing::HasSubstr;
using testing::request;

class ModelHandlers : public ::testing::Test {
 protected:
  ModelHandlers() { service.attach(port); }

  http::Response ask(std::string_view method,
                     std::string_view target,
                     std::string_view body = {},
                     const std::string& accept = {}) {
    http::Request asked = request(method, target, body);
    if (!accept.empty()) asked.headers.push_back({"Accept", accept});
    return answer_of(service, std::move(asked));
  }
  static std::vector<std::string> wrong_paths(const http::Response& response) {
    std::vector<std::string> paths;
    const json problem = json::parse(response.body);
    for (const auto& error : problem.value("errors", json::array())) paths.push_back(error["path"]);
    return paths;
  }

  static constexpr const char* kRow =
      R"({"messages_per_minute":2,"avg_message_size":100,"error_rate":0,"rate_limit_violations":0})";

  FakeBackend backend;
  FakeModels port;
  Service service{{}, backend};
};

TEST_F(ModelHandlers, SaysWhatPassesByIsComparedWith) {
  const auto answer = ask("GET", "/ml/learning");
  ASSERT_EQ(answer.status, 200U);
  const json models = json::parse(answer.body)["models"];
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0]["state"], "waiting");
  EXPECT_EQ(models[0]["last"]["trigger"], "drift");
  EXPECT_EQ(models[0]["next_run"], "2027-01-16T08:00:00.000Z");
  const json drift = models[0]["drift"];
  EXPECT_GT(drift["score"], 1);
  ASSERT_EQ(drift["features"].size(), 4U);
  const json& bins = drift["features"][0]["bins"];
  double expected = 0, observed = 0;
  for (const json& bin : bins) {
    expected += bin["expected"].get<double>();
    observed += bin["observed"].get<double>();
  }
  EXPECT_NEAR(expected, 1, 1e-9);
  EXPECT_NEAR(observed, 1, 1e-9);
  EXPECT_TRUE(bins[0]["missing"]);
  EXPECT_EQ(bins[1]["high"], bins[2]["low"]);
  EXPECT_EQ(models[1]["state"], "by_people");
  EXPECT_EQ(models[1]["drift"], nullptr);
}

TEST_F(ModelHandlers, ListsModelsWithTheirVersions) {
  const auto answer = ask("GET", "/ml/models");
  ASSERT_EQ(answer.status, 200U);
  const json models = json::parse(answer.body)["models"];
  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(models[0]["champion"], 2);
  EXPECT_EQ(models[0]["versions"][0]["status"], "champion");
  EXPECT_EQ(models[0]["versions"][1]["status"], "challenger");
  EXPECT_EQ(models[1]["champion"], nullptr);
  EXPECT_EQ(ask("GET", "/ml/models/anomaly_detection").status, 200U);
  EXPECT_EQ(ask("GET", "/ml/models/nobody").status, 404U);
  EXPECT_EQ(json::parse(ask("GET", "/ml/models/anomaly_detection/history").body)["count"], 1);
  EXPECT_EQ(ask("GET", "/ml/models/anomaly_detection/versions/2/report").status, 200U);
  EXPECT_EQ(ask("GET", "/ml/models/anomaly_detection/versions/9/report").status, 404U);
  const auto file = ask("GET", "/ml/models/anomaly_detection/versions/2/file");
  EXPECT_EQ(file.status, 200U);
  EXPECT_EQ(file.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(file.body, *port.file("anomaly_detection", 2, false));
  for (const char* number : {"9", "x", "4294967298"})
    EXPECT_EQ(
        ask("GET", "/ml/models/anomaly_detection/versions/" + std::string(number) + "/file").status,
        404U);
}

TEST_F(ModelHandlers, PredictsOneRowOrMany) {
  const std::string row = kRow;
  const json one = json::parse(ask("POST",
                                   "/ml/models/predict",
                                   R"({"model_name":"anomaly_detection","features":)" + row + "}")
                                   .body);
  EXPECT_NEAR(one["prediction"], 1 / (1 + std::exp(-2.)), 1e-6);
  EXPECT_EQ(one["positive"], true);
  EXPECT_EQ(one["version"], 2);
  const json many = json::parse(
      ask("POST",
          "/ml/models/predict",
          R"({"model_name":"anomaly_detection","version":1,"features":[)" + row + "," + row + "]}")
          .body);
  ASSERT_EQ(many["predictions"].size(), 2U);
  EXPECT_LT(many["predictions"][0]["prediction"], .5);
  EXPECT_EQ(many["version"], 1);
  EXPECT_EQ(port.asked, 3U);
}

TEST_F(ModelHandlers, ExplainsByContributionsThatSumToTheMargin) {
  const json answer =
      json::parse(ask("POST",
                      "/ml/models/predict",
                      R"({"model_name":"anomaly_detection","explain":true,"features":)" +
                          std::string(kRow) + "}")
                      .body);
  const json& why = answer["explanation"];
  double sum = why["expectation"];
  for (const auto& [feature, value] : why["contributions"].items()) sum += value.get<double>();
  EXPECT_NEAR(sum, why["margin"], 1e-9);
  EXPECT_EQ(why["exactness"], "exact");
}

TEST_F(ModelHandlers, GivesReportsAsJsonOrAsAPage) {
  const std::string version = "/ml/models/anomaly_detection/versions/2/report";
  const auto type = [&](const std::string& path, const std::string& accept) {
    return std::string(ask("GET", path, "", accept).header("Content-Type").value_or(""));
  };
  EXPECT_EQ(type(version, ""), "application/json");
  EXPECT_EQ(type(version, "*/*"), "application/json");
  EXPECT_EQ(type(version, "application/json, text/html"), "application/json");
  EXPECT_EQ(type(version, "text/html,application/xhtml+xml,*/*;q=0.8"), "text/html; charset=utf-8");
  EXPECT_EQ(type(version + ".html", ""), "text/html; charset=utf-8");
  ASSERT_EQ(
      ask("POST", "/ml/models/train", R"({"model_name":"anomaly_detection","data_source":"store"})")
          .status,
      202U);
  EXPECT_EQ(ask("GET", "/ml/jobs/1/report").status, 409U);
  port.all_jobs[0].version = 2;
  EXPECT_EQ(ask("GET", "/ml/jobs/1/report").body, ask("GET", version).body);
  EXPECT_EQ(json::parse(ask("GET", "/ml/jobs/1").body)["result"]["report"], version);
  EXPECT_EQ(type("/ml/jobs/1/report.html", ""), "text/html; charset=utf-8");
  EXPECT_EQ(ask("GET", "/ml/jobs/9/report").status, 404U);
}

TEST_F(ModelHandlers, TakesAFileAsTheNextVersion) {
  const std::string versions = "/ml/models/anomaly_detection/versions";
  const auto brought =
      ask("POST", versions + "?file=net.onnx&output=y&column=1&line=.9", "a model");
  EXPECT_EQ(brought.status, 201U);
  EXPECT_EQ(json::parse(brought.body)["status"], "challenger");
  EXPECT_EQ(port.brought.file, "net.onnx");
  EXPECT_EQ(port.brought.output, "y");
  EXPECT_EQ(port.brought.column, 1U);
  EXPECT_EQ(port.brought.line, .9F);
  EXPECT_EQ(ask("POST", versions, "a model").status, 201U);
  EXPECT_EQ(port.brought.column, std::nullopt);
  EXPECT_EQ(port.brought.line, std::nullopt);
  EXPECT_EQ(ask("POST", versions, "no model").status, 422U);
  EXPECT_EQ(ask("POST", versions + "?column=-1", "a model").status, 422U);
  EXPECT_EQ(ask("POST", "/ml/models/nobody/versions", "a model").status, 404U);
}

TEST_F(ModelHandlers, AsksForeignModelsInBothProtocols) {
  port.foreign = [](std::span<const float> rows, std::span<models::Prediction> out) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i].score = static_cast<double>(rows[4 * i]) / 10;
    return true;
  };
  const std::string wish = R"({"model_name":"anomaly_detection","explain":true,"features":)";
  const json one =
      json::parse(ask("POST", "/ml/models/predict", wish + std::string(kRow) + "}").body);
  EXPECT_NEAR(one["prediction"], .2, 1e-9);
  EXPECT_EQ(one["explanation"]["exactness"], "sampled");
  EXPECT_NEAR(one["explanation"]["contributions"]["messages_per_minute"], .2, 1e-9);
  const std::string tensor =
      R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,4],"data":[VALUE,0,0,0]}]})";
  const auto infer = [&](const std::string& value) {
    std::string body = tensor;
    return ask(
        "POST", "/v2/models/anomaly_detection/infer", body.replace(body.find("VALUE"), 5, value));
  };
  EXPECT_NEAR(json::parse(infer("3").body)["outputs"][0]["data"][0], .3, 1e-6);
  EXPECT_EQ(infer("300").status, 422U) << "no probability";
  EXPECT_EQ(infer("null").status, 422U);
  port.foreign = [](std::span<const float>, std::span<models::Prediction>) { return false; };
  EXPECT_EQ(infer("3").status, 503U);
  EXPECT_EQ(ask("POST", "/ml/models/predict", wish + std::string(kRow) + "}").status, 503U);
}

TEST_F(ModelHandlers, PredictsInBatchesByWhatIsKeptForThem) {
  const std::string wish = std::string(R"({"model_name":"anomaly_detection","features":)") + kRow;
  const json plain = json::parse(ask("POST", "/ml/models/predict", wish + "}").body);
  EXPECT_FALSE(plain.contains("for_batches"));
  EXPECT_EQ(port.asked, 1U);
  const json batch =
      json::parse(ask("POST", "/ml/models/predict", wish + R"(,"batch":true})").body);
  EXPECT_EQ(batch["for_batches"], true);
  EXPECT_EQ(port.asked, 1U) << "experiments are of what answers";
  const json other =
      json::parse(ask("POST", "/ml/models/predict", wish + R"(,"batch":true,"version":1})").body);
  EXPECT_EQ(other["for_batches"], false) << "nothing is kept beside it";
  EXPECT_EQ(port.asked, 2U);
  const json versions = json::parse(ask("GET", "/ml/models/anomaly_detection").body)["versions"];
  EXPECT_EQ(versions[0]["for_batches"]["us_a_row"], 60);
  EXPECT_EQ(versions[1]["for_batches"], nullptr);
  EXPECT_EQ(ask("GET", "/ml/models/anomaly_detection/versions/2/file?batch=true").status, 200U);
  EXPECT_EQ(ask("GET", "/ml/models/anomaly_detection/versions/1/file?batch=true").status, 404U);
}

TEST_F(ModelHandlers, LooksForWhatIsForBatchesWhereADiskMayBeWaitedFor) {
  const std::string wish = std::string(R"({"model_name":"anomaly_detection","features":)") + kRow;
  EXPECT_EQ(ask("POST", "/ml/models/predict", wish + "}").status, 200U);
  EXPECT_EQ(port.runs, 0U) << "what is at hand answers at once";
  for (const char* word : {"batch", R"(b\u0061tch)"}) {
    const auto answer =
        ask("POST", "/ml/models/predict", wish + ",\"" + std::string(word) + "\":true}");
    EXPECT_EQ(json::parse(answer.body)["for_batches"], true) << word;
    EXPECT_TRUE(std::exchange(port.sought_elsewhere, false)) << word;
  }
  const std::size_t before = port.runs;
  EXPECT_EQ(ask("POST", "/ml/models/predict", wish + R"(,"expl\u0061in":true})").status, 200U);
  EXPECT_GT(port.runs, before);
}

TEST_F(ModelHandlers, NamesMissingAndUnknownFeatures) {
  const auto answer =
      ask("POST",
          "/ml/models/predict",
          R"({"model_name":"anomaly_detection","features":{"messages_per_minute":"x","size":1}})");
  EXPECT_EQ(answer.status, 422U);
  EXPECT_THAT(wrong_paths(answer),
              ::testing::UnorderedElementsAre("features.messages_per_minute",
                                              "features.size",
                                              "features.avg_message_size",
                                              "features.error_rate",
                                              "features.rate_limit_violations"));
  EXPECT_EQ(ask("POST",
                "/ml/models/predict",
                R"({"model_name":"user_behavior","features":{"channels_count":1}})")
                .status,
            404U);
  EXPECT_EQ(ask("POST", "/ml/models/predict", R"({"model_name":"x"})").status, 422U);
  EXPECT_EQ(ask("POST", "/ml/models/predict", R"({"model_name":"x","features":7})").status, 422U);
  EXPECT_EQ(ask("POST", "/ml/models/predict", "{").status, 400U);
}

TEST_F(ModelHandlers, TrainsByAJobThatCanBeWatchedAndCancelled) {
  const auto answer = ask(
      "POST", "/ml/models/train", R"({"model_name":"anomaly_detection","data_source":"store"})");
  ASSERT_EQ(answer.status, 202U);
  EXPECT_EQ(json::parse(answer.body)["job_id"], "1");
  EXPECT_EQ(answer.header("Location"), "/ml/jobs/1");
  const json job = json::parse(ask("GET", "/ml/jobs/1").body);
  EXPECT_EQ(job["state"], "running");
  EXPECT_EQ(job["progress"], .5);
  EXPECT_EQ(job["leaderboard"][0]["recipe"], "boosted trees");
  EXPECT_EQ(job["injected_abuse"], false);
  EXPECT_EQ(job["leave_out_incidents"], false);
  EXPECT_EQ(json::parse(ask("DELETE", "/ml/jobs/1").body)["state"], "cancelled");
  EXPECT_EQ(ask("DELETE", "/ml/jobs/1").status, 409U);
  EXPECT_EQ(ask("GET", "/ml/jobs/9").status, 404U);
  EXPECT_EQ(ask("GET", "/ml/jobs/x").status, 404U);
  EXPECT_EQ(json::parse(ask("GET", "/ml/jobs").body)["count"], 1);
}

TEST_F(ModelHandlers, AJobTellsWhatItLearnsFromBesideWhatIsStored) {
  const auto answer = ask("POST",
                          "/ml/models/train",
                          R"({"model_name":"anomaly_detection","data_source":"store",)"
                          R"("injected_abuse":true,"leave_out_incidents":true,)"
                          R"("distributed":true,"workers":3})");
  ASSERT_EQ(answer.status, 202U);
  const json job = json::parse(ask("GET", "/ml/jobs/1").body);
  EXPECT_EQ(job["injected_abuse"], true);
  EXPECT_EQ(job["leave_out_incidents"], true);
  EXPECT_EQ(job["distributed"], true);
  EXPECT_EQ(job["workers"], 3);
  EXPECT_THAT(
      wrong_paths(ask(
          "POST", "/ml/models/train", R"({"model_name":"x","data_source":"store","workers":3})")),
      ::testing::ElementsAre("workers"));
}

TEST_F(ModelHandlers, TrainsTheFirstModelsWithOneCallAndTellsOfEach) {
  port.refused = "load_prediction";
  const auto answer =
      ask("POST", "/ml/models/train", R"({"model_name":"all","data_source":"store","seed":7})");
  ASSERT_EQ(answer.status, 202U);
  EXPECT_EQ(json::parse(answer.body)["jobs"], json::parse(R"([
    {"model_name":"anomaly_detection","job_id":"1","problem":null,"rows_missing":0},
    {"model_name":"load_prediction","job_id":null,"problem":"too few rows","rows_missing":5},
    {"model_name":"user_behavior","job_id":"2","problem":null,"rows_missing":0}])"));
  EXPECT_EQ(port.all_jobs[1].request.seed, 7U);
  port.rows_missing = 12;
  const auto none =
      ask("POST", "/ml/models/train", R"({"model_name":"all","data_source":"store"})");
  EXPECT_EQ(none.status, 409U);
  EXPECT_EQ(json::parse(none.body)["rows_missing"], 12);
  EXPECT_THAT(none.body,
              ::testing::HasSubstr("load_prediction: too few rows; user_behavior: too few"));
  const auto file = ask(
      "POST", "/ml/models/train", R"({"model_name":"all","data_source":"file","file":"x.csv"})");
  EXPECT_THAT(wrong_paths(file), ::testing::ElementsAre("data_source"));
}

TEST_F(ModelHandlers, SaysHowManyRowsAreMissing) {
  port.rows_missing = 12;
  const auto few = ask(
      "POST", "/ml/models/train", R"({"model_name":"anomaly_detection","data_source":"store"})");
  EXPECT_EQ(few.status, 409U);
  EXPECT_EQ(json::parse(few.body)["rows_missing"], 12);
  const auto unknown =
      ask("POST", "/ml/models/train", R"({"model_name":"nobody","data_source":"store"})");
  EXPECT_EQ(unknown.status, 422U);
  EXPECT_THAT(wrong_paths(unknown), ::testing::ElementsAre("model_name"));
  for (const char* wrong :
       {R"({"model_name":"anomaly_detection","data_source":"cloud"})",
        R"({"model_name":"anomaly_detection","data_source":"file"})",
        R"({"model_name":"anomaly_detection","data_source":"store","file":"x"})",
        R"({"model_name":"anomaly_detection","data_source":"store","more":1})"})
    EXPECT_EQ(ask("POST", "/ml/models/train", wrong).status, 422U) << wrong;
}

TEST_F(ModelHandlers, ListsHowTheFeaturesOfAVersionDiffer) {
  const auto answer = ask("POST", "/ml/models/anomaly_detection/load", R"({"version":9})");
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(json::parse(answer.body)["differences"],
            json::parse(R"([{"feature":"size","difference":"is missing"}])"));
}

TEST_F(ModelHandlers, LoadsAVersion) {
  const json loaded =
      json::parse(ask("POST", "/ml/models/anomaly_detection/load", R"({"version":1})").body);
  EXPECT_EQ(loaded["version"], 1);
  EXPECT_EQ(port.states[0].champion, 1U);
  EXPECT_EQ(ask("POST", "/ml/models/anomaly_detection/load").status, 200U);
  EXPECT_EQ(ask("POST", "/ml/models/anomaly_detection/load", R"({"version":7})").status, 404U);
  EXPECT_EQ(ask("POST", "/ml/models/nobody/load", "{}").status, 404U);
}

TEST_F(ModelHandlers, SpeaksTheOpenInferenceProtocol) {
  EXPECT_EQ(json::parse(ask("GET", "/v2").body)["name"], "liminal");
  EXPECT_EQ(ask("GET", "/v2/health/live").status, 200U);
  const json model = json::parse(ask("GET", "/v2/models/anomaly_detection").body);
  EXPECT_EQ(model["inputs"][0]["shape"], (json{-1, 4}));
  EXPECT_EQ(model["versions"], (json{"2", "1"}));
  EXPECT_EQ(ask("GET", "/v2/models/anomaly_detection/versions/1/ready").status, 200U);
  EXPECT_EQ(ask("GET", "/v2/models/anomaly_detection/versions/9/ready").status, 404U);
  EXPECT_EQ(ask("GET", "/v2/models/user_behavior/ready").status, 404U);
  const std::string infer = "/v2/models/anomaly_detection/infer";
  const json answer = json::parse(
      ask("POST",
          infer,
          R"({"id":"7","inputs":[{"name":"input","datatype":"FP32","shape":[2,4],"data":[2,1,0,0,-2,1,0,0]}]})")
          .body);
  EXPECT_EQ(answer["id"], "7");
  EXPECT_EQ(answer["model_version"], "2");
  EXPECT_EQ(answer["outputs"][0]["shape"], json{2});
  EXPECT_GT(answer["outputs"][0]["data"][0], .8);
  EXPECT_EQ(answer["outputs"][1]["data"], (json{true, false}));
}

TEST_F(ModelHandlers, TakesATensorForEachFeature) {
  std::string inputs;
  for (const char* feature :
       {"rate_limit_violations", "error_rate", "avg_message_size", "messages_per_minute"})
    inputs += (inputs.empty() ? "" : ",") + std::string(R"({"name":")") + feature +
              R"(","datatype":"FP64","shape":[1],"data":[2]})";
  const auto answer = ask("POST",
                          "/v2/models/anomaly_detection/versions/1/infer",
                          R"({"inputs":[)" + inputs + R"(],"outputs":[{"name":"score"}]})");
  ASSERT_EQ(answer.status, 200U) << answer.body;
  const json said = json::parse(answer.body);
  ASSERT_EQ(said["outputs"].size(), 1U);
  EXPECT_LT(said["outputs"][0]["data"][0], .2);
}

TEST_F(ModelHandlers, NamesWhatIsWrongWithTensors) {
  const std::string infer = "/v2/models/anomaly_detection/infer";
  for (const auto& [body, path] :
       {std::pair{R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]})",
                  "inputs[0].shape"},
        std::pair{
            R"({"inputs":[{"name":"input","datatype":"BYTES","shape":[1,4],"data":[1,2,3,4]}]})",
            "inputs[0].datatype"},
        std::pair{
            R"({"inputs":[{"name":"input","datatype":"INT8","shape":[1,4],"data":[1,2,3,300]}]})",
            "inputs[0].data"},
        std::pair{
            R"({"inputs":[{"name":"input","datatype":"UINT64","shape":[1,4],"data":[1,2,3,-1]}]})",
            "inputs[0].data"},
        std::pair{
            R"({"inputs":[{"name":"input","datatype":"FP32","shape":[2,4],"data":[1,2,3,4]}]})",
            "inputs[0].data"},
        std::pair{R"({"inputs":[{"name":"size","datatype":"FP32","shape":[1],"data":[1]}]})",
                  "inputs[0].name"},
        std::pair{R"({"inputs":[7]})", "inputs[0]"},
        std::pair{R"({})", "inputs"}}) {
    const auto answer = ask("POST", infer, body);
    EXPECT_EQ(answer.status, 422U) << body;
    EXPECT_THAT(wrong_paths(answer), ::testing::Contains(path)) << answer.body;
  }
}

TEST_F(ModelHandlers, ListsLoadsAndUnloadsTheRepository) {
  EXPECT_EQ(json::parse(ask("POST", "/v2/repository/index").body).size(), 2U);
  EXPECT_EQ(json::parse(ask("POST", "/v2/repository/index", R"({"ready":true})").body).size(), 1U);
  const std::string model = "/v2/repository/models/anomaly_detection";
  EXPECT_EQ(ask("POST", model + "/load", R"({"parameters":{"version":1}})").status, 200U);
  EXPECT_EQ(port.states[0].champion, 1U);
  EXPECT_EQ(ask("POST", model + "/unload").status, 200U);
  EXPECT_EQ(port.states[0].champion, std::nullopt);
  EXPECT_EQ(ask("POST", model + "/unload").status, 404U);
}

TEST_F(ModelHandlers, ComparesVersionsInExperiments) {
  const auto begun = ask("POST",
                         "/ml/experiments",
                         R"({"model_name":"anomaly_detection","mode":"split","share":0.1,)"
                         R"("guards":[{"name":"alarm_ratio","tolerance":0.02}]})");
  ASSERT_EQ(begun.status, 201U) << begun.body;
  EXPECT_EQ(begun.header("Location"), "/ml/experiments/1");
  const json view = json::parse(ask("GET", "/ml/experiments/1").body);
  EXPECT_EQ(view["sample_ratio"]["wanted"], .1);
  EXPECT_EQ(view["guards"].size(), 1U);
  EXPECT_EQ(view["interval"]["low"], -.1);
  EXPECT_EQ(ask("POST", "/ml/experiments", R"({"model_name":"anomaly_detection","mode":"shadow"})")
                .status,
            409U);
  EXPECT_EQ(json::parse(ask("DELETE", "/ml/experiments/1").body)["state"], "stopped");
  EXPECT_EQ(ask("DELETE", "/ml/experiments/1").status, 409U);
  EXPECT_EQ(json::parse(ask("GET", "/ml/experiments").body)["count"], 1);
  EXPECT_EQ(ask("GET", "/ml/experiments/x").status, 404U);
  for (
      const char* wrong :
      {R"({"model_name":"anomaly_detection","mode":"guess"})",
       R"({"model_name":"nobody","mode":"shadow"})",
       R"({"model_name":"anomaly_detection","mode":"split","share":2})",
       R"({"model_name":"anomaly_detection","mode":"split","guards":[{"name":"x","tolerance":1}]})"})
    EXPECT_EQ(ask("POST", "/ml/experiments", wrong).status, 422U) << wrong;
}

TEST_F(ModelHandlers, AnExperimentsEffectIsOfTheUnitOrAPartOrTheUsual) {
  const auto begun = [&](const std::string& more) {
    port.all_experiments.clear();
    return json::parse(ask("POST",
                           "/ml/experiments",
                           R"({"model_name":"anomaly_detection","mode":"shadow")" + more + "}")
                           .body);
  };
  EXPECT_EQ(begun(R"(,"effect":0.2,"effect_ratio":0.1)")["effect"], .2);
  EXPECT_TRUE(begun(R"(,"effect":0.2)")["effect_ratio"].is_null());
  EXPECT_EQ(begun(R"(,"effect_ratio":0.1)")["effect_ratio"], .1);
  EXPECT_TRUE(begun("")["effect"].is_null()) << "whoever begins it knows the usual one";
}

TEST_F(ModelHandlers, NamesWhatCouldNotBeLoaded) {
  port.states[0].challenger_trouble = "the file of version 1 cannot be read";
  const json models = json::parse(ask("GET", "/ml/models").body)["models"];
  EXPECT_EQ(models[0]["not_loaded"],
            (json{{"challenger", "the file of version 1 cannot be read"}}));
  EXPECT_EQ(models[1]["not_loaded"], json::object());
}

TEST_F(ModelHandlers, WithoutAKeeperItIsNotThere) {
  Service bare({}, backend);
  EXPECT_EQ(answer_of(bare, request("GET", "/ml/models")).status, 503U);
}

}  // namespace
}  // namespace liminal::api
