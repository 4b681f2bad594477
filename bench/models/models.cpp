// Speed of the core's evaluators beside ONNX Runtime's and XGBoost's: README.md has the method.
#include <fmt/format.h>
#include <time.h>
#include <xgboost/c_api.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/models/evaluator.hpp"
#include "core/models/explain.hpp"
#include "core/models/test_models.hpp"
#include "io/onnx/write.hpp"
#include "io/onnxruntime/session.hpp"
#include "io/xgboost/trainer.hpp"

namespace {

using namespace liminal;

constexpr std::size_t kFeatures = 20;
constexpr std::size_t kRows = 1024;
constexpr int kRounds = 15;

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "bench_models: {}\n", why);
  std::exit(1);
}

void check(int result) {
  if (result != 0) fail(XGBGetLastError());
}

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

/// Made-up rows; one value in twenty is missing.
std::vector<float> make_rows(Random& random, std::size_t count) {
  std::vector<float> rows(count * kFeatures);
  for (float& value : rows) {
    value = random.chance(.05) ? std::numeric_limits<float>::quiet_NaN()
                               : static_cast<float>(random.normal());
  }
  return rows;
}

/// Depends on half of the features, by pairs, with noise.
std::vector<float> make_labels(Random& random, const std::vector<float>& rows) {
  std::vector<float> labels;
  for (std::size_t i = 0; i < rows.size(); i += kFeatures) {
    double sum = random.normal();
    for (std::size_t j = 0; j < kFeatures / 2; j += 2) {
      const float product = rows[i + j] * rows[i + j + 1];
      if (!std::isnan(product)) sum += static_cast<double>(product);
    }
    labels.push_back(static_cast<float>(sum));
  }
  return labels;
}

/// XGBoost with its own library.
class Peer {
 public:
  Peer(int trees, int depth) {
    Random random(1);
    constexpr std::size_t kTraining = 20'000;
    const std::vector<float> rows = make_rows(random, kTraining);
    const std::vector<float> labels = make_labels(random, rows);
    check(XGDMatrixCreateFromMat(
        rows.data(), kTraining, kFeatures, std::numeric_limits<float>::quiet_NaN(), &matrix_));
    check(XGDMatrixSetFloatInfo(matrix_, "label", labels.data(), labels.size()));
    check(XGBoosterCreate(&matrix_, 1, &booster_));
    for (const auto& [key, value] :
         std::vector<std::pair<std::string, std::string>>{{"objective", "reg:squarederror"},
                                                          {"tree_method", "hist"},
                                                          {"max_depth", std::to_string(depth)},
                                                          {"eta", "0.1"},
                                                          {"nthread", "1"}})
      check(XGBoosterSetParam(booster_, key.c_str(), value.c_str()));
    for (int i = 0; i < trees; ++i) check(XGBoosterUpdateOneIter(booster_, i, matrix_));
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    XGBoosterFree(booster_);
    XGDMatrixFree(matrix_);
  }

  /// In place, without a matrix of its own: its fastest way.
  double predict(const float* rows, std::size_t count, float* out) const {
    const std::string values =
        fmt::format(R"({{"data":[{},true],"shape":[{},{}],"typestr":"<f4","version":3}})",
                    reinterpret_cast<std::uintptr_t>(rows),
                    count,
                    kFeatures);
    const bst_ulong* shape = nullptr;
    bst_ulong axes = 0;
    const float* result = nullptr;
    check(XGBoosterPredictFromDense(
        booster_,
        values.c_str(),
        R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"missing":NaN,)"
        R"("strict_shape":false,"cache_id":0})",
        nullptr,
        &shape,
        &axes,
        &result));
    if (out != nullptr) std::copy(result, result + count, out);
    return static_cast<double>(*result);
  }

  /// The same trees as a model of ours.
  [[nodiscard]] models::Trees trees() const {
    bst_ulong length = 0;
    const char* bytes = nullptr;
    check(XGBoosterSaveModelToBuffer(booster_, R"({"format":"ubj"})", &length, &bytes));
    auto made = xgboost::read_trees({bytes, static_cast<std::size_t>(length)}, 0);
    if (!made) fail("XGBoost's model cannot be read");
    return *std::move(made);
  }

 private:
  DMatrixHandle matrix_ = nullptr;
  BoosterHandle booster_ = nullptr;
};

/// One way to compute the rows: all at once, or the i-th alone.
struct Way {
  std::string name;
  std::function<void()> batch;
  std::function<void(std::size_t)> single;
};

struct Times {
  std::vector<double> batch_us;
  std::vector<double> single_us;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

/// The ways take turns, so that what disturbs the machine disturbs all.
std::vector<Times> measure(const std::vector<Way>& ways) {
  std::vector<Times> times(ways.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      ways[i].batch();
      const double start = cpu_us();
      constexpr int kBatches = 10;
      for (int n = 0; n < kBatches; ++n) ways[i].batch();
      const double middle = cpu_us();
      for (std::size_t row = 0; row < kRows; ++row) ways[i].single(row);
      const double end = cpu_us();
      times[i].batch_us.push_back((middle - start) / kBatches);
      times[i].single_us.push_back((end - middle) / kRows);
    }
  }
  return times;
}

