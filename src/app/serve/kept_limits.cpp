#include "app/serve/kept_limits.hpp"

#include <utility>

#include "io/json/fields.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {
namespace {

std::string policies_text(const limits::Options& options) {
  json::Writer out;
  api::write_policies(options, out);
  return out.text();
}

}  // namespace

std::string kept_text(const limits::Options& set, traffic::Mode configured) {
  json::Writer out;
  out.begin_object();
  out.field("configured_mode", name(configured));
  out.key("policies");
  api::write_policies(set, out);
  out.end_object();
  return out.text();
}

std::optional<limits::Options> kept_over(const std::string& kept,
                                         const limits::Options& configured) {
  const Result<json::Value> value = json::parse(kept);
  if (!value) return std::nullopt;
  limits::Options options = configured;
  Problems problems;
  json::Fields fields(*value, "", problems);
  std::optional<traffic::Mode> mode_then;
  if (fields.has("policies")) {
    mode_then = fields.one_of("configured_mode",
                              json::Need::kRequired,
                              traffic::mode_by_name,
                              "observe, shadow or enforce");
    if (auto policies = fields.object("policies", json::Need::kRequired))
      api::read_policies(std::move(*policies), options);
    fields.finish();
  } else {
    // As earlier versions kept them: of the configuration of then nothing is known.
    api::read_policies(std::move(fields), options);
  }
  if (mode_then != configured.mode) options.mode = configured.mode;
  if (!problems.empty() || !limits::validate(options).empty()) return std::nullopt;
  return options;
}

limits::Options limits_in_force(const std::optional<std::string>& kept,
                                const limits::Options& configured,
                                Log& log) {
  if (!kept) return configured;
  static LogSite site;
  const auto options = kept_over(*kept, configured);
  if (!options) {
    log.write(LogLevel::kError, site, "limits.unreadable", {{"kept", *kept}});
    return configured;
  }
  const std::string in_force = policies_text(*options), passed_over = policies_text(configured);
  if (in_force == passed_over) {
    log.write(LogLevel::kInfo, site, "limits.restored");
  } else {
    log.write(LogLevel::kWarning,
              site,
              "limits.kept",
              {{"why", "PUT /ml/limits set them; DELETE /ml/limits takes the configuration's"},
               {"in_force", in_force},
               {"configured", passed_over}});
  }
  return *options;
}

}  // namespace liminal::app
