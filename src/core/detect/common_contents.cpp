#include "core/detect/common_contents.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/detect/loading.hpp"

namespace liminal::detect {
namespace {

constexpr std::uint16_t kShort = 2;  // the bit of a mark that says so

/// How many of the active users must repeat a content, as decayed counts.
double needed(std::uint16_t content, double active) {
  // One user's decayed count is at most 1.58: alone nobody makes anything common.
  constexpr double kUsersMin = 1.6, kShareOfFew = .5;
  const double users = is_short(content) ? 2 : 5, share = is_short(content) ? .05 : .1;
  return std::max(kUsersMin, std::min(kShareOfFew * active, std::max(users, share * active)));
}

/// Below this nobody repeats it any more.
constexpr double kForgotten = .01;

}  // namespace

std::uint16_t content_mark(std::uint64_t content_hash, std::uint32_t bytes) {
  constexpr std::uint32_t kShortBytes = 64;
  constexpr std::uint64_t kKnown = 1;
  const std::uint64_t bits = mix64(content_hash) >> 48 & ~std::uint64_t{kShort};
  return static_cast<std::uint16_t>(bits | kKnown | (bytes <= kShortBytes ? kShort : 0U));
}

bool is_short(std::uint16_t content) { return (content & kShort) != 0; }

void CommonContents::decay(double factor) {
  for (Candidate& candidate : candidates_)
    candidate.users = static_cast<float>(static_cast<double>(candidate.users) * factor);
}

void CommonContents::count(const RepeatedContent& repeated) {
  const auto known =
      std::find_if(candidates_.begin(), candidates_.end(), [&repeated](const Candidate& candidate) {
        return candidate.content == repeated.content;
      });
  if (known != candidates_.end()) {
    known->users += static_cast<float>(repeated.users);
    return;
  }
  // What is common is repeated by more users than anything that comes anew.
  const auto least = std::min_element(
      candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
        return a.common != b.common ? b.common : a.users < b.users;
      });
  if (!least->common) *least = {static_cast<float>(repeated.users), repeated.content, false};
}

void CommonContents::settle(double active) {
  constexpr double kFew = 3;  // of fewer active users the share says nothing against it
  for (Candidate& candidate : candidates_) {
    if (candidate.content == 0) continue;
    const auto users = static_cast<double>(candidate.users);
    if (users >= needed(candidate.content, active))
      candidate.common = true;
    else if (active >= kFew && users < needed(candidate.content, active) / 2)
      candidate.common = false;
    if (!candidate.common && users < kForgotten) candidate = {};
  }
  derive();
}

bool CommonContents::holds(std::uint16_t content) const {
  const auto* const end = common_.data() + common_count_;
  return std::find(common_.data(), end, content) != end;
}

void CommonContents::derive() {
  common_count_ = 0;
  for (const Candidate& candidate : candidates_)
    if (candidate.common) common_[common_count_++] = candidate.content;
}

void CommonContents::save(Writer& out) const {
  for (const Candidate& candidate : candidates_) {
    out.put(candidate.content);
    out.put(candidate.users);
    out.put(candidate.common);
  }
}

void CommonContents::load(Reader& in) {
  for (Candidate& candidate : candidates_) {
    in.get(candidate.content);
    candidate.users = get_amount(in);
    candidate.common = in.get<std::uint8_t>() != 0 && candidate.content != 0;
  }
  derive();
}

}  // namespace liminal::detect
