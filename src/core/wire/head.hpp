#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

namespace liminal::wire {

/// Why a head, or the upgrade that it asks for, is refused.
enum class UpgradeFault : std::uint8_t {
  // The grammar of a head (RFC 9112), as strictly as a proxy needs it: nothing that two parsers
  // could read in two ways.
  kTargetTooLong,
  kHeadTooLarge,
  kTooManyFields,
  kControlCharacter,  ///< NUL and its like, anywhere
  kBareLineEnd,       ///< CR without LF, or LF without CR
  kStartLine,
  kVersion,  ///< HTTP, but not 1.1
  kFolded,   ///< a field continued on the next line
  kFieldName,
  kDuplicateField,  ///< of those that may stand once only
  // What an upgrade needs.
  kMethod,
  kTarget,
  kHost,
  kBody,
  kExpectation,
  kNotAnUpgrade,
  kUpgradeToOther,
  kConnectionOption,  ///< `Connection` names a field, which would make the next hop drop it
  kWebSocketVersion,
  kWebSocketKey,
  kEarlyBytes,  ///< bytes after the head, before the answer
  // What an answer can break besides.
  kAcceptKey,
  kExtensionNotOffered,
  kSubprotocolNotOffered,
};

/// A sentence for the answer's body or a log.
[[nodiscard]] std::string_view name(UpgradeFault fault);

/// The status that refuses a request with this fault: 400, 405, 414, 417, 426, 431 or 505.
[[nodiscard]] unsigned status(UpgradeFault fault);

template <class T>
using UpgradeResult = tl::expected<T, UpgradeFault>;

/// Bounds of one head.
struct HeadLimits {
  std::size_t bytes_max = 8192;
  std::size_t target_bytes_max = 4096;
};
inline constexpr std::size_t kFieldsMax = 64;

struct Field {
  std::string_view name;
  std::string_view value;  ///< without the white space around it
};

/// Whether two field names are the same: case does not count.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

/// The same, and `_` is `-`: what a CGI-like upstream cannot tell apart.
[[nodiscard]] bool alike_name(std::string_view a, std::string_view b);

/// The fields of a head in their order, pointing into it.
class Fields {
 public:
  [[nodiscard]] bool add(Field field);

  /// The first of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] const Field* begin() const { return fields_.data(); }
  [[nodiscard]] const Field* end() const { return fields_.data() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::array<Field, kFieldsMax> fields_;
  std::size_t size_ = 0;
};

/// Finds where a head ends while it arrives, looking at each byte once.
///
/// Guarantee: however it is cut, the answer is the same. What can be refused early is: a control
/// character, a bare line end, too many bytes.
class HeadScanner {
 public:
  /// `buffered`: all that has arrived since the head's first byte. Gives the head's size, its empty
  /// line included, or 0 while it is incomplete.
  [[nodiscard]] UpgradeResult<std::size_t> scan(std::string_view buffered,
                                                const HeadLimits& limits);

 private:
  std::size_t seen_ = 0;
  std::size_t line_start_ = 0;
  bool in_start_line_ = true;
};

struct Head {
  std::string_view start_line;
  Fields fields;
};

/// Splits a whole head, as `HeadScanner` measured it, into its lines and checks their grammar.
[[nodiscard]] UpgradeResult<Head> parse_head(std::string_view head);

/// Calls `each(item)` for the items of a comma-separated list, without white space around them;
/// stops when it answers false, and answers whether it never did.
template <class Each>
bool for_each_item(std::string_view list, Each each) {
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (!item.empty() && !each(item)) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace liminal::wire
