#include "app/serve/own_usage.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "io/prometheus/snapshot.hpp"
#include "server/api/own_names.hpp"

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

double messages_of(const gateway::Totals& totals) {
  double messages = 0;
  for (const auto& direction : totals.messages) {
    for (const std::uint64_t count : direction) messages += static_cast<double>(count);
  }
  return messages;
}

}  // namespace

void OwnUsage::second(EventTime now, SteadyPoint at, const std::function<GatewayUsage()>& usage) {
  using prometheus::Family;
  if (told_at_ && at - *told_at_ < kTold) return;
  const GatewayUsage used = usage();
  prometheus::Snapshot process;
  prometheus::add_process(process);
  memory_ratio_ = memory_ratio(process.value(Family::kProcessResident));
  Moments present;
  present[std::string(api::kOwnName)] = {
      messages_of(used.totals), used.message_seconds, process.value(Family::kProcessCpu)};
  if (used.upstreams) {
    for (const auto& upstream : used.upstreams->all()) {
      const std::string name = api::own_name_of_upstream(upstream->name());
      if (present.size() > kUpstreamsMax) break;
      if (name.size() > scaling::kServiceNameMax) continue;
      const gateway::UpstreamTotals totals = upstream->totals();
      present[name] = {
          static_cast<double>(totals.messages[0] + totals.messages[1]), totals.answer_seconds, 0};
    }
  }
  keep(present);
  const auto last = std::exchange(told_at_, at);
  const Moments before = std::exchange(told_, present);
  if (last) tell(now, before, present, std::chrono::duration<double>(at - *last).count());
}

/// None of them is forgotten for services that strangers name.
void OwnUsage::keep(const Moments& present) {
  std::vector<std::string> names;
  for (const auto& one : present) names.push_back(one.first);
  scaling_.keep(std::move(names));
}

void OwnUsage::tell(EventTime now, const Moments& before, const Moments& present, double passed_s) {
  for (const auto& [service, moment] : present) {
    const auto last = before.find(service);
    // One that came anew has a first moment only; one that came again counts from nothing.
    if (last == before.end() || moment.messages < last->second.messages) continue;
    scaling::Observation seen;
    seen.request_rate = (moment.messages - last->second.messages) / passed_s;
    seen.response_time_s = moment.times.mean_since(last->second.times);
    seen.replicas = 1;
    if (service == api::kOwnName) {
      if (moment.cpu_s > 0)
        seen.cpu_ratio = (moment.cpu_s - last->second.cpu_s) / passed_s /
                         std::max(1U, std::thread::hardware_concurrency());
      seen.memory_ratio = memory_ratio_;
    }
    scaling_.advise({service, {}, {{now, seen}}}, [](const Result<scaling::Advice>&) {});
  }
}

}  // namespace liminal::app
