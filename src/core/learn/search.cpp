#include "core/learn/search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <variant>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/base/shuffle.hpp"
#include "core/learn/drift.hpp"
#include "core/learn/fold_plan.hpp"
#include "core/learn/holdout_plan.hpp"
#include "core/learn/parts.hpp"
#include "core/learn/remake.hpp"
#include "core/learn/split.hpp"

namespace liminal::learn {
namespace {

constexpr std::size_t kFirstRungRows = 5000;
constexpr std::size_t kFirstRungPositives = 200;
constexpr std::size_t kQuickValidationRows = 20'000;
constexpr std::size_t kQuickValidationPositives = 1000;
constexpr double kDriftMin = .2;     ///< PSI of a feature from which rows are weighted by age
constexpr double kDriftAlpha = .01;  ///< of weighing a table that does not drift

/// The first rows of a shuffled set, with at least so many positives among them if there are.
std::vector<std::uint32_t> part_of(const std::vector<std::uint32_t>& shuffled,
                                   std::size_t rows,
                                   std::size_t positives_min,
                                   const Table& table,
                                   const Loss& loss) {
  std::vector<std::uint32_t> part(
      shuffled.begin(),
      shuffled.begin() + static_cast<std::ptrdiff_t>(std::min(rows, shuffled.size())));
  const auto positive = [&](std::uint32_t row) { return is_positive(table.labels[row]); };
  if (!loss.classes()) return part;
  auto found = static_cast<std::size_t>(std::count_if(part.begin(), part.end(), positive));
  std::size_t replaced = part.size();
  for (std::size_t i = part.size(); i < shuffled.size() && found < positives_min; ++i) {
    if (!positive(shuffled[i])) continue;
    // It takes the place of a negative row from the end.
    while (replaced > 0 && positive(part[replaced - 1])) --replaced;
    if (replaced == 0) break;
    part[--replaced] = shuffled[i];
    ++found;
  }
  return part;
}

/// Whether some feature's distribution moved from the first to the last quarter of the time, by
/// more than chance gives so many rows and features.
bool drifts(const Table& table, const std::vector<std::uint32_t>& rows, double until, double from) {
  const double alpha = kDriftAlpha / static_cast<double>(table.features.size());
  for (std::size_t f = 0; f < table.features.size(); ++f) {
    std::vector<float> before, after;
    for (const std::uint32_t row : rows) {
      if (table.times_s[row] <= until) before.push_back(table.row(row)[f]);
      if (table.times_s[row] > from) after.push_back(table.row(row)[f]);
    }
    if (before.empty() || after.empty()) return false;
    const Reference reference = Reference::learn(before);
    const double chance = stability_by_chance(reference.bins(),
                                              static_cast<double>(before.size()),
                                              static_cast<double>(after.size()),
                                              alpha);
    if (stability(reference, after) > std::max(kDriftMin, chance)) return true;
  }
  return false;
}

/// Weighs rows by age when features drift within those that are searched with.
void weigh_by_age(Table& table, const std::vector<std::uint32_t>& rows) {
  double first = std::numeric_limits<double>::infinity(), last = -first;
  for (const std::uint32_t row : rows) {
    first = std::min(first, table.times_s[row]);
    last = std::max(last, table.times_s[row]);
  }
  const double quarter = (last - first) / 4;
  if (!(quarter > 0) || !drifts(table, rows, first + quarter, last - quarter)) return;
  table.weights.resize(table.rows(), 1.F);
  constexpr double kLn2 = .6931471805599453;
  for (const std::uint32_t row : rows) {
    const double age = (last - table.times_s[row]) / quarter;
    table.weights[row] *= static_cast<float>(exp(-kLn2 * age));
  }
}

/// Lets a table be fitted to: weighs it, and learns how it is encoded from the rows that are
/// searched with.
void encode(Material& material,
            std::vector<std::uint8_t> part,
            const std::vector<std::uint32_t>& searched) {
  Table& table = material.table;
  if (!material.loss.classes()) material.unit = unit_of(table.labels);
  if (!table.times_s.empty()) weigh_by_age(table, searched);
  material.encoding = learn_encoding(table, searched);
  material.codes = CrossCodes(table, material.encoding.trees, std::move(part));
}

}  // namespace

Material material_of_all(Table table, const Loss& loss, const SearchOptions& options) {
  SearchOptions all = options;
  all.fresh_ratio = 0;
  Material material;
  material.loss = loss;
  material.table = std::move(table);
  material.table.drop_infinities();
  Parts parts = parts_of(material.table, loss, all);
  encode(material, std::move(parts.part), parts.searched);
  material.sets.push_back(std::move(parts.searched));
  material.left_out.push_back(0);
  return material;
}

/// Asks for the fits of one batch of a plan after the other.
class Search::State {
 public:
  State(Table table, Loss loss, SearchOptions options) : problems_(options.validate()) {
    LIMINAL_CHECK(table.validate(true, loss.classes()).empty());
    LIMINAL_CHECK(rows_missing(table, loss) == 0);
    ledger_.options = options;
    ledger_.measure = measure_of(options.objective, loss.level);
    ledger_.random = Random(options.seed);
    ledger_.material = &material_;
    material_.loss = loss;
    material_.table = std::move(table);
    material_.table.drop_infinities();
    if (problems_.empty()) prepare();
    cancelled_ = !problems_.empty();
  }

