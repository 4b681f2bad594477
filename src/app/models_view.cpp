#include "app/models_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/printable.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

const json& part(const json& object, const char* key) {
  static const json kNone;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNone : *found;
}

std::string text(const json& value) {
  return printable(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string text(const json& object, const char* key) { return text(part(object, key)); }

/// A number as `form` says, or what is there instead of one.
std::string number(const json& value, const char* form, const char* otherwise = "not known yet") {
  return value.is_number() ? fmt::format(fmt::runtime(form), value.get<double>()) : otherwise;
}

/// "version 2 of NAME is champion", "42 %", "failed: why".
std::string outcome(const json& job) {
  const json& result = part(job, "result");
  const std::string state = text(job, "state"), model = text(job, "model_name");
  if (result.is_object()) {
    const json& alias = part(result, "alias");
    return fmt::format("version {} of {} is {}",
                       text(result, "version"),
                       model,
                       alias.is_string() ? text(alias) : "kept");
  }
  if (state == "running")
    return fmt::format(
        "{} runs: {:.0f} %",
        model,
        100 * (part(job, "progress").is_number() ? part(job, "progress").get<double>() : 0.));
  const json& problem = part(job, "problem");
  return fmt::format("{} {}{}", model, state, problem.is_string() ? ": " + text(problem) : "");
}

std::string arms(const json& pair, const char* form) {
  return fmt::format(
      "{} and {}", number(part(pair, "champion"), form), number(part(pair, "challenger"), form));
}

}  // namespace

std::string render_job(const json& job) {
  std::string out = fmt::format("job {}: {}\n", text(job, "job_id"), outcome(job));
  for (const json& reason : part(part(job, "result"), "reasons"))
    out += fmt::format("  {}\n", text(reason));
  const json& board = part(job, "leaderboard");
  if (board.empty()) return out;
  out += fmt::format(
      "  {:>10}  {:>5}  {:>8}  {:>8}  recipe\n", "score", "fits", "seconds", "µs a row");
  for (const json& line : board)
    out += fmt::format("  {:>10}  {:>5}  {:>8}  {:>8}  {}\n",
                       number(part(line, "score"), "{:.5g}", "-"),
                       number(part(line, "fits"), "{:.0f}", "-"),
                       number(part(line, "cost_s"), "{:.2f}", "-"),
                       number(part(line, "us_a_row"), "{:.3g}", "-"),
                       text(line, "recipe"));
  return out;
}

std::string render_jobs(const json& answer) {
  std::string out;
  for (const json& job : part(answer, "jobs"))
    out += fmt::format("{:>4}  {}  {}\n", text(job, "job_id"), text(job, "created"), outcome(job));
  return out;
}

std::string render_experiment(const json& experiment) {
  std::string out = fmt::format("{} of {}, {} against {}: {}\n",
                                text(experiment, "mode"),
                                text(experiment, "model_name"),
                                text(experiment, "champion"),
                                text(experiment, "challenger"),
                                text(experiment, "state"));
  out += fmt::format("judged: {}, difference {}",
                     arms(part(experiment, "judged"), "{:.0f}"),
                     number(part(experiment, "difference"), "{:.5g}"));
  if (const json& interval = part(experiment, "interval"); interval.is_object())
    out += fmt::format(" ({} to {})",
                       number(part(interval, "low"), "{:.5g}"),
                       number(part(interval, "high"), "{:.5g}"));
  out += '\n';
  if (part(experiment, "agreement").is_number())
    out += fmt::format("scored: {}, agreement {}\n",
                       number(part(experiment, "scored"), "{:.0f}"),
                       number(part(experiment, "agreement"), "{:.3f}"));
  if (const json& latency = part(experiment, "latency_us");
      part(latency, "champion").is_number() && part(latency, "challenger").is_number())
    out += fmt::format("microseconds a row: {}\n", arms(latency, "{:.2f}"));
  for (const json& decision : part(experiment, "decisions"))
    out += fmt::format("{}  {}  difference {}, {} rows: {}\n",
                       text(decision, "time"),
                       text(decision, "state"),
                       number(part(decision, "difference"), "{:.5g}"),
                       number(part(decision, "rows"), "{:.0f}"),
                       text(decision, "text"));
  return out;
}

}  // namespace liminal::app
