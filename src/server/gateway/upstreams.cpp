#include "server/gateway/upstreams.hpp"

#include <algorithm>

#include "server/gateway/upstream_url.hpp"

namespace liminal::gateway {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds{250};
constexpr std::uint32_t kDoublingsMax = 6;

Result<std::shared_ptr<Upstream>> open(const std::string& url) {
  const auto read = parse_upstream(url);
  if (!read) return failure(ErrorCode::kMalformed);
  const Result<std::vector<epoll::Address>> addresses = epoll::resolve(read->target);
  if (!addresses) return tl::unexpected<Error>(addresses.error());
  return std::make_shared<Upstream>(url, read->host, *addresses, read->ciphered);
}

}  // namespace

const epoll::Address& Upstream::address() const {
  return addresses_[failures_.load(kRelaxed) % addresses_.size()];
}

void Upstream::failed(epoll::LoopTime now) {
  errors_.fetch_add(1, kRelaxed);
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

bool Upstream::healthy(epoll::LoopTime now) const { return up() && out_until() <= now; }

Result<std::shared_ptr<const Upstreams>> Upstreams::make(const std::vector<std::string>& urls,
                                                         const Upstreams* before) {
  auto made = std::make_shared<Upstreams>();
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const auto same = [&](const auto& upstream) { return upstream->name() == urls[i]; };
    if (std::any_of(made->all_.begin(), made->all_.end(), same))
      return failure(ErrorCode::kConflict, i);
    if (before != nullptr) {
      const auto kept = std::find_if(before->all_.begin(), before->all_.end(), same);
      if (kept != before->all_.end()) {
        made->all_.push_back(*kept);
        continue;
      }
    }
    Result<std::shared_ptr<Upstream>> opened = open(urls[i]);
    if (!opened) return failure(opened.error().code, i);
    made->all_.push_back(std::move(*opened));
  }
  return std::shared_ptr<const Upstreams>(std::move(made));
}

std::shared_ptr<Upstream> Upstreams::pick(epoll::LoopTime now,
                                          const std::vector<const Upstream*>& tried) const {
  const std::shared_ptr<Upstream>* best = nullptr;
  const auto better = [&](const Upstream& a, const Upstream& b) {
    const bool a_healthy = a.healthy(now), b_healthy = b.healthy(now);
    if (a_healthy != b_healthy) return a_healthy;
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
