#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace liminal::training {

/// Which of two classes a text says: of numbers the larger is the positive one, else the later in
/// alphabetical order.
struct TwoClasses {
  std::string negative, positive;
};
[[nodiscard]] TwoClasses two_classes(std::string_view one, std::string_view other);

/// Whether a column's numbers stay apart as the 32-bit numbers that are learnt from. Looks at the
/// first `kSeenMax`. Memory: 60 bytes a different number.
class Precision {
 public:
  static constexpr std::size_t kSeenMax = 20'000;

  void add(double number);
  /// A note for a person when more than a hundredth of the different numbers fell together; nothing
  /// otherwise.
  [[nodiscard]] std::optional<std::string> note(std::string_view column) const;

 private:
  std::size_t seen_ = 0;
  std::set<double> numbers_;
  std::set<float> kept_;
};

}  // namespace liminal::training
