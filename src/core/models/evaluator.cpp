#include "core/models/evaluator.hpp"

#include <algorithm>
#include <array>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/models/machine.hpp"

namespace liminal::models {
namespace {

enum class Answer : std::uint8_t { kMargin, kLogistic, kProbability, kPowerOfTwo };

Answer answer_of(Link link) {
  switch (link) {
    case Link::kIdentity:
      break;
    case Link::kLogistic:
      return Answer::kLogistic;
    case Link::kProbability:
      return Answer::kProbability;
  }
  return Answer::kMargin;
}

Answer answer_of(const Predictor& predictor) {
  if (std::holds_alternative<IsolationForest>(predictor)) return Answer::kPowerOfTwo;
  return std::visit(
      [](const auto& model) {
        if constexpr (requires { model.link; }) return answer_of(model.link);
        return Answer::kMargin;
      },
      predictor);
}

Prediction answer(Answer how, double computed, std::uint32_t cluster) {
  constexpr double kLn2 = .69314718055994530942;
  switch (how) {
    case Answer::kMargin:
      break;
    case Answer::kLogistic:
      return {logistic(computed), computed, cluster};
    case Answer::kProbability:
      return {std::clamp(computed, 0., 1.), clipped_logit(computed), cluster};
    case Answer::kPowerOfTwo:
      return {exp(computed * kLn2), computed, cluster};
  }
  return {computed, computed, cluster};
}

}  // namespace

class Evaluator::Part {
 public:
  explicit Part(const Model& model)
      : features_(model.metadata.features.size()), answer_(answer_of(model.predictor)) {
    std::visit([this](const auto& predictor) { add(predictor); }, model.predictor);
    for (const Member& member : members_)
      block_rows_ = std::min(block_rows_, member.machine.rows_max());
  }

  [[nodiscard]] std::size_t features() const { return features_; }

  void predict(std::span<const float> rows, std::span<Prediction> out) const {
    for (std::size_t i = 0; i < out.size(); i += block_rows_) {
      const std::size_t count = std::min(block_rows_, out.size() - i);
      predict_block(rows.subspan(i * features_, count * features_), out.subspan(i, count));
    }
  }

  [[nodiscard]] std::size_t memory_bytes() const {
    std::size_t bytes = sizeof *this + members_.capacity() * sizeof(Member);
    for (const Member& member : members_) bytes += member.machine.memory_bytes();
    return bytes;
  }

 private:
  struct Member {
    Machine machine;
    double weight = 1;
  };

  template <class Single>
  void add(const Single& model) {
    members_.push_back({Machine(model, features_), 1});
  }

  /// A forest that stands alone answers its probability unclipped.
  void add(const Trees& model) {
    Trees unlinked = model;
    unlinked.link = Link::kIdentity;
    members_.push_back({Machine(unlinked, features_), 1});
  }

  void add(const Blend& model) {
    for (const Blend::Member& member : model.members) {
      members_.push_back(
          {std::visit([this](const auto& part) { return Machine(part, features_); }, member.model),
           static_cast<double>(member.weight)});
    }
    slope_ = static_cast<double>(model.slope);
    intercept_ = static_cast<double>(model.intercept);
    blend_ = true;
  }

  void predict_block(std::span<const float> rows, std::span<Prediction> out) const {
    std::array<double, Machine::kRowsMax> margins;
    std::array<double, Machine::kRowsMax> sums{};
    std::array<std::uint32_t, Machine::kRowsMax> clusters{};
    for (const Member& member : members_) {
      member.machine.margins(rows, std::span(margins).first(out.size()), clusters);
      for (std::size_t i = 0; i < out.size(); ++i) sums[i] += member.weight * margins[i];
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double computed = blend_ ? slope_ * sums[i] + intercept_ : sums[i];
      out[i] = answer(answer_, computed, clusters[i]);
    }
  }

  std::size_t features_ = 0;
  std::size_t block_rows_ = Machine::kRowsMax;
  std::vector<Member> members_;
  double slope_ = 1;
  double intercept_ = 0;
  bool blend_ = false;
  Answer answer_ = Answer::kMargin;
};

tl::expected<Evaluator, Problems> Evaluator::create(const Model& model) {
  if (Problems problems = validate(model); !problems.empty())
    return tl::unexpected(std::move(problems));
  return Evaluator(std::make_unique<const Part>(model));
}

Evaluator::Evaluator(std::unique_ptr<const Part> part) : part_(std::move(part)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

std::size_t Evaluator::features() const { return part_->features(); }

Prediction Evaluator::predict(std::span<const float> row) const {
  LIMINAL_CHECK(row.size() == features());
  Prediction prediction;
  part_->predict(row, {&prediction, 1});
  return prediction;
}

void Evaluator::predict_batch(std::span<const float> rows, std::span<Prediction> out) const {
  LIMINAL_CHECK(rows.size() == features() * out.size());
  part_->predict(rows, out);
}

std::size_t Evaluator::memory_bytes() const { return part_->memory_bytes(); }

}  // namespace liminal::models
