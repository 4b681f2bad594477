#include "core/models/scorer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/random.hpp"

namespace liminal::models {
namespace {

/// Random orders of the features by which foreign models are explained, each with its reverse.
constexpr std::size_t kOrders = 32;

Problems problems_of(const Metadata& metadata, const std::vector<float>& usual) {
  Problems problems;
  if (metadata.features.empty() || metadata.features.size() > kColumnsMax)
    problems.push_back({"features", "must be 1 to " + std::to_string(kColumnsMax)});
  std::set<std::string> names;
  for (const Feature& feature : metadata.features)
    if (!names.insert(feature.name).second)
      problems.push_back({"features", "has " + feature.name + " twice"});
  if (!usual.empty() && usual.size() != metadata.features.size())
    problems.push_back({"usual", "must have a value for each feature"});
  if (!std::isfinite(metadata.line)) problems.push_back({"line", "must be a number"});
  return problems;
}

bool is_answer(Task task, double score) {
  if (!std::isfinite(score)) return false;
  return task != Task::kClassification ||
         (score >= -kProbabilitySlack && score <= 1 + kProbabilitySlack);
}

}  // namespace

Scorer::Made Scorer::own(Model model) {
  auto evaluator = Evaluator::create(model);
  if (!evaluator) return tl::unexpected(std::move(evaluator.error()));
  std::shared_ptr<Scorer> made(new Scorer);
  made->metadata_ = model.metadata;
  made->own_ = std::make_unique<const Own>(Own{std::move(model), std::move(*evaluator)});
  return made;
}

Scorer::Made Scorer::foreign(Metadata metadata, AnswerRows answer, std::vector<float> usual) {
  LIMINAL_CHECK(answer != nullptr);
  if (Problems problems = problems_of(metadata, usual); !problems.empty())
    return tl::unexpected(std::move(problems));
  std::shared_ptr<Scorer> made(new Scorer);
  usual.resize(metadata.features.size(), 0.F);
  made->metadata_ = std::move(metadata);
  made->answer_ = std::move(answer);
  made->usual_ = std::move(usual);
  return made;
}

Result<void> Scorer::predict(std::span<const float> rows, std::span<Prediction> out) const {
  LIMINAL_DCHECK(rows.size() == out.size() * features());
  if (own_) {
    own_->evaluator.predict_batch(rows, out);
    return {};
  }
  if (out.empty()) return {};
  if (!answer_(rows, out)) return failure(ErrorCode::kUnavailable);
  for (std::size_t i = 0; i < out.size(); ++i) {
    Prediction& said = out[i];
    if (!is_answer(metadata_.task, said.score)) return failure(ErrorCode::kOutOfRange, i);
    if (metadata_.task == Task::kClassification) said.score = std::clamp(said.score, 0., 1.);
    said.margin = said.score;
  }
  return {};
}

Result<Explanation> Scorer::explain(std::span<const float> row) const {
  LIMINAL_CHECK(row.size() == features());
  if (own_) return models::explain(own_->model, row);
  return sample(row);
}

/// One feature after another becomes known, in random orders; each is given what changed.
Result<Explanation> Scorer::sample(std::span<const float> row) const {
  const std::size_t width = features();
  std::vector<std::size_t> order(width);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<float> rows((width + 1) * width);
  std::vector<Prediction> said(width + 1);
  Explanation explanation;
  explanation.contributions.resize(width);
  explanation.exactness = Exactness::kSampled;
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
    if (auto done = predict(rows, said); !done) return tl::unexpected(done.error());
    for (std::size_t i = 0; i < width; ++i)
      explanation.contributions[order[i]] += said[i + 1].score - said[i].score;
    explanation.expectation += said.front().score;
    explanation.margin += said.back().score;
  }
  constexpr double kShare = 1. / static_cast<double>(kOrders);
  for (double& part : explanation.contributions) part *= kShare;
  explanation.expectation *= kShare;
  explanation.margin *= kShare;
  return explanation;
}

std::size_t Scorer::memory_bytes() const { return own_ ? own_->evaluator.memory_bytes() : 0; }

}  // namespace liminal::models
