#include "app/serve/scaling.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace liminal::app {
namespace {

constexpr std::chrono::seconds kTold{10};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

/// Resident memory as a part of the machine's; nothing when the kernel does not say.
std::optional<double> memory_ratio() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  const long pages = sysconf(_SC_PHYS_PAGES);
  if (!(file >> size >> resident) || pages <= 0) return std::nullopt;
  return resident / static_cast<double>(pages);
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
  const auto at = std::chrono::steady_clock::now();
  if (!last_) last_ = Moment{at, messages, cpu_seconds()};
  if (at - last_->at < kTold) return;
  const double passed = std::chrono::duration<double>(at - last_->at).count();
  const Moment present{at, messages, cpu_seconds()};
  scaling::Observation seen;
  seen.request_rate = static_cast<double>(messages - std::min(messages, last_->messages)) / passed;
  seen.cpu_ratio =
      (present.cpu_s - last_->cpu_s) / passed / std::max(1U, std::thread::hardware_concurrency());
  seen.memory_ratio = memory_ratio();
  seen.replicas = 1;
  last_ = present;
  scaling_.advise({kService, {}, {{now, seen}}}, [](const Result<scaling::Advice>&) {});
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
