#include "app/serve/gateway_threads.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

namespace liminal::app {

namespace {

std::unique_ptr<hub::Threads> make_hubs(shards::Runtime& runtime, const hub::Options& options) {
  std::vector<epoll::Loop*> loops;
  for (std::size_t i = 0; i < runtime.threads(); ++i) loops.push_back(&runtime.worker(i).loop());
  return std::make_unique<hub::Threads>(options, loops);
}

}  // namespace

GatewayThreads::Part::Part(shards::Runtime& runtime,
                           std::size_t index,
                           hub::Threads& hubs,
                           gateway::Census& census)
    : engine(runtime, runtime.worker(index)),
      service(hubs.at(index), [this] { return engine.now(); }),
      gateway(runtime.worker(index).loop(), engine, &service, census, index) {}

GatewayThreads::GatewayThreads(shards::Runtime& runtime,
                               gateway::Reporter& reporter,
                               const hub::Options& hub_options)
    : runtime_(runtime), hubs_(make_hubs(runtime, hub_options)) {
  std::vector<gateway::Gateway*> gateways;
  for (std::size_t i = 0; i < runtime.threads(); ++i) {
    parts_.push_back(std::make_unique<Part>(runtime, i, *hubs_, census_));
    parts_.back()->gateway.report_to(reporter);
    gateways.push_back(&parts_.back()->gateway);
  }
  for (const auto& part : parts_) part->gateway.connect_peers(gateways);
}

void GatewayThreads::on_each(const std::function<void(Part&)>& what) {
  std::vector<std::future<void>> done;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto finished = std::make_shared<std::promise<void>>();
    done.push_back(finished->get_future());
    runtime_.worker(i).loop().post_reserved([&what, part = parts_[i].get(), finished] {
      what(*part);
      finished->set_value();
    });
  }
  for (std::future<void>& each : done) each.wait();
}

void GatewayThreads::configure(const std::shared_ptr<const gateway::Settings>& settings) {
  on_each([&settings](Part& part) { part.gateway.configure(settings); });
  const std::lock_guard lock(mutex_);
  upstreams_ = settings->upstreams;
}

Result<epoll::Address> GatewayThreads::listen(const epoll::Address& at) {
  // The first listener may pick a port; the others share it. A Unix socket has one listener.
  const bool shared = !at.is_unix() && parts_.size() > 1;
  if (shared) {
    if (const Result<void> nobody = epoll::Listener::check_free(at); !nobody)
      return tl::unexpected(nobody.error());
  }
  std::vector<epoll::Listener> listeners;
  epoll::Address where = at;
  for (std::size_t i = 0; i < (shared ? parts_.size() : 1); ++i) {
    auto listener = epoll::Listener::open_at(where, {.share_port = shared});
    if (!listener) return tl::unexpected(listener.error());
    where = listener->local();
    listeners.push_back(std::move(*listener));
  }
  std::atomic<std::size_t> next{0};
  Result<void> outcome;
  std::mutex mutex;
  on_each([&](Part& part) {
    const std::size_t mine = next.fetch_add(1);
    if (mine >= listeners.size()) return;
    const Result<void> listening = part.gateway.listen(std::move(listeners[mine]));
    const std::lock_guard lock(mutex);
    if (!listening) outcome = listening;
  });
  if (!outcome) return tl::unexpected(outcome.error());
  return where;
}

void GatewayThreads::drain(Duration patience) {
  on_each([](Part& part) { part.gateway.drain(); });
  const auto until = std::chrono::steady_clock::now() + patience;
  for (bool idle = false; !idle && std::chrono::steady_clock::now() < until;) {
    std::atomic<bool> all{true};
    on_each([&all](Part& part) {
      if (!part.gateway.idle()) all = false;
    });
    idle = all;
    if (!idle) std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

void GatewayThreads::end_blocked(std::string_view user) {
  const traffic::Name name(user);
  parts_[runtime_.owner(shard_of(name.hash))]->gateway.end_blocked(name);
}

std::shared_ptr<const gateway::Upstreams> GatewayThreads::upstreams() const {
  const std::lock_guard lock(mutex_);
  return upstreams_;
}

prometheus::Histogram GatewayThreads::handshake_seconds() const {
  prometheus::Histogram all;
  for (const auto& part : parts_) all.merge(part->gateway.handshake_seconds());
  return all;
}

prometheus::Histogram GatewayThreads::message_seconds() const {
  prometheus::Histogram all;
  for (const auto& part : parts_) all.merge(part->gateway.message_seconds());
  return all;
}

prometheus::Histogram GatewayThreads::connection_seconds() const {
  prometheus::Histogram all;
  for (const auto& part : parts_) all.merge(part->gateway.connection_seconds());
  return all;
}

gateway::Totals GatewayThreads::counters() const {
  gateway::Totals totals;
  for (const auto& part : parts_) gateway::add_to(totals, part->gateway.counters());
  return totals;
}

}  // namespace liminal::app
