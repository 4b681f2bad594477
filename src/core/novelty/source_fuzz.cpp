#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.hpp"
#include "core/novelty/source.hpp"

namespace {

using namespace liminal;
using namespace liminal::novelty;

void check_is_sane(const RowScore& row) {
  LIMINAL_CHECK(row.score >= 0 && std::isfinite(row.score));
  LIMINAL_CHECK(row.rarity >= 0 && std::isfinite(row.rarity));
  LIMINAL_CHECK(row.confidence >= 0 && row.confidence <= 1);
  for (const RowScore::Part& part : row.parts) {
    LIMINAL_CHECK(part.own.score >= 0 && std::isfinite(part.own.score));
    LIMINAL_CHECK(std::isfinite(part.contribution));
    if (part.expected) LIMINAL_CHECK(part.expected->low <= part.expected->high);
  }
}

void check_comes_back(const Source& source) {
  Writer out;
  source.save(out);
  Reader in(out.bytes());
  Source again;
  LIMINAL_CHECK(again.load(in) && in.at_end());
  LIMINAL_CHECK(again.state_hash() == source.state_hash());
}

}  // namespace

// A saved source may be damaged: it loads as nothing, or as one that goes on judging and can be
// saved.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader in({reinterpret_cast<const char*>(data), size});
  Source source;
  bool loaded = source.load(in).has_value();
  if (!loaded) {
    Reader before({reinterpret_cast<const char*>(data), size});
    loaded = source.load(before, false).has_value();
  }
  LIMINAL_CHECK(loaded || source.metrics() == 0);
  if (loaded) check_comes_back(source);
  (void)source.find_or_add("more");
  EventTime now{std::chrono::seconds{1'800'000'000}};
  RowScore row;
  for (int i = 0; i < 8; ++i, now += std::chrono::seconds{60}) {
    std::vector<Source::Value> values;
    for (std::uint32_t metric = 0; metric < std::min<std::size_t>(8, source.metrics()); ++metric)
      values.push_back({metric, i == 6 ? 1e6 : .5 + .1 * i});
    source.step(values, now, i % 2 == 0, row);
    check_is_sane(row);
  }
  check_comes_back(source);
  return 0;
}
