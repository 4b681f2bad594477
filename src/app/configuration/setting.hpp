#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/time.hpp"

namespace liminal::app {

struct Configuration;

/// A word out of a closed list: an enumeration of whoever owns the option.
struct Choice {
  std::vector<std::string_view> words;
  std::function<std::string_view()> get;
  std::function<void(std::string_view)> set;  ///< with one of the words
};

/// Where a setting's value lives inside a configuration.
using Slot = std::variant<bool*,
                          std::uint32_t*,
                          std::uint64_t*,
                          std::int64_t*,
                          float*,
                          double*,
                          Duration*,
                          std::string*,
                          std::vector<std::string>*,
                          Choice>;

/// What a number counts. Bytes and durations are written with their unit.
enum class Unit : std::uint8_t { kNone, kBytes, kPerSecond, kRatio };

/// What it takes for a changed value to count.
enum class Change : std::uint8_t { kReload, kRestart };

/// One key of the configuration: from its descriptor come the parser, the environment variable,
/// `print-config`, `check-config` and docs/configuration.md. The default is what the slot of a
/// fresh `Configuration` holds.
struct Setting {
  std::string key;  ///< "gateway.idle_timeout"
  std::function<Slot(Configuration&)> slot;
  std::string help;  ///< one or two sentences
  /// Bounds of a number, both inclusive; of a duration in seconds.
  double low = 0;
  double high = 0;
  Unit unit = Unit::kNone;
  Change change = Change::kReload;
  std::string_view flag{};                 ///< "--listen"; empty when only `--set` reaches it
  std::string_view placeholder = "VALUE";  ///< of the flag, in its help
  bool secret = false;                     ///< never printed
};

/// A value as it was written: in a file with a type, elsewhere as text.
struct Written {
  std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>> value;
  bool from_text = false;  ///< of the environment or a flag: "8" may be a number or a word
};

/// Stores what was written into the setting's slot. Returns what is wrong with it, in words; the
/// slot then keeps its value.
[[nodiscard]] std::optional<std::string> assign(const Setting& setting,
                                                Configuration& configuration,
                                                const Written& written);

/// The value as TOML. Reads back as the same value.
[[nodiscard]] std::string value_text(const Setting& setting, const Configuration& configuration);

/// "duration", "bytes", "one of observe, shadow, enforce": for the reference.
[[nodiscard]] std::string type_text(const Setting& setting);

/// "1 s to 1 h"; empty when there are no bounds.
[[nodiscard]] std::string bounds_text(const Setting& setting);

/// "LIMINAL_GATEWAY_IDLE_TIMEOUT".
[[nodiscard]] std::string environment_name(const Setting& setting);

/// A TOML string, quoted and escaped.
[[nodiscard]] std::string toml_text(std::string_view text);

}  // namespace liminal::app
