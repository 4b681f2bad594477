#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/check.hpp"
#include "io/json/salience_event.hpp"

// Whatever is posted as an event: a problem with a path, or a score from 0 to 1 whose explanation
// is JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  std::vector<std::string> ignored;
  Problems problems;
  const json::SalienceEvent event =
      json::read_salience_event(*value, "features[0]", ignored, problems);
  for (const Problem& problem : problems) LIMINAL_CHECK(problem.key.starts_with("features[0]"));
  LIMINAL_CHECK(ignored.size() <= json::kIgnoredMax);
  const salience::Judgement judgement = salience::judge(event.fields);
  LIMINAL_CHECK(judgement.salience() >= 0 && judgement.salience() <= 1);
  json::Writer out;
  json::write_explanation(event, judgement, out);
  LIMINAL_CHECK(json::parse(out.text()));
  return 0;
}
