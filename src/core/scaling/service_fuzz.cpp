#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.hpp"
#include "core/scaling/service.hpp"

namespace {

using namespace liminal;
using namespace liminal::scaling;

void check_is_sane(const Advice& advice, const ServiceOptions& options) {
  if (advice.replicas) LIMINAL_CHECK(*advice.replicas <= options.replicas_max);
  if (advice.confidence) LIMINAL_CHECK(*advice.confidence >= 0 && *advice.confidence <= 1);
  if (!advice.peak) return;
  for (const double load : {advice.peak->p10, advice.peak->p50, advice.peak->p90, advice.peak->p99})
    LIMINAL_CHECK(load >= 0 && std::isfinite(load));
}

void check_comes_back(const Service& service) {
  Writer out;
  service.save(out);
  Reader in(out.bytes());
  Service again;
  LIMINAL_CHECK(again.load(in));
  LIMINAL_CHECK(again.state_hash() == service.state_hash());
}

}  // namespace

// A saved service may be damaged: it is refused, or goes on learning and advising and can be saved.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader in({reinterpret_cast<const char*>(data), size});
  Service service;
  if (!service.load(in)) return 0;
  check_comes_back(service);
  const ServiceOptions options;
  EventTime now{std::chrono::minutes{30'000'000}};
  check_is_sane(service.advise(now, options), options);
  for (int i = 0; i < 4; ++i, now += std::chrono::minutes{1}) {
    Observation seen;
    seen.request_rate = 100. + i;
    seen.cpu_ratio = .5;
    seen.memory_ratio = .4;
    seen.response_time_s = .1;
    seen.replicas = 3;
    (void)service.observe(now, seen, options);
    check_is_sane(service.advise(now, options), options);
  }
  (void)service.memory_bytes();
  check_comes_back(service);
  return 0;
}
