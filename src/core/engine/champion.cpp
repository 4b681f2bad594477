#include "core/engine/champion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/random.hpp"
#include "core/models/evaluator.hpp"
#include "core/models/explain.hpp"

namespace liminal::engine {
namespace {

/// Rows that are computed at once.
constexpr std::size_t kBlock = 64;
/// Random orders of the features by which foreign models are explained, each with its reverse.
constexpr std::size_t kOrders = 16;
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

struct Champion::Own {
  models::Model model;
  models::Evaluator evaluator;
};

Champion::~Champion() = default;

Champion::Made Champion::create(models::Model model,
                                std::uint32_t version,
                                const std::array<std::uint8_t, 32>& sha256) {
  auto evaluator = models::Evaluator::create(model);
  if (!evaluator) return tl::unexpected(evaluator.error());
  const models::Task task = model.metadata.task;
  Problems problems;
  if (task != models::Task::kClassification && task != models::Task::kAnomaly)
    problems.push_back({"task", "must be classification or anomaly"});
  if (!usable_line(model.metadata.line)) problems.push_back({"line", "must be a number above 0"});
  if (version == 0) problems.push_back({"version", "must be at least 1"});
  std::vector<std::string> features;
  for (const models::Feature& feature : model.metadata.features) features.push_back(feature.name);
  std::shared_ptr<Champion> made(new Champion);
  for (Problem& problem : made->arrange(features)) problems.push_back(std::move(problem));
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  made->info_ = {version, sha256, model.metadata.line, task == models::Task::kClassification};
  made->own_ = std::make_unique<const Own>(Own{std::move(model), std::move(*evaluator)});
  return made;
}

Champion::Made Champion::foreign(const ChampionInfo& info,
                                 const std::vector<std::string>& features,
                                 ScoreRows score,
                                 std::vector<float> usual) {
  LIMINAL_CHECK(score != nullptr);
  std::shared_ptr<Champion> made(new Champion);
  Problems problems = made->arrange(features);
  if (!usable_line(info.line)) problems.push_back({"line", "must be a number above 0"});
  if (!info.there()) problems.push_back({"version", "must be at least 1"});
  if (!usual.empty() && usual.size() != features.size())
    problems.push_back({"usual", "must have a value for each feature"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  made->info_ = info;
  made->foreign_ = std::move(score);
  made->usual_ = std::move(usual);
  return made;
}

Problems Champion::arrange(const std::vector<std::string>& features) {
  Problems problems;
  for (std::size_t i = 0; i < features.size(); ++i) {
    const auto known = traffic::feature_by_name(features[i]);
    if (!known) {
      problems.push_back({"features[" + std::to_string(i) + "]",
                          "\"" + features[i] + "\" is no feature of a user"});
    } else if (std::find(features_.begin(), features_.end(), *known) != features_.end()) {
      problems.push_back({"features[" + std::to_string(i) + "]", "is there twice"});
    } else {
      features_.push_back(*known);
    }
  }
  if (features.empty()) problems.push_back({"features", "must be at least one"});
  return problems;
}

void Champion::put_row(const traffic::Features& features, std::span<float> row) const {
  for (std::size_t i = 0; i < features_.size(); ++i) row[i] = features[features_[i]];
}

bool Champion::score_rows(std::span<const float> rows, std::span<float> out) const {
  if (!own()) return foreign_(rows, out);
  std::array<models::Prediction, kBlock> predictions;
  const std::span<models::Prediction> made(predictions.data(), out.size());
  own_->evaluator.predict_batch(rows, made);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(made[i].score);
  return true;
}

bool Champion::score(std::span<const Ask> asks, std::span<float> out) const {
  LIMINAL_DCHECK(asks.size() == out.size());
  std::array<float, kBlock * traffic::kFeatureCount> rows;
  const std::size_t width = features_.size();
  for (std::size_t begin = 0; begin < asks.size(); begin += kBlock) {
    const std::size_t count = std::min(kBlock, asks.size() - begin);
    for (std::size_t i = 0; i < count; ++i)
      put_row(asks[begin + i].features, {rows.data() + i * width, width});
    const std::span<float> scores = out.subspan(begin, count);
    if (!score_rows({rows.data(), count * width}, scores)) return false;
    const bool numbers =
        std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); });
    if (!numbers) return false;
  }
  return true;
}

/// One feature after another becomes known, in random orders; each is given what changed.
std::vector<double> Champion::sample(std::span<const float> row) const {
  const std::size_t width = features_.size();
  std::vector<double> contributions(width);
  std::vector<std::size_t> order(width);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<float> rows((width + 1) * width), scores(width + 1);
  Random random(1);
  for (std::size_t round = 0; round < kOrders; ++round) {
    if (round % 2 == 1) {
      std::reverse(order.begin(), order.end());
    } else {
      for (std::size_t i = width; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    }
    std::vector<float> mixed = usual_;
    for (std::size_t i = 0; i <= width; ++i) {
      std::copy(mixed.begin(), mixed.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * width));
      if (i < width) mixed[order[i]] = row[order[i]];
    }
    if (!foreign_(rows, scores)) return {};
    for (std::size_t i = 0; i < width; ++i)
      contributions[order[i]] +=
          static_cast<double>(scores[i + 1]) - static_cast<double>(scores[i]);
  }
  return contributions;
}

std::vector<traffic::Evidence> Champion::explain(const Ask& ask, float score) const {
  std::vector<float> row(features_.size());
  put_row(ask.features, row);
  if (!own() && usual_.empty()) return {};
  const std::vector<double> parts =
      own() ? models::explain(own_->model, row).contributions : sample(row);
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
