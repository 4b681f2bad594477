#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liminal::training {

/// Which of two classes a text says: of numbers the larger is the positive one, else the later in
/// alphabetical order.
struct TwoClasses {
  std::string negative, positive;
};
[[nodiscard]] TwoClasses two_classes(std::string_view one, std::string_view other);

/// Whether a column's numbers stay apart as the 32-bit numbers that are learnt from. Looks at the
/// first `kSeenMax`. Memory: 8 bytes each, 16 KB at most.
class Precision {
 public:
  static constexpr std::size_t kSeenMax = 2'000;

  void add(double number);
  /// A note for a person when more than a hundredth of the different numbers fell together; nothing
  /// otherwise.
  [[nodiscard]] std::optional<std::string> note(std::string_view column) const;

 private:
  std::vector<double> seen_;
};

}  // namespace liminal::training
