#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/check.hpp"
#include "core/detect/rings.hpp"
#include "core/detect/rules.hpp"
#include "core/detect/statistics.hpp"

// What comes from a file may be damaged: it loads as nothing, or as something that goes on working.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  using namespace liminal::detect;
  if (size == 0) return 0;
  Reader in({reinterpret_cast<const char*>(data) + 1, size - 1});
  UserStatistics user;
  Population population;
  Rings rings;
  std::vector<Contribution> learnt(1);
  switch (data[0] % 4) {
    case 0:
      user.load(in);
      break;
    case 1:
      population.load(in);
      break;
    case 2:
      rings.load(in);
      break;
    default:
      learnt[0].load(in);
  }
  const Options options;
  SteadyTime now{std::chrono::hours{1}};
  std::vector<RingFinding> found;
  const traffic::Name channel{"c"};
  for (int i = 0; i < 4; ++i) {
    traffic::Event event;
    event.user = traffic::Name{"u"};
    event.address = traffic::Name{"a"};
    event.channels = {&channel, 1};
    event.bytes = 100;
    Findings findings;
    const float score = user.step(event, now, options, population, learnt[0], findings);
    LIMINAL_CHECK(score >= 0);  // false for NaN
    now += std::chrono::seconds{1};
    population.learn(learnt, now, options.warm_up);
    rings.learn(learnt, now, options, population, found);
    learnt[0].clear();
  }
  return 0;
}
