#include "core/salience/ranker.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/base/hash.hpp"
#include "core/base/math.hpp"
#include "core/salience/prior.hpp"

namespace liminal::salience {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
/// Smoothing of the share of active minutes: half a minute of activity in an hour unseen.
constexpr double kActivePrior = .5, kMinutesPrior = 60;
/// From this rarity on an item is evidence for its neighbours.
constexpr double kRarityNoticed = 6;
constexpr double kRarityWeight = .25, kNeighbourhoodWeight = 5, kSurpriseWeight = .25,
                 kBreadthWeight = .5, kFeedbackWeight = .5;
constexpr std::uint32_t kMeanMinutesMax = 200;
constexpr double kSalienceCentre = 16, kSalienceScale = 3;
/// What is read back: sums of what happened, and minutes since the epoch or −1.
bool is_sum(double value) { return value >= 0 && value < 1e12; }
bool is_minute(std::int64_t minute) { return minute >= -1 && minute < std::int64_t{1} << 40; }
/// Items of one minute beyond this count with the last one: a flood of types cannot take memory.
constexpr std::size_t kOpenMax = 65'536;

std::int64_t minute_of(SteadyTime now) {
  return std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
}

double minutes_in(Duration duration) {
  return std::chrono::duration<double, std::ratio<60>>(duration).count();
}

}  // namespace

Problems validate(const RankerOptions& options) {
  Problems found;
  if (options.rarity_half_life < std::chrono::minutes{1})
    found.push_back({"rarity_half_life", "must be at least a minute"});
  if (options.neighbourhood_half_life < std::chrono::minutes{1})
    found.push_back({"neighbourhood_half_life", "must be at least a minute"});
  if (options.cells_max < 1) found.push_back({"cells_max", "must be at least 1"});
  if (options.types_max < 1) found.push_back({"types_max", "must be at least 1"});
  return found;
}

std::uint64_t Ranker::key_of(std::uint64_t type, std::uint64_t source) {
  return mix64(type + 0x9e3779b97f4a7c15ULL * mix64(source));
}

std::uint64_t Ranker::key_of(std::uint64_t type) { return mix64(type ^ 0xd1b54a32d192ed03ULL); }

const Ranker::Cell* Ranker::find(std::uint64_t key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &*found->second;
}

double Ranker::decayed(double value, std::int64_t from, std::int64_t to, Duration half_life) const {
  if (value == 0 || to <= from) return value;
  return value * exp(-kLn2 * static_cast<double>(to - from) / minutes_in(half_life));
}

double Ranker::rarity(const Cell* cell, std::int64_t minute) const {
  const double half_life = minutes_in(options_.rarity_half_life);
  // A clock may have been set back since.
  const auto elapsed = static_cast<double>(std::max<std::int64_t>(0, minute - first_minute_));
  const double watched = half_life / kLn2 * (1 - exp(-kLn2 * elapsed / half_life));
  const double active =
      cell ? decayed(cell->active, cell->active_at, minute, options_.rarity_half_life) : 0;
  return -log((active + kActivePrior) / (watched + kMinutesPrior));
}

double Ranker::feedback_term(std::uint64_t type) const {
  const auto found = votes_.find(type);
  if (found == votes_.end()) return 0;
  return kFeedbackWeight * log((found->second.relevant + 1.) / (found->second.irrelevant + 1.));
}

