#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/problem.hpp"
#include "core/salience/judgement.hpp"
#include "io/json/value.hpp"
#include "io/json/writer.hpp"

namespace liminal::json {

inline constexpr std::size_t kSalienceTextBytesMax = 256;
/// Numbers beyond it are mistakes, whatever they were to mean.
inline constexpr double kSalienceNumberMax = 1e12;
inline constexpr std::size_t kIgnoredMax = 100;

/// An event of POST /salience and of `liminal salience`: schema `SalienceEvent`.
struct SalienceEvent {
  std::string type, source, user;  ///< empty: it does not say
  std::string severity;            ///< the word that was given, if it was one
  salience::Fields fields;
  std::bitset<salience::kFields> clipped;  ///< fractions above 1, which count as 1
};

/// Reads one event; what is wrong with it is a problem under `path` ("features[3]"). A field that
/// nobody asked for, and "severity WORD" of a word that is not known, is named in `ignored`, once
/// for all events, the first `kIgnoredMax` of them. Null is what an event does not say.
[[nodiscard]] SalienceEvent read_salience_event(const Value& value,
                                                const std::string& path,
                                                std::vector<std::string>& ignored,
                                                Problems& problems);

/// Why an event is as salient as it is: one line a term, whose log-odds add up to those of the
/// score. Schema `SalienceExplanation`.
void write_explanation(const SalienceEvent& event,
                       const salience::Judgement& judgement,
                       Writer& out);

}  // namespace liminal::json
