#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/base/check.hpp"
#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"

/// What the tests of this folder write.
namespace liminal::sqlite {

/// A directory of its own for one test, removed afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "liminal-store-XXXXXX").string();
    LIMINAL_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline SteadyTime at_s(std::int64_t seconds_since_start) {
  return SteadyTime{std::chrono::seconds{1'700'000'000 + seconds_since_start}};
}

inline traffic::Finding a_finding(float score) {
  traffic::Finding finding;
  finding.type = traffic::FindingType::kMessageFlood;
  finding.detector = traffic::Detector::kRateSurprise10s;
  finding.severity = traffic::Severity::kHigh;
  finding.mode = traffic::Mode::kEnforce;
  finding.action = traffic::Action::kDrop;
  finding.rule = 3;
  finding.score = score;
  finding.confidence = .875F;
  finding.add({traffic::Signal::kMessages10s, 120, 1, 30, score / 2});
  finding.add({traffic::signal(traffic::FeatureId::kErrorRate), .5F, 0, .25F, score / 2});
  return finding;
}

inline traffic::Features some_features(float seed) {
  traffic::Features features;
  for (float& value : features.values) value = (seed += .5F);
  return features;
}

inline traffic::Alert an_alert(std::uint8_t shard, std::uint64_t number, std::string user = "ann") {
  traffic::Alert alert;
  alert.shard = ShardId{shard};
  alert.number = number;
  alert.user = std::move(user);
  alert.address = "10.1.2.3";
  alert.type = traffic::FindingType::kMessageFlood;
  alert.severity = traffic::Severity::kHigh;
  alert.first_seen = at_s(0);
  alert.last_seen = at_s(static_cast<std::int64_t>(number % 1'000'000));  // any order will do
  alert.count = 2;
  alert.first = a_finding(1.25F);
  alert.worst = a_finding(4);
  alert.detectors_agreeing = 2;
  alert.features = some_features(1);
  alert.input = 123'456'789'012;
  return alert;
}

inline traffic::FeatureRow a_row(std::string user, SteadyTime time) {
  return {.user = std::move(user),
          .address = "2001:db8::1",
          .time = time,
          .features = some_features(static_cast<float>(nanoseconds(time) % 97))};
}

inline traffic::Override a_rate(std::string user, std::optional<SteadyTime> expires = {}) {
  return {.user = std::move(user),
          .kind = traffic::Override::Kind::kRate,
          .messages_per_second = 2.5,
          .burst = 7,
          .reason = "asked by support",
          .created = at_s(1),
          .expires = expires};
}

}  // namespace liminal::sqlite