/// The minute's own part is in `open_excess_` and in `of_type` already.
Item Ranker::judge(const Open& open, const OpenType& of_type, std::int64_t minute) const {
  const auto near = [&](const Cell* cell) {
    return cell ? decayed(cell->excess, cell->excess_at, minute, options_.neighbourhood_half_life)
                : 0;
  };
  const double all =
      decayed(neighbourhood_, neighbourhood_at_, minute, options_.neighbourhood_half_life) +
      open_excess_;
  const double others = all - of_type.excess - near(find(key_of(open.type)));
  const Cell* cell = find(open.key);
  const double usual = cell ? (cell->mean_count * cell->minutes + 1) / (cell->minutes + 1) : 1;
  Item item;
  item.type = open.type;
  item.source = open.source;
  item.minute = minute;
  item.count = open.count;
  item.terms.rarity = kRarityWeight * open.rarity;
  item.terms.type_rarity = kRarityWeight * of_type.rarity;
  item.terms.neighbourhood = kNeighbourhoodWeight * log1p(std::max(0., others));
  item.terms.surprise = kSurpriseWeight * std::max(0., log(open.count / usual));
  item.terms.breadth = -kBreadthWeight * log(static_cast<double>(of_type.sources));
  item.terms.feedback = feedback_term(open.type);
  item.type_excess = std::max(0., of_type.rarity - kRarityNoticed);
  item.salience = logistic((item.terms.x() - kSalienceCentre) / kSalienceScale);
  return item;
}

Ranker::OpenType& Ranker::open_type(std::uint64_t type) {
  const auto [known, fresh] = open_type_index_.try_emplace(type, open_types_.size());
  if (fresh) open_types_.push_back({type, 0, rarity(find(key_of(type)), minute_), 0});
  return open_types_[known->second];
}

Ranker::Open& Ranker::open(std::uint64_t type, std::uint64_t source) {
  const std::uint64_t key = key_of(type, source);
  const auto known = open_index_.find(key);
  if (known != open_index_.end()) return open_[known->second];
  if (open_.size() >= kOpenMax) return open_.back();
  Open item;
  item.type = type;
  item.source = source;
  item.key = key;
  item.rarity = rarity(find(key), minute_);
  item.excess = std::max(0., item.rarity - kRarityNoticed);
  open_excess_ += item.excess;
  OpenType& of_type = open_type(type);
  of_type.excess += item.excess;
  ++of_type.sources;
  open_index_.emplace(key, open_.size());
  open_.push_back(item);
  return open_.back();
}

Item Ranker::observe(std::uint64_t type,
                     std::uint64_t source,
                     SteadyTime now,
                     std::vector<Item>& finals) {
  tick(now, finals);
  if (minute_ < 0) {
    minute_ = std::max<std::int64_t>(0, minute_of(now));
    if (first_minute_ < 0) first_minute_ = minute_;
  }
  Open& item = open(type, source);
  ++item.count;
  return judge(item, open_type(item.type), minute_);
}

Item Ranker::score(std::uint64_t type, std::uint64_t source, SteadyTime now) const {
  const std::int64_t minute = std::max(minute_, minute_of(now));
  const auto rarity_of = [&](const Cell* cell) {
    return first_minute_ < 0 ? -log(kActivePrior / kMinutesPrior) : rarity(cell, minute);
  };
  Open item;
  item.type = type;
  item.source = source;
  item.key = key_of(type, source);
  OpenType of_type{type, 0, 0, 0};
  if (const auto known = open_type_index_.find(type); known != open_type_index_.end())
    of_type = open_types_[known->second];
  else
    of_type.rarity = rarity_of(find(key_of(type)));
  if (const auto known = open_index_.find(item.key); known != open_index_.end()) {
    item = open_[known->second];
  } else {
    item.rarity = rarity_of(find(item.key));
    ++of_type.sources;
  }
  ++item.count;
  return judge(item, of_type, minute);
}

void Ranker::tick(SteadyTime now, std::vector<Item>& finals) {
  if (minute_ < 0 || minute_of(now) <= minute_) return;
  if (!open_.empty()) close(finals);
  minute_ = minute_of(now);
}

