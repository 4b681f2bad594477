#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "io/remote_write/request.hpp"

// Whatever is sent, compressed or not: an error, or a request within its limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal::remote_write;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Limits limits{
      .bytes_max = 1 << 16, .series_max = 50, .labels_max = 200, .samples_max = 100};
  const auto check = [&](std::string_view message) {
    const auto request = read(message, limits);
    if (!request) return;
    std::size_t labels = 0, samples = 0;
    for (const Series& series : request->series) {
      LIMINAL_CHECK(!series.label("__name__").empty());
      labels += series.labels.size();
      samples += series.samples.size();
    }
    LIMINAL_CHECK(request->series.size() <= limits.series_max && labels <= limits.labels_max &&
                  samples <= limits.samples_max);
  };
  check(input);
  if (const auto message = decompress(input, limits.bytes_max)) {
    LIMINAL_CHECK(message->size() <= limits.bytes_max);
    check(*message);
  }
  return 0;
}