  const Problems& problems() const { return problems_; }
  const Material& material() const { return material_; }
  Validation validation() const { return validation_; }
  const Ledger& ledger() const { return ledger_; }

  std::optional<FitJob> next(double elapsed_s) {
    while (!cancelled_) {
      for (; issued_ < batch_.size(); ++issued_) {
        if (auto job = begin(batch_[issued_], elapsed_s)) {
          ++issued_;
          return job;
        }
      }
      if (running_ > 0 || planned_all_) return std::nullopt;
      take_in();
      const Spent now = spent(elapsed_s);
      batch_ = std::visit([&](auto& plan) { return plan.next(ledger_, now); }, plan_);
      issued_ = 0;
      results_.assign(batch_.size(), std::nullopt);
      planned_all_ = batch_.empty();
    }
    return std::nullopt;
  }

  void told(std::uint64_t id, Result<Fit> fit, double cost_s, double elapsed_s) {
    LIMINAL_CHECK(id >= first_id_ && id < first_id_ + batch_.size() && running_ > 0);
    --running_;
    elapsed_s_ = std::max(elapsed_s_, elapsed_s);
    if (fit) results_[id - first_id_] = Attempt{std::move(*fit), 0, cost_s};
    if (cancelled_ && running_ == 0) take_in();
  }

  bool done() const { return running_ == 0 && (planned_all_ || cancelled_); }
  void cancel() {
    cancelled_ = true;
    if (running_ == 0) take_in();
  }

  double progress(double elapsed_s) const {
    return done() ? 1 : std::min(1., spent(elapsed_s).ratio);
  }

  Result<Outcome> finish() const {
    if (!problems_.empty()) return failure(ErrorCode::kUnavailable);
    const auto of = [&](const auto& plan) {
      return assemble(ledger_, plan.pool(ledger_), plan.champion(), ledger_.options.champion);
    };
    return std::visit(of, plan_);
  }

  Result<Outcome> finish(const Cost& budget) const {
    if (!problems_.empty()) return failure(ErrorCode::kUnavailable);
    const auto of = [&](const auto& plan) {
      return assemble(ledger_, plan.pool(ledger_), ledger_.best_within(budget), budget);
    };
    return std::visit(of, plan_);
  }

 private:
  void prepare() {
    const Table& table = material_.table;
    Parts parts = parts_of(table, material_.loss, ledger_.options);
    validation_ = parts.validation;
    problems_ = problems_of(parts, table, material_.loss);
    if (!problems_.empty()) return;
    encode(material_, std::move(parts.part), parts.searched);
    ledger_.rungs = !parts.folds();
    ledger_.fresh = std::move(parts.fresh);
    if (ledger_.rungs) {
      plan_ = HoldoutPlan{};
      add_rungs(std::move(parts.splits.front()), parts.left_out.front());
    } else {
      for (std::size_t i = 0; i < parts.splits.size(); ++i)
        add_split(std::move(parts.splits[i]), parts.left_out[i]);
    }
    ledger_.all = add_set(std::move(parts.searched), 0);
  }

  std::uint32_t add_set(std::vector<std::uint32_t> rows, CrossCodes::PartMask left_out) {
    material_.sets.push_back(std::move(rows));
    material_.left_out.push_back(left_out);
    return static_cast<std::uint32_t>(material_.sets.size()) - 1;
  }

  void add_split(TrainValid rows, CrossCodes::PartMask left_out) {
    Split split{
        add_set(std::move(rows.train), left_out), add_set(std::move(rows.valid), left_out), {}};
    split.labels = material_.labels(split.valid);
    ledger_.splits.push_back(std::move(split));
  }

  /// A ninth of the rows, a third, all of them: as far as these differ much.
  void add_rungs(TrainValid rows, CrossCodes::PartMask left_out) {
    Random random(mix64(ledger_.options.seed));
    std::vector<std::uint32_t>& train = rows.train;
    shuffle(train, random);
    std::vector<std::uint32_t> order = rows.valid;
    shuffle(order, random);
    const Table& table = material_.table;
    const auto quick =
        part_of(order, kQuickValidationRows, kQuickValidationPositives, table, material_.loss);
    const std::size_t small = std::max(kFirstRungRows, train.size() / 9);
    if (train.size() > 2 * small)
      add_split({part_of(train, small, kFirstRungPositives, table, material_.loss), quick},
                left_out);
    if (2 * train.size() > 9 * small)
      add_split({part_of(train, train.size() / 3, 0, table, material_.loss), quick}, left_out);
    add_split(std::move(rows), left_out);
  }

