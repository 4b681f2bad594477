#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.hpp"
#include "server/training/builtin.hpp"

namespace liminal::training {

inline const Telling kNobody{[] { return false; }, [](double, std::vector<learn::JobLine>) {}};

inline learn::ModelDefinition definition() {
  return {"abuse", models::Task::kClassification, {"rate", "size", "noise"}, "y"};
}

/// Users with rows over time; a fifth of them misbehave by a high rate, and by small messages too
/// when `two_ways`.
inline Rows made_up(bool two_ways, bool judged) {
  Random random(3);
  Rows rows;
  for (const std::string& feature : definition().features)
    rows.table.features.push_back({feature, "", {}});
  for (std::uint64_t user = 0; user < 200; ++user) {
    const bool bad = user % 5 == 0;
    for (int i = 0; i < 20; ++i) {
      const double rate = random.normal() + (bad ? 3 : 0);
      const double size = random.normal() - (bad && two_ways ? 2 : 0);
      for (const double value : {rate, size, random.normal()})
        rows.table.values.push_back(static_cast<float>(value));
      rows.table.labels.push_back(bad ? 1 : 0);
      rows.table.weights.push_back(judged ? 1 : kWeakWeight);
      rows.table.times_s.push_back(i * 60);
      rows.table.groups.push_back(user);
      rows.judged.push_back(judged ? 1 : 0);
    }
  }
  rows.rule_features = {"rate"};
  return rows;
}

inline BuiltinOptions options(learn::ModelDefinition what = definition()) {
  BuiltinOptions made;
  made.definition = std::move(what);
  made.request.model = made.definition.name;
  made.request.fits_max = 12;
  made.request.source = learn::DataSource::kFile;
  made.gate.latency_us_max = 1e6;  // how fast it is, is a matter of benchmarks
  return made;
}

inline bool says(const learn::TrainedModel& made, const std::string& words) {
  for (const std::string& reason : made.reasons)
    if (reason.find(words) != std::string::npos) return true;
  return false;
}

inline double metric(const learn::TrainedModel& made, const std::string& name) {
  for (const auto& [key, value] : made.metrics)
    if (key == name) return value;
  return NAN;
}

}  // namespace liminal::training