/// Scores the minute's items with all of them in view, then learns them.
void Ranker::close(std::vector<Item>& finals) {
  // In an order of their own, so that sums and what is forgotten do not depend on who came first.
  std::sort(open_.begin(), open_.end(), [](const Open& a, const Open& b) { return a.key < b.key; });
  std::sort(open_types_.begin(), open_types_.end(), [](const OpenType& a, const OpenType& b) {
    return a.type < b.type;
  });
  open_excess_ = 0;
  for (std::size_t i = 0; i < open_types_.size(); ++i) {
    open_types_[i].excess = 0;
    open_type_index_[open_types_[i].type] = i;
  }
  for (const Open& item : open_) {
    open_excess_ += item.excess;
    open_type(item.type).excess += item.excess;
  }
  for (const Open& item : open_) finals.push_back(judge(item, open_type(item.type), minute_));
  neighbourhood_ =
      decayed(neighbourhood_, neighbourhood_at_, minute_, options_.neighbourhood_half_life) +
      open_excess_;
  neighbourhood_at_ = minute_;
  for (const Open& item : open_) learn(touch(item.key), item.excess, item.count);
  for (const OpenType& of_type : open_types_)
    learn(touch(key_of(of_type.type)), of_type.excess, of_type.sources);
  open_.clear();
  open_index_.clear();
  open_types_.clear();
  open_type_index_.clear();
  open_excess_ = 0;
}

void Ranker::learn(Cell& cell, double excess, std::uint32_t count) {
  cell.excess =
      decayed(cell.excess, cell.excess_at, minute_, options_.neighbourhood_half_life) + excess;
  cell.excess_at = minute_;
  cell.active = decayed(cell.active, cell.active_at, minute_, options_.rarity_half_life) + 1;
  cell.active_at = minute_;
  cell.minutes = std::min(cell.minutes + 1, kMeanMinutesMax);
  cell.mean_count += (count - cell.mean_count) / cell.minutes;
}

Ranker::Cell& Ranker::touch(std::uint64_t key) {
  const auto known = index_.find(key);
  if (known != index_.end()) {
    cells_.splice(cells_.begin(), cells_, known->second);
    return cells_.front();
  }
  if (index_.size() >= options_.cells_max) {
    index_.erase(cells_.back().key);
    cells_.pop_back();
  }
  cells_.push_front({});
  cells_.front().key = key;
  index_.emplace(key, cells_.begin());
  return cells_.front();
}

void Ranker::feedback(std::uint64_t type, bool relevant) {
  if (votes_.size() >= options_.types_max && votes_.count(type) == 0) {
    votes_.erase(std::min_element(votes_.begin(), votes_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    }));
  }
  Votes& votes = votes_[type];
  votes.used = ++votes_given_;
  ++(relevant ? votes.relevant : votes.irrelevant);
}

void Ranker::take_back(std::uint64_t type, bool relevant) {
  const auto found = votes_.find(type);
  if (found == votes_.end()) return;
  std::uint32_t& votes = relevant ? found->second.relevant : found->second.irrelevant;
  if (votes > 0) --votes;
}

bool Ranker::knows(std::uint64_t type) const {
  return open_type_index_.count(type) > 0 || find(key_of(type)) != nullptr;
}

double Ranker::confidence(SteadyTime now) const {
  if (first_minute_ < 0) return 0;
  return std::clamp(static_cast<double>(minute_of(now) - first_minute_) / (24 * 60), 0., 1.);
}

std::size_t Ranker::memory_bytes() const {
  return index_.size() * (sizeof(Cell) + 16 + 48) + open_.capacity() * sizeof(Open) +
         (open_index_.size() + open_type_index_.size()) * 48 + votes_.size() * (sizeof(Votes) + 48);
}

void Ranker::save(Writer& out) const {
  out.put(neighbourhood_);
  out.put(neighbourhood_at_);
  out.put(first_minute_);
  out.put(minute_);
  out.put_varint(cells_.size());
  for (const Cell& cell : cells_) {
    out.put(cell.key);
    out.put(cell.active);
    out.put(cell.excess);
    out.put(cell.mean_count);
    out.put(cell.minutes);
    out.put(cell.active_at);
    out.put(cell.excess_at);
  }
  out.put_varint(open_types_.size());
  for (const OpenType& of_type : open_types_) {
    out.put(of_type.type);
    out.put(of_type.rarity);
  }
  out.put_varint(open_.size());
  for (const Open& item : open_) {
    out.put(item.type);
    out.put(item.source);
    out.put(item.count);
    out.put(item.rarity);
    out.put(item.excess);
  }
  out.put(votes_given_);
  out.put_varint(votes_.size());
  for (const auto& [type, votes] : votes_) {
    out.put(type);
    out.put(votes.relevant);
    out.put(votes.irrelevant);
    out.put(votes.used);
  }
}

