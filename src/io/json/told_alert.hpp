#pragma once

#include <vector>

#include "core/traffic/alert.hpp"
#include "io/json/fields.hpp"
#include "io/json/writer.hpp"

namespace liminal::json {

/// Schema `ToldAlert`: an alert as a gateway tells a cluster of it, with the evidence of its worst
/// finding and what an operator said.
void write(const traffic::JudgedAlert& told, Writer& out);

/// Reads one that the gateway of that name tells. Its id there becomes its origin; it has no number
/// yet. The worst finding is taken for the first one too. `latest`: a word of a clock that is
/// further ahead was said then. With problems reported it means nothing.
[[nodiscard]] traffic::JudgedAlert read_told_alert(Fields& in,
                                                   const std::string& gateway,
                                                   SteadyTime latest);

/// Schema `ToldWord`: what was said at a cluster of a gateway's alert, under its id there.
void write_word(const traffic::JudgedAlert& word, Writer& out);
/// Reads the same: of the alert its id, when it began and its feedback.
[[nodiscard]] traffic::JudgedAlert read_word(Fields& in);

/// The features of a row, each of which must be there and in its range.
[[nodiscard]] traffic::Features read_features(Fields& in);

}  // namespace liminal::json