  Spent spent(double elapsed_s) const {
    const SearchOptions& options = ledger_.options;
    Spent now;
    now.elapsed_s = std::max(elapsed_s, elapsed_s_);
    now.fits = fits_;
    now.ratio = options.counted() ? static_cast<double>(fits_) / options.fits_max
                                  : now.elapsed_s / options.budget_s;
    return now;
  }

  /// The job of a request; none when it is too late for it.
  std::optional<FitJob> begin(const Request& request, double elapsed_s) {
    const SearchOptions& options = ledger_.options;
    const Spent now = spent(elapsed_s);
    constexpr double kEver = std::numeric_limits<double>::infinity();
    const bool late =
        options.counted()
            ? request.least == 0 && now.fits >= options.fits_max * std::min(request.end, 1.)
            : request.least == 0 && now.ratio >= request.end;
    if (late) return std::nullopt;
    const Candidate& candidate = ledger_.candidates[request.candidate];
    FitJob job;
    job.id = first_id_ + issued_;
    job.recipe = candidate.recipe;
    job.seed = options.seed;
    job.end_s = kEver;
    if (!options.counted()) {
      const double end = std::max(
          request.end, (now.elapsed_s + request.least * options.budget_s) / options.budget_s);
      job.end_s = std::min(end * options.budget_s, now.elapsed_s + request.cap * options.budget_s);
    }
    if (request.split == Request::kRefit) {
      job.train = ledger_.all;
      job.rounds_max = candidate.refit_rounds();
    } else {
      job.train = ledger_.splits[request.split].train;
      job.valid = ledger_.splits[request.split].valid;
    }
    ++fits_;
    ++running_;
    return job;
  }

  /// Writes the results of a batch into the ledger, in the order they were asked for.
  void take_in() {
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (!results_[i]) continue;
      const Request& request = batch_[i];
      Candidate& candidate = ledger_.candidates[request.candidate];
      Attempt attempt = std::move(*results_[i]);
      if (request.split == Request::kRefit) {
        // One that was stopped early has too few rounds to stand for the candidate.
        if (attempt.fit.complete) candidate.refit = std::move(attempt);
      } else {
        attempt.score = ledger_.measure(attempt.fit.margins, ledger_.splits[request.split].labels);
        candidate.attempts[request.split] = std::move(attempt);
      }
    }
    first_id_ += batch_.size();
    batch_.clear();
    results_.clear();
    issued_ = 0;
  }

  Problems problems_;
  Material material_;
  Ledger ledger_;
  Validation validation_{};
  std::variant<FoldPlan, HoldoutPlan> plan_;
  std::vector<Request> batch_;
  std::vector<std::optional<Attempt>> results_;
  std::size_t issued_ = 0;
  std::uint64_t first_id_ = 1;
  std::uint32_t running_ = 0;
  std::uint32_t fits_ = 0;
  double elapsed_s_ = 0;
  bool planned_all_ = false;
  bool cancelled_ = false;
};

std::size_t Search::rows_missing(const Table& table, const Loss& loss) {
  const std::size_t positive = positives(table.labels);
  const std::size_t fewest =
      loss.classes() ? std::min(positive, table.labels.size() - positive) : table.labels.size() / 2;
  return kRowsMin - std::min(kRowsMin, fewest);
}

Search::Search(Table table, Loss loss, SearchOptions options)
    : state_(std::make_unique<State>(std::move(table), loss, options)) {}
Search::~Search() = default;
Search::Search(Search&&) noexcept = default;
Search& Search::operator=(Search&&) noexcept = default;

const Problems& Search::problems() const { return state_->problems(); }
const Material& Search::material() const { return state_->material(); }
std::optional<FitJob> Search::next(double elapsed_s) { return state_->next(elapsed_s); }
void Search::told(std::uint64_t id, Result<Fit> fit, double cost_s, double elapsed_s) {
  state_->told(id, std::move(fit), cost_s, elapsed_s);
}
bool Search::done() const { return state_->done(); }
void Search::cancel() { state_->cancel(); }
double Search::progress(double elapsed_s) const { return state_->progress(elapsed_s); }
std::vector<LeaderboardLine> Search::leaderboard() const {
  return leaderboard_of(state_->ledger());
}
Validation Search::validation() const { return state_->validation(); }
Result<Outcome> Search::finish() const { return state_->finish(); }
Result<Outcome> Search::finish(const Cost& budget) const { return state_->finish(budget); }

}  // namespace liminal::learn
