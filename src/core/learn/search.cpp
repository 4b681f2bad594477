#include "core/learn/search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <variant>

#include "core/base/check.hpp"
#include "core/base/math.hpp"
#include "core/learn/drift.hpp"
#include "core/learn/fold_plan.hpp"
#include "core/learn/holdout_plan.hpp"
#include "core/learn/split.hpp"

namespace liminal::learn {
namespace {

constexpr std::uint32_t kFolds = 5;
constexpr std::size_t kFirstRungRows = 5000;
constexpr std::size_t kFirstRungPositives = 200;
constexpr std::size_t kQuickValidationRows = 20'000;
constexpr std::size_t kQuickValidationPositives = 1000;
constexpr double kDriftMin = .2;  ///< PSI of a feature from which rows are weighted by age

Validation validation_of(const Table& table, const SearchOptions& options) {
  if (!table.times_s.empty()) return Validation::kTime;
  if (!table.groups.empty()) {
    const std::set<std::uint64_t> groups(table.groups.begin(), table.groups.end());
    if (groups.size() >= kFolds) return Validation::kGroups;
  }
  return table.rows() <= options.folds_rows_max ? Validation::kFolds : Validation::kHoldout;
}

Folds folds_of(const Table& table, const Loss& loss, Validation validation, std::uint64_t seed) {
  if (validation == Validation::kTime) return last_quarter(table.times_s);
  if (validation == Validation::kGroups) return group_folds(table.groups, kFolds, seed);
  return loss.classes() ? stratified_folds(table.labels, kFolds, seed)
                        : blocked_folds(table.labels, kFolds, seed);
}

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

void shuffle(std::vector<std::uint32_t>& rows, Random& random) {
  for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random.below(i)]);
}

/// Weighs rows by age when some feature's distribution moved from the first to the last quarter.
void weigh_by_age(Table& table) {
  const Folds late = last_quarter(table.times_s);
  double first = table.times_s.front(), last = first;
  for (const double t : table.times_s) {
    first = std::min(first, t);
    last = std::max(last, t);
  }
  const double quarter = (last - first) / 4;
  if (!(quarter > 0)) return;
  bool drifts = false;
  for (std::size_t f = 0; f < table.features.size() && !drifts; ++f) {
    std::vector<float> before, after;
    for (std::size_t i = 0; i < table.rows(); ++i) {
      if (table.times_s[i] <= first + quarter) before.push_back(table.row(i)[f]);
      if (late.part[i] == 0) after.push_back(table.row(i)[f]);
    }
    drifts = stability(Reference::learn(before), after) > kDriftMin;
  }
  if (!drifts) return;
  table.weights.resize(table.rows(), 1.F);
  constexpr double kLn2 = .6931471805599453;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const double age = (last - table.times_s[i]) / quarter;
    table.weights[i] *= static_cast<float>(exp(-kLn2 * age));
  }
}

}  // namespace

std::string_view name(Validation validation) {
  switch (validation) {
    case Validation::kFolds:
      return "five folds";
    case Validation::kHoldout:
      return "a fifth held out";
    case Validation::kGroups:
      return "by user";
    case Validation::kTime:
      return "the last quarter of the time";
  }
  return "unknown";
}

/// Asks for the fits of one batch of a plan after the other.
class Search::State {
 public:
  State(Table table, Loss loss, SearchOptions options) {
    LIMINAL_CHECK(table.validate(true, loss.classes()).empty());
    LIMINAL_CHECK(rows_missing(table, loss) == 0);
    ledger_.options = options;
    ledger_.measure = measure_of(options.objective, loss.level);
    ledger_.random = Random(options.seed);
    validation_ = validation_of(table, options);
    if (validation_ == Validation::kTime) weigh_by_age(table);
    material_.loss = loss;
    material_.table = std::move(table);
    prepare();
    ledger_.material = &material_;
  }

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
    const auto of = [&](const auto& plan) {
      return assemble(ledger_, plan.pool(ledger_), plan.champion());
    };
    return std::visit(of, plan_);
  }

 private:
  void prepare() {
    const Table& table = material_.table;
    const Folds folds = folds_of(table, material_.loss, validation_, ledger_.options.seed);
    const bool on_folds = folds.count == kFolds && table.rows() <= ledger_.options.folds_rows_max;
    ledger_.rungs = !on_folds;
    if (on_folds) {
      for (std::uint32_t fold = 0; fold < kFolds; ++fold)
        add_split(folds.outside(fold), folds.inside(fold));
      material_.encoding = learn_encoding(table, {});
    } else {
      plan_ = HoldoutPlan{};
      material_.encoding = learn_encoding(table, folds.outside(0));
      add_rungs(folds.outside(0), folds.inside(0));
    }
    std::vector<std::uint32_t> all(table.rows());
    std::iota(all.begin(), all.end(), 0U);
    ledger_.all = add_set(std::move(all));
  }

  std::uint32_t add_set(std::vector<std::uint32_t> rows) {
    material_.sets.push_back(std::move(rows));
    return static_cast<std::uint32_t>(material_.sets.size()) - 1;
  }

  void add_split(std::vector<std::uint32_t> train, std::vector<std::uint32_t> valid) {
    Split split{add_set(std::move(train)), add_set(std::move(valid)), {}};
    split.labels = material_.labels(split.valid);
    ledger_.splits.push_back(std::move(split));
  }

  /// A ninth of the rows, a third, all of them: as far as these differ much.
  void add_rungs(std::vector<std::uint32_t> train, std::vector<std::uint32_t> valid) {
    Random random(mix64(ledger_.options.seed));
    shuffle(train, random);
    std::vector<std::uint32_t> order = valid;
    shuffle(order, random);
    const Table& table = material_.table;
    const auto quick =
        part_of(order, kQuickValidationRows, kQuickValidationPositives, table, material_.loss);
    const std::size_t small = std::max(kFirstRungRows, train.size() / 9);
    if (train.size() > 2 * small)
      add_split(part_of(train, small, kFirstRungPositives, table, material_.loss), quick);
    if (2 * train.size() > 9 * small)
      add_split(part_of(train, train.size() / 3, 0, table, material_.loss), quick);
    add_split(std::move(train), std::move(valid));
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

}  // namespace liminal::learn
