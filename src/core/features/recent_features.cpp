#include "core/features/recent_features.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/traffic/event.hpp"

namespace liminal::features {

using traffic::FeatureRow;

RecentFeatures::RecentFeatures(std::size_t capacity) : capacity_(capacity) {
  LIMINAL_CHECK(capacity >= 1);
}

void RecentFeatures::add(FeatureRow row) {
  if (rows_.size() < capacity_) {
    rows_.push_back(std::move(row));
    return;
  }
  rows_[oldest_] = std::move(row);
  oldest_ = oldest_ + 1 == capacity_ ? 0 : oldest_ + 1;
}

const FeatureRow& RecentFeatures::row(std::size_t i) const {
  return rows_[(oldest_ + i) % rows_.size()];
}

std::vector<FeatureRow> RecentFeatures::latest(std::size_t limit, std::string_view user) const {
  std::vector<FeatureRow> found;
  for (std::size_t i = rows_.size(); i-- > 0 && found.size() < limit;) {
    if (user.empty() || row(i).user == user) found.push_back(row(i));
  }
  return found;
}

std::vector<FeatureRow> newest_first(std::vector<FeatureRow> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const FeatureRow& a, const FeatureRow& b) {
    return a.time != b.time ? a.time > b.time : a.user < b.user;
  });
  const auto repeated = std::unique(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.time == b.time && a.user == b.user;
  });
  rows.erase(repeated, rows.end());
  return rows;
}

std::size_t RecentFeatures::erase_before(SteadyTime time) {
  std::rotate(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(oldest_), rows_.end());
  oldest_ = 0;
  return std::erase_if(rows_, [&](const FeatureRow& row) { return row.time < time; });
}

std::size_t RecentFeatures::memory_bytes() const {
  std::size_t bytes = sizeof *this + rows_.capacity() * sizeof(FeatureRow);
  for (const FeatureRow& row : rows_) bytes += row.user.capacity() + row.address.capacity();
  return bytes;
}

void RecentFeatures::save(Writer& out) const {
  out.put_varint(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const FeatureRow& saved = row(i);
    out.put_text(saved.user);
    out.put_text(saved.address);
    out.put(nanoseconds(saved.time));
    for (const float value : saved.features.values) out.put(value);
  }
}

void RecentFeatures::load(Reader& in) {
  rows_.clear();
  oldest_ = 0;
  for (std::uint64_t left = in.get_varint(); left > 0 && in.ok(); --left) {
    FeatureRow loaded;
    loaded.user = in.get_text();
    loaded.address = in.get_text();
    loaded.time = SteadyTime{Duration{in.get<Duration::rep>()}};
    for (float& value : loaded.features.values) {
      in.get(value);
      if (!std::isfinite(value)) in.fail();
    }
    const bool too_long = loaded.user.size() > traffic::kUserBytesMax ||
                          loaded.address.size() > traffic::kAddressBytesMax;
    if (too_long) in.fail();
    if (in.ok()) add(std::move(loaded));
  }
  if (!in.ok()) rows_.clear();
}

}  // namespace liminal::features