struct Bench {
  std::shared_ptr<const onnxruntime::Library> library;
  std::vector<float> rows;

  void run(const std::string& what, const models::Model& model, const Peer* peer) const;
  void explain(const std::string& what, const models::Model& model) const;
};

void Bench::run(const std::string& what, const models::Model& model, const Peer* peer) const {
  const auto machine = models::Evaluator::create(model);
  if (!machine) fail(what + ": " + machine.error().front().key);
  const auto session = onnxruntime::Session::create(library, *onnx::write(model));
  if (!session) fail(session.error().text);
  const auto row = [&](std::size_t i) { return std::span(rows).subspan(i * kFeatures, kFeatures); };

  std::vector<models::Prediction> ours(kRows);
  std::vector<Way> ways{{"Liminal",
                         [&] { machine->predict_batch(rows, ours); },
                         [&](std::size_t i) { ours[i] = machine->predict(row(i)); }},
                        {"ONNX Runtime " + library->version(),
                         [&] { static_cast<void>(session->run(rows, kRows)); },
                         [&](std::size_t i) { static_cast<void>(session->run(row(i), 1)); }}};
  std::vector<float> peers(kRows);
  if (peer != nullptr) {
    ways.push_back({"XGBoost 1.7 (C API)",
                    [&] { peer->predict(rows.data(), kRows, peers.data()); },
                    [&](std::size_t i) { peer->predict(row(i).data(), 1, nullptr); }});
  }
  const std::vector<Times> times = measure(ways);

  const auto outputs = session->run(rows, kRows);
  if (!outputs) fail(outputs.error().text);
  const std::vector<double>& theirs = outputs->back().values;
  const std::size_t columns = theirs.size() / kRows;
  double apart = 0;
  for (std::size_t i = 0; i < kRows; ++i) {
    apart = std::max(apart,
                     std::abs(ours[i].score - theirs[(i + 1) * columns - 1]) /
                         std::max(1., std::abs(ours[i].score)));
  }
  fmt::print("{} ({} KiB, largest difference to ONNX Runtime {:.1e})\n",
             what,
             machine->memory_bytes() / 1024,
             apart);
  for (std::size_t i = 0; i < ways.size(); ++i) {
    fmt::print("  {:<24} {:>9.3f} µs a row alone {:>9.1f} µs for {} rows\n",
               ways[i].name,
               median(times[i].single_us),
               median(times[i].batch_us),
               kRows);
  }
}

void Bench::explain(const std::string& what, const models::Model& model) const {
  std::vector<double> times;
  for (std::size_t i = 0; i < kRounds; ++i) {
    const double start = cpu_us();
    static_cast<void>(models::explain(model, std::span(rows).subspan(i * kFeatures, kFeatures)));
    times.push_back(cpu_us() - start);
  }
  fmt::print("explaining a row, {}: {:.0f} µs\n", what, median(times));
}

models::Model of(models::Task task, models::Predictor predictor) {
  Random random(1);
  return {models::testing::metadata(random, kFeatures, task), std::move(predictor)};
}

}  // namespace

int main() {
  // XGBoost's threads would spin beside the measured one.
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  const auto library = onnxruntime::Library::open_usual();
  if (!library) fail(library.error().text);
  Random random(2);
  const Bench bench{*library, make_rows(random, kRows)};
  using models::Task;
  for (const auto& [trees, depth] : {std::pair{100, 6}, std::pair{500, 6}, std::pair{100, 10}}) {
    const Peer peer(trees, depth);
    const std::string what = fmt::format("{} boosted trees, depth {}", trees, depth);
    const models::Model model = of(Task::kRegression, peer.trees());
    bench.run(what, model, &peer);
    bench.explain(what, model);
  }
  bench.run("isolation forest, 100 trees",
            of(Task::kAnomaly,
               [&] {
                 models::IsolationForest forest;
                 forest.trees = models::testing::trees(random, 100, kFeatures, {8, .1, 4, 12});
                 forest.expected = models::expected_path(256);
                 return forest;
               }()),
            nullptr);
  bench.run("linear, 20 features",
            of(Task::kRegression, models::testing::linear(random, kFeatures)),
            nullptr);
  bench.run("network", of(Task::kRegression, models::testing::mlp(random, kFeatures)), nullptr);
  bench.run("k-means", of(Task::kClustering, models::testing::kmeans(random, kFeatures)), nullptr);
  bench.run("blend of trees, linear, network and forest",
            of(Task::kClassification, models::testing::blend(random, kFeatures, true)),
            nullptr);
  return 0;
}
