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

/// What a text keeps, over the configuration; nothing when it cannot be read or does not fit.
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

KeptLimits::KeptLimits(limits::Options configured, std::optional<std::string> text)
    : configured_(std::move(configured)), text_(std::move(text)) {
  weigh();
}

void KeptLimits::configure(limits::Options configured) {
  configured_ = std::move(configured);
  weigh();
}

void KeptLimits::keep(std::optional<std::string> text) {
  text_ = std::move(text);
  weigh();
}

void KeptLimits::weigh() {
  in_force_ = configured_;
  readable_ = true;
  if (!text_) return;
  auto over = kept_over(*text_, configured_);
  readable_ = over.has_value();
  if (!over) return;
  in_force_ = std::move(*over);
  text_ = kept_text(in_force_, configured_.mode);
}

void KeptLimits::tell(Log& log) const {
  static LogSite site;
  if (!text_) return;
  if (!readable_) {
    log.write(LogLevel::kError, site, "limits.unreadable", {{"kept", *text_}});
    return;
  }
  const std::string in_force = policies_text(in_force_), passed_over = policies_text(configured_);
  if (in_force == passed_over) {
    log.write(LogLevel::kInfo, site, "limits.restored");
    return;
  }
  log.write(
      LogLevel::kWarning,
      site,
      "limits.kept",
      {{"why",
        "PUT /ml/limits or the cluster set them; DELETE /ml/limits takes the configuration's"},
       {"in_force", in_force},
       {"configured", passed_over}});
}

}  // namespace liminal::app
