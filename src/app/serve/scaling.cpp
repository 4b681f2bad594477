#include "app/serve/scaling.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace liminal::app {
namespace {

constexpr std::chrono::seconds kTold{10};

/// A part of the machine's memory; nothing when the kernel does not say.
std::optional<double> memory_ratio(double bytes) {
  const auto machine =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (!(bytes > 0 && machine > 0)) return std::nullopt;
  return bytes / machine;
}

}  // namespace

void ScalingAdapter::set_options(std::string service,
                                 scaling::ServiceOptions options,
                                 Done<bool> done) {
  // It waits for the disk.
  auto shared = std::make_shared<Done<bool>>(std::move(done));
  const bool taken = scaling_.run([this, service = std::move(service), options, shared] {
    (*shared)(scaling_.set_options(service, options));
  });
  if (!taken) (*shared)(failure(ErrorCode::kUnavailable));
}

void ScalingAdapter::forget(std::string service, Done<void> done) {
  if (!scaling_.forget(service)) return done(failure(ErrorCode::kMissing));
  done({});
}

void OwnUsage::second(EventTime now, std::uint64_t messages) {
  using prometheus::Family;
  const auto at = std::chrono::steady_clock::now();
  if (last_ && at - last_->at < kTold) return;
  prometheus::Snapshot process;
  prometheus::add_process(process);
  const Moment present{at, messages, process.value(Family::kProcessCpu)};
  const auto last = std::exchange(last_, present);
  if (!last) return;
  const double passed = std::chrono::duration<double>(at - last->at).count();
  scaling::Observation seen;
  seen.request_rate = static_cast<double>(messages - std::min(messages, last->messages)) / passed;
  if (present.cpu_s > 0)
    seen.cpu_ratio =
        (present.cpu_s - last->cpu_s) / passed / std::max(1U, std::thread::hardware_concurrency());
  seen.memory_ratio = memory_ratio(process.value(Family::kProcessResident));
  seen.replicas = 1;
  scaling_.advise({kService, {}, {{now, seen}}}, [](const Result<scaling::Advice>&) {});
}

grpc::Advised advised_by(const signals::Scaling& scaling, const shards::EngineClock& clock) {
  return [&](const std::string& service) -> Result<std::optional<std::uint32_t>> {
    const auto advice = scaling.advice(service, EventTime{clock.now().time_since_epoch()});
    if (!advice) return tl::unexpected(advice.error());
    return advice->replicas;
  };
}

void add_grpc_metrics(const grpc::Server& server, prometheus::Snapshot& out) {
  using prometheus::Family;
  const grpc::Counters counters = server.counters();
  for (std::size_t i = 0; i < grpc::Counters::kCalls; ++i) {
    const std::string_view call = name(grpc::Counters::Call(i));
    out.add(Family::kGrpcCalls, counters.answered[i], {call, "answered"});
    out.add(Family::kGrpcCalls, counters.failed[i], {call, "failed"});
  }
  out.add(Family::kGrpcStreams, counters.streams);
}

void add_actor_metrics(const actor::Actor& actor, prometheus::Snapshot& out) {
  using prometheus::Family;
  actor.counters([&out](const std::string& service, const actor::Counters& counters) {
    out.add(Family::kScalingActions, counters.observed, {service, "observed"});
    out.add(Family::kScalingActions, counters.shadowed, {service, "shadowed"});
    out.add(Family::kScalingActions, counters.done, {service, "done"});
    out.add(Family::kScalingActions, counters.failed, {service, "failed"});
    out.add(Family::kScalingActions, counters.rejected, {service, "rejected"});
  });
}

void add_scaling_metrics(const signals::Scaling& scaling,
                         EventTime now,
                         prometheus::Snapshot& out) {
  using prometheus::Family;
  const signals::Scaling::Counters counters = scaling.counters();
  out.add(Family::kScalingServices, counters.services);
  out.add(Family::kScalingEvicted, counters.evicted);
  out.add(Family::kScalingMemory, counters.bytes);
  out.add(Family::kScalingRows, counters.rows, {"learnt"});
  out.add(Family::kScalingRows, counters.rows_late, {"late"});
  for (std::size_t i = 0; i < std::size(counters.advices); ++i)
    out.add(Family::kScalingAdvices, counters.advices[i], {name(scaling::Action(i))});
  out.add(Family::kScalingErrors, counters.save_errors, {"save"});
  out.add(Family::kScalingErrors, counters.load_errors, {"load"});
  out.add(Family::kScalingErrors, counters.refused, {"refuse"});
  for (const signals::Scaling::Line& line : scaling.lines(now)) {
    if (line.advice.replicas)
      out.add(Family::kScalingReplicas, *line.advice.replicas, {line.service});
    if (!line.advice.peak) continue;
    out.add(Family::kScalingLoad, line.advice.peak->p50, {line.service, "0.5"});
    out.add(Family::kScalingLoad, line.advice.peak->p90, {line.service, "0.9"});
    out.add(Family::kScalingLoad, line.advice.peak->p99, {line.service, "0.99"});
  }
}

}  // namespace liminal::app