Result<void> Ranker::load(Reader& in) {
  Ranker read(options_);
  in.get(read.neighbourhood_);
  in.get(read.neighbourhood_at_);
  in.get(read.first_minute_);
  in.get(read.minute_);
  const std::uint64_t cells = in.get_varint();
  if (cells > options_.cells_max) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < cells && in.ok(); ++i) {
    Cell cell;
    in.get(cell.key);
    in.get(cell.active);
    in.get(cell.excess);
    in.get(cell.mean_count);
    in.get(cell.minutes);
    in.get(cell.active_at);
    in.get(cell.excess_at);
    const bool sane = is_sum(cell.active) && is_sum(cell.excess) && is_sum(cell.mean_count) &&
                      cell.minutes <= kMeanMinutesMax && is_minute(cell.active_at) &&
                      is_minute(cell.excess_at);
    if (!sane) return failure(ErrorCode::kMalformed, in.position());
    read.cells_.push_back(cell);
    if (!read.index_.emplace(cell.key, std::prev(read.cells_.end())).second)
      return failure(ErrorCode::kConflict, in.position());
  }
  const std::uint64_t types = in.get_varint();
  if (types > kOpenMax) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < types && in.ok(); ++i) {
    OpenType of_type;
    in.get(of_type.type);
    in.get(of_type.rarity);
    if (!is_term(of_type.rarity)) return failure(ErrorCode::kMalformed, in.position());
    if (!read.open_type_index_.emplace(of_type.type, read.open_types_.size()).second)
      return failure(ErrorCode::kConflict, in.position());
    read.open_types_.push_back(of_type);
  }
  const std::uint64_t items = in.get_varint();
  if (items > kOpenMax) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < items && in.ok(); ++i) {
    Open item;
    in.get(item.type);
    in.get(item.source);
    in.get(item.count);
    in.get(item.rarity);
    in.get(item.excess);
    item.key = key_of(item.type, item.source);
    if (!is_term(item.rarity) || !is_term(item.excess) || item.excess < 0)
      return failure(ErrorCode::kMalformed, in.position());
    if (!read.open_index_.emplace(item.key, read.open_.size()).second)
      return failure(ErrorCode::kConflict, in.position());
    const auto of_type = read.open_type_index_.find(item.type);
    if (of_type == read.open_type_index_.end())
      return failure(ErrorCode::kMalformed, in.position());
    read.open_types_[of_type->second].excess += item.excess;
    ++read.open_types_[of_type->second].sources;
    read.open_excess_ += item.excess;
    read.open_.push_back(item);
  }
  in.get(read.votes_given_);
  const std::uint64_t votes = in.get_varint();
  if (votes > options_.types_max) return failure(ErrorCode::kTooLarge, in.position());
  for (std::uint64_t i = 0; i < votes && in.ok(); ++i) {
    Votes& given = read.votes_[in.get<std::uint64_t>()];
    in.get(given.relevant);
    in.get(given.irrelevant);
    in.get(given.used);
  }
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  if (!is_sum(read.neighbourhood_) || !is_minute(read.neighbourhood_at_) ||
      !is_minute(read.minute_) || !is_minute(read.first_minute_))
    return failure(ErrorCode::kMalformed, in.position());
  *this = std::move(read);
  return {};
}

std::uint64_t Ranker::state_hash() const {
  Writer out;
  save(out);
  return hash64(out.bytes());
}

}  // namespace liminal::salience
