#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/configuration/configuration.hpp"
#include "app/configuration/setting.hpp"

namespace liminal::app {

/// A key with its text, as a flag or the environment gives it, and how the person wrote it.
struct Given {
  std::string key;
  std::string text;
  std::string where;  ///< "--listen"
};

/// Where a configuration comes from; what stands later beats what stands earlier.
struct Sources {
  std::string file_name;                                         ///< for messages; empty: no file
  std::string file_text;                                         ///< TOML
  std::vector<std::pair<std::string, std::string>> environment;  ///< the LIMINAL_… variables
  std::vector<Given> flags;
};

/// A problem and where the person can mend it: "liminal.toml:12", "LIMINAL_LISTEN", "--listen".
struct Complaint {
  Problem problem;
  std::string where;
  std::uint32_t line = 0;  ///< of the file; 0 elsewhere
};

/// "liminal.toml:12: limits.user.burst: must be a whole number".
[[nodiscard]] std::string text(const Complaint& complaint);

struct Loaded {
  Configuration configuration;
  std::map<std::string, std::string> origins;  ///< by key, of all that is not a default
  std::vector<Complaint> problems;             ///< the configuration counts only without any
  std::vector<Complaint> warnings;
};

/// Reads all sources and checks the result. Never stops at the first problem. Unknown keys are
/// problems, unknown variables of the environment warnings: others may use the prefix too.
[[nodiscard]] Loaded load(const Sources& sources);

/// Whether a setting is a mode that nobody gave: it then is the general one.
[[nodiscard]] bool follows_mode(const Setting& setting, const Loaded& loaded);

/// The LIMINAL_… variables of this process.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> liminal_environment();

}  // namespace liminal::app
