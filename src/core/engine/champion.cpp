#include "core/engine/champion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/check.hpp"

namespace liminal::engine {
namespace {

/// Rows that are computed at once.
constexpr std::size_t kBlock = 64;
/// Below it a sum of contributions cannot be stretched to the score.
constexpr double kSumMin = 1e-9;

bool usable_line(float line) { return std::isfinite(line) && line > 0; }

}  // namespace

void save(const ChampionInfo& info, Writer& out) {
  out.put_varint(info.version);
  for (const std::uint8_t byte : info.sha256) out.put(byte);
  out.put(info.line);
  out.put(info.probability);
}

bool load(ChampionInfo& info, Reader& in) {
  info.version = static_cast<std::uint32_t>(in.get_varint());
  for (std::uint8_t& byte : info.sha256) in.get(byte);
  in.get(info.line);
  info.probability = in.get<std::uint8_t>() != 0;
  return in.ok() && usable_line(info.line);
}

std::string_view name(ModelFault::Kind kind) {
  switch (kind) {
    case ModelFault::Kind::kSlow:
      return "slow";
    case ModelFault::Kind::kFailed:
      return "failed";
    case ModelFault::Kind::kStuck:
      return "stuck";
  }
  return "unknown";
}

traffic::Evidence part_of_score(traffic::Signal feature, float observed, float contribution) {
  return {feature, observed, models::kMissing, models::kMissing, contribution};
}

Champion::Made Champion::of(std::shared_ptr<const models::Scorer> scorer,
                            std::uint32_t version,
                            const std::array<std::uint8_t, 32>& sha256) {
  LIMINAL_CHECK(scorer != nullptr);
  const models::Metadata& metadata = scorer->metadata();
  const models::Task task = metadata.task;
  Problems problems;
  if (task != models::Task::kClassification && task != models::Task::kAnomaly)
    problems.push_back({"task", "must be classification or anomaly"});
  if (!usable_line(metadata.line)) problems.push_back({"line", "must be a number above 0"});
  if (version == 0) problems.push_back({"version", "must be at least 1"});
  std::shared_ptr<Champion> made(new Champion);
  made->info_ = {version, sha256, metadata.line, task == models::Task::kClassification};
  made->scorer_ = std::move(scorer);
  for (Problem& problem : made->arrange()) problems.push_back(std::move(problem));
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return made;
}

Champion::Made Champion::create(models::Model model,
                                std::uint32_t version,
                                const std::array<std::uint8_t, 32>& sha256) {
  auto scorer = models::Scorer::own(std::move(model));
  if (!scorer) return tl::unexpected(std::move(scorer.error()));
  return of(std::move(*scorer), version, sha256);
}

Champion::Made Champion::foreign(const ChampionInfo& info,
                                 const std::vector<std::string>& features,
                                 ScoreRows score,
                                 std::vector<float> usual) {
  LIMINAL_CHECK(score != nullptr);
  models::Metadata metadata;
  metadata.task = info.probability ? models::Task::kClassification : models::Task::kAnomaly;
  metadata.line = info.line;
  for (const std::string& feature : features) metadata.features.push_back({feature, ""});
  auto scorer = models::Scorer::foreign(
      std::move(metadata),
      [score = std::move(score)](std::span<const float> rows, std::span<models::Prediction> out) {
        std::vector<float> scores(out.size());
        if (!score(rows, scores)) return false;
        for (std::size_t i = 0; i < out.size(); ++i) out[i].score = static_cast<double>(scores[i]);
        return true;
      },
      std::move(usual));
  if (!scorer) return tl::unexpected(std::move(scorer.error()));
  return of(std::move(*scorer), info.version, info.sha256);
}

Problems Champion::arrange() {
  Problems problems;
  const std::vector<models::Feature>& features = scorer_->metadata().features;
  for (std::size_t i = 0; i < features.size(); ++i) {
    const auto known = traffic::feature_by_name(features[i].name);
    if (known) {
      features_.push_back(*known);
    } else {
      problems.push_back({"features[" + std::to_string(i) + "]",
                          "\"" + features[i].name + "\" is no feature of a user"});
    }
  }
  return problems;
}

void Champion::put_row(const traffic::Features& features, std::span<float> row) const {
  for (std::size_t i = 0; i < features_.size(); ++i) row[i] = features[features_[i]];
}

bool Champion::score(std::span<const Ask> asks, std::span<float> out) const {
  LIMINAL_DCHECK(asks.size() == out.size());
  std::array<float, kBlock * traffic::kFeatureCount> rows;
  std::array<models::Prediction, kBlock> said;
  const std::size_t width = features_.size();
  for (std::size_t begin = 0; begin < asks.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, asks.size() - begin);
    for (std::size_t i = 0; i < count; ++i)
      put_row(asks[begin + i].features, {rows.data() + i * width, width});
    if (!scorer_->predict({rows.data(), count * width}, {said.data(), count})) return false;
    for (std::size_t i = 0; i < count; ++i) {
      out[begin + i] = static_cast<float>(said[i].score);
      if (!std::isfinite(out[begin + i])) return false;
    }
  }
  return true;
}

std::vector<traffic::Evidence> Champion::explain(const Ask& ask, float score) const {
  std::vector<float> row(features_.size());
  put_row(ask.features, row);
  const auto explained = scorer_->explain(row);
  if (!explained) return {};
  const std::vector<double>& parts = explained->contributions;
  const double sum = std::accumulate(parts.begin(), parts.end(), 0.);
  if (!std::isfinite(sum) || sum < kSumMin) return {};
  const double stretch = static_cast<double>(score / info_.line) / sum;
  std::vector<traffic::Evidence> why;
  for (std::size_t i = 0; i < parts.size(); ++i)
    why.push_back(part_of_score(traffic::signal(features_[i]),
                                std::isfinite(row[i]) ? row[i] : 0.F,
                                static_cast<float>(parts[i] * stretch)));
  std::stable_sort(why.begin(), why.end(), [](const auto& a, const auto& b) {
    return a.contribution > b.contribution;
  });
  return why;
}

std::optional<Answer> Champion::answer(const Ask& ask) const {
  Answer answer{info_.version, ask.user, ask.time, 0, {}};
  if (!score({&ask, 1}, {&answer.score, 1})) return std::nullopt;
  if (answer.score >= info_.line) answer.why = explain(ask, answer.score);
  return answer;
}

}  // namespace liminal::engine
