#include "server/gateway/upstreams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "server/gateway/upstream_url.hpp"

namespace liminal::gateway {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds{250};
constexpr std::uint32_t kDoublingsMax = 6;

/// Reads a URL; its name is not asked for yet.
Result<std::shared_ptr<Upstream>> read(const std::string& url) {
  const auto parsed = parse_upstream(url);
  if (!parsed) return failure(ErrorCode::kMalformed);
  return std::make_shared<Upstream>(url, parsed->host, parsed->target, parsed->ciphered);
}

/// Asks for an upstream's addresses. Fails only where the target is none at all.
Result<void> look_up(Upstream& upstream, const Resolve& resolve, std::vector<Lookup>& news) {
  auto addresses = resolve(upstream.target());
  if (!addresses && addresses.error().code != ErrorCode::kUnavailable)
    return tl::unexpected<Error>(addresses.error());
  const bool known = addresses && !addresses->empty();
  if (!known) upstream.doubt();
  if (known && !upstream.move_to(std::move(*addresses))) return {};
  if (!epoll::Address::parse(upstream.target()))  // what is no name has no news
    news.push_back({upstream.name(), known, upstream.addresses_text()});
  return {};
}

/// In an order of their own: name servers give them in another one each time.
std::vector<std::string> texts(const std::vector<epoll::Address>& addresses) {
  std::vector<std::string> all;
  for (const epoll::Address& address : addresses) all.push_back(address.text());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

std::optional<epoll::Address> Upstream::address() const {
  const std::lock_guard lock(mutex_);
  if (addresses_.empty()) return std::nullopt;
  return addresses_[failures_.load(kRelaxed) % addresses_.size()];
}

bool Upstream::move_to(std::vector<epoll::Address> addresses) {
  std::vector<std::string> stayed;
  {
    const std::lock_guard lock(mutex_);
    const std::vector<std::string> before = texts(addresses_), now = texts(addresses);
    if (now == before) return false;
    std::set_intersection(
        now.begin(), now.end(), before.begin(), before.end(), std::back_inserter(stayed));
    addresses_ = std::move(addresses);
    resolved_.store(!addresses_.empty(), kRelaxed);
  }
  // Name servers may give some of many addresses, others each time.
  if (stayed.empty()) succeeded();
  return true;
}

std::string Upstream::addresses_text() const {
  const std::lock_guard lock(mutex_);
  return fmt::format("{}", fmt::join(texts(addresses_), ", "));
}

bool Upstream::wants_lookup(epoll::LoopTime now, Duration pause) {
  if (resolved() && !doubted_.load(kRelaxed)) return false;
  Duration::rep last = looked_up_.load(kRelaxed);
  if (last != 0 && now < Duration{last} + pause) return false;
  if (!looked_up_.compare_exchange_strong(last, now.count(), kRelaxed)) return false;
  doubted_.store(false, kRelaxed);
  return true;
}

void Upstream::drain(epoll::LoopTime now) {
  Duration::rep never = 0;
  (void)draining_since_.compare_exchange_strong(never, now.count(), kRelaxed);
}

void Upstream::failed(epoll::LoopTime now) {
  errors_.fetch_add(1, kRelaxed);
  doubt();
  const std::uint32_t before = std::min(failures_.fetch_add(1, kRelaxed), kDoublingsMax);
  out_until_.store((now + kFirstPause * (1U << before)).count(), kRelaxed);
}

void Upstream::succeeded() {
  if (out_until_.load(kRelaxed) == 0) return;
  out_until_.store(0, kRelaxed);
  failures_.store(0, kRelaxed);
}

UpstreamTally& Upstream::tally(std::size_t thread) {
  const std::lock_guard lock(mutex_);
  if (thread >= tallies_.size()) tallies_.resize(thread + 1);
  if (!tallies_[thread]) tallies_[thread] = std::make_unique<UpstreamTally>();
  return *tallies_[thread];
}

UpstreamTotals Upstream::totals() const {
  UpstreamTotals all;
  const std::lock_guard lock(mutex_);
  for (const auto& tally : tallies_) {
    if (!tally) continue;
    for (std::size_t i = 0; i < all.messages.size(); ++i) {
      all.messages[i] += tally->messages[i].value();
      all.bytes[i] += tally->bytes[i].value();
    }
    all.error_answers += tally->error_answers.value();
    all.answer_seconds.merge(tally->answer_seconds.read());
  }
  return all;
}

bool Upstream::healthy(epoll::LoopTime now) const {
  return resolved() && up() && out_until() <= now;
}

Result<std::shared_ptr<const Upstreams>> Upstreams::make(const std::vector<std::string>& urls,
                                                         const Upstreams* before,
                                                         const Resolve& resolve,
                                                         std::vector<Lookup>* news) {
  auto made = std::make_shared<Upstreams>();
  std::vector<Lookup> unheard;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const auto same = [&](const auto& upstream) { return upstream->name() == urls[i]; };
    if (std::any_of(made->all_.begin(), made->all_.end(), same))
      return failure(ErrorCode::kConflict, i);
    std::shared_ptr<Upstream> upstream = before == nullptr ? nullptr : before->find(urls[i]);
    if (upstream == nullptr) {
      Result<std::shared_ptr<Upstream>> opened = read(urls[i]);
      if (!opened) return failure(opened.error().code, i);
      upstream = std::move(*opened);
    }
    if (upstream->resolved()) {
      // In use: a reload waits for no name server because of it.
      upstream->ask_again();
    } else if (const auto asked = look_up(*upstream, resolve, news == nullptr ? unheard : *news);
               !asked) {
      return failure(asked.error().code, i);
    }
    made->all_.push_back(std::move(upstream));
  }
  const auto known = [](const auto& upstream) { return upstream->resolved(); };
  if (!urls.empty() && std::none_of(made->all_.begin(), made->all_.end(), known))
    return failure(ErrorCode::kUnavailable, 0);
  if (before != nullptr) made->take_over_removed(*before);
  return std::shared_ptr<const Upstreams>(std::move(made));
}

std::shared_ptr<Upstream> Upstreams::find(std::string_view name) const {
  for (const auto& upstream : all_)
    if (upstream->name() == name) return upstream;
  for (const auto& removed : removed_)
    if (auto upstream = removed.lock(); upstream && upstream->name() == name) return upstream;
  return nullptr;
}

void Upstreams::take_over_removed(const Upstreams& before) {
  const auto take = [this](const std::shared_ptr<Upstream>& upstream) {
    if (upstream && std::find(all_.begin(), all_.end(), upstream) == all_.end())
      removed_.push_back(upstream);
  };
  for (const auto& upstream : before.all_) take(upstream);
  for (const auto& removed : before.removed_) take(removed.lock());
}

std::vector<std::shared_ptr<Upstream>> Upstreams::draining() const {
  std::vector<std::shared_ptr<Upstream>> found;
  for (const auto& removed : removed_)
    if (auto upstream = removed.lock(); upstream && upstream->connections() > 0)
      found.push_back(std::move(upstream));
  return found;
}

void Upstreams::mark(epoll::LoopTime now) const {
  for (const auto& upstream : all_) upstream->take_in();
  for (const auto& removed : removed_)
    if (const auto upstream = removed.lock()) upstream->drain(now);
}

std::vector<Lookup> Upstreams::look_up_again(epoll::LoopTime now, const Resolve& resolve) const {
  std::vector<Lookup> news;
  for (const auto& upstream : all_) {
    // A target that can be no name was refused when the list was made.
    if (upstream->wants_lookup(now, kLookupPause)) (void)look_up(*upstream, resolve, news);
  }
  return news;
}

std::shared_ptr<Upstream> Upstreams::pick(epoll::LoopTime now,
                                          const std::vector<const Upstream*>& tried) const {
  const std::shared_ptr<Upstream>* best = nullptr;
  const auto better = [&](const Upstream& a, const Upstream& b) {
    const bool a_healthy = a.healthy(now), b_healthy = b.healthy(now);
    if (a_healthy != b_healthy) return a_healthy;
    if (a.resolved() != b.resolved()) return a.resolved();
    if (a.up() != b.up()) return a.up();
    return a_healthy ? a.connections() < b.connections() : a.out_until() < b.out_until();
  };
  for (const auto& each : all_) {
    if (std::find(tried.begin(), tried.end(), each.get()) != tried.end()) continue;
    if (best == nullptr || better(*each, **best)) best = &each;
  }
  return best == nullptr ? nullptr : *best;
}

}  // namespace liminal::gateway
