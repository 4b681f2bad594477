#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "core/forecast/forecaster.hpp"

// Whatever a snapshot holds: it is refused, or what was loaded forecasts and saves itself the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  forecast::Options options;
  options.horizon = 8;
  forecast::Forecaster forecaster(options);
  Reader in({reinterpret_cast<const char*>(data), size});
  if (!forecaster.load(in)) return 0;
  constexpr double kLevels[] = {.1, .9};
  static_cast<void>(forecaster.forecast(1, kLevels));
  static_cast<void>(forecaster.forecast(8, kLevels));
  Writer once, twice;
  forecaster.save(once);
  forecast::Forecaster again(options);
  Reader written(once.bytes());
  LIMINAL_CHECK(again.load(written).has_value());
  again.save(twice);
  LIMINAL_CHECK(once.bytes() == twice.bytes());
  forecaster.learn(1);
  static_cast<void>(forecaster.refit());
  return 0;
}
