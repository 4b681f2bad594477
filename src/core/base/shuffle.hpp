#pragma once

#include <cstddef>
#include <utility>

#include "core/base/random.hpp"

namespace liminal {

/// Brings a sequence into a random order, each as likely (Fisher and Yates).
template <class Sequence>
void shuffle(Sequence& sequence, Random& random) {
  for (std::size_t i = sequence.size(); i > 1; --i)
    std::swap(sequence[i - 1], sequence[random.below(i)]);
}

}  // namespace liminal
