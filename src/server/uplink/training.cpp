#include "server/uplink/training.hpp"

#include <limits>
#include <optional>
#include <utility>

#include "io/http/retry.hpp"
#include "io/json/fields.hpp"
#include "io/json/value.hpp"
#include "io/json/writer.hpp"
#include "server/uplink/ask.hpp"

namespace liminal::uplink {
namespace {

using json::Need;
using learn::Asked;
using Kind = http::Outcome::Kind;

constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr std::size_t kLinesMax = 10'000;
constexpr double kAny = std::numeric_limits<double>::max();

tl::unexpected<learn::Refusal> refused(std::string why) {
  return learn::refusal(ErrorCode::kUnavailable, "the cluster " + std::move(why));
}

std::string body_of(const learn::TrainRequest& request) {
  json::Writer out;
  out.begin_object();
  out.field("model_name", request.model);
  out.field("data_source", learn::name(request.source));
  if (!request.file.empty()) out.field("file", request.file);
  out.field("trainer", request.trainer);
  out.field("time_budget_s", request.budget_s);
  if (request.fits_max > 0) out.field("fits_max", request.fits_max);
  out.field("seed", request.seed);
  out.field("auto_deploy", request.auto_deploy);
  out.field("unsupervised", request.unsupervised);
  out.field("leave_out_incidents", request.leave_out_incidents);
  out.field("injected_abuse", request.injected_abuse);
  if (request.distributed) out.field("distributed", true);
  if (request.workers > 0) out.field("workers", request.workers);
  out.end_object();
  return out.take();
}

/// What a refusal of the API says, field by field.
std::string refusal_of(const Result<http::Response>& answer) {
  std::string words = words_of(answer);
  if (!answer) return "gives no answer: " + words;
  const auto value = json::parse(answer->body);
  if (!value) return words;
  Problems ignored;
  json::Fields in(*value, "", ignored);
  if (const auto detail = in.text("detail", Need::kOptional, 1, kTextBytesMax))
    words += ": " + *detail;
  if (const auto* errors = in.array("errors", Need::kOptional, 0, kLinesMax)) {
    for (std::size_t i = 0; i < errors->size(); ++i) {
      json::Fields error = in.element("errors", i, (*errors)[i]);
      const auto path = error.text("path", Need::kOptional, 0, kTextBytesMax);
      const auto detail = error.text("detail", Need::kOptional, 0, kTextBytesMax);
      words += "; " + path.value_or("") + ": " + detail.value_or("");
    }
  }
  return words;
}

struct Job {
  learn::JobState state{};
  double progress = 0;
  std::vector<learn::JobLine> leaderboard;
  std::uint64_t version = 0;  ///< 0: none
  bool champion = false;
  std::vector<std::string> reasons;
  std::string problem;
};

learn::JobLine read_line(json::Fields in) {
  learn::JobLine line;
  line.recipe = in.text("recipe", Need::kRequired, 0, kTextBytesMax).value_or("");
  // One that is no number is told as null.
  if (in.has("score")) line.score = in.number("score", Need::kRequired, -kAny, kAny).value_or(0);
  line.fits = static_cast<std::uint32_t>(in.whole("fits", Need::kRequired, 0).value_or(0));
  line.cost_s = in.number("cost_s", Need::kRequired, 0, kAny).value_or(0);
  line.us_row = in.number("us_a_row", Need::kRequired, 0, kAny).value_or(0);
  line.memory_bytes = in.number("memory_bytes", Need::kRequired, 0, kAny).value_or(0);
  return line;
}

void read_result(json::Fields in, Job& job) {
  job.version = in.whole("version", Need::kRequired, 1).value_or(0);
  if (in.has("alias"))
    job.champion = in.text("alias", Need::kRequired, 1, 64) == learn::name(learn::Alias::kChampion);
  const auto* reasons = in.array("reasons", Need::kRequired, 0, kLinesMax);
  if (reasons == nullptr) return;
  for (const json::Value& reason : *reasons)
    if (const auto* text = reason.as<std::string>()) job.reasons.push_back(*text);
}

/// Nothing for what makes no sense.
std::optional<Job> read_job(const std::string& body) {
  const auto value = json::parse(body);
  if (!value) return std::nullopt;
  Problems problems;
  json::Fields in(*value, "", problems);
  Job job;
  const auto state =
      learn::job_state_by_name(in.text("state", Need::kRequired, 1, 64).value_or(""));
  if (!state) return std::nullopt;
  job.state = *state;
  job.progress = in.number("progress", Need::kRequired, 0, 1).value_or(0);
  if (const auto* lines = in.array("leaderboard", Need::kRequired, 0, kLinesMax)) {
    for (std::size_t i = 0; i < lines->size(); ++i)
      job.leaderboard.push_back(read_line(in.element("leaderboard", i, (*lines)[i])));
  }
  if (in.has("result")) {
    if (auto result = in.object("result", Need::kRequired)) read_result(std::move(*result), job);
  }
  if (in.has("problem"))
    job.problem = in.text("problem", Need::kRequired, 0, kTextBytesMax).value_or("");
  return problems.empty() ? std::optional(std::move(job)) : std::nullopt;
}

/// Of a version, in the answer about its model; those that are numbers.
learn::NamedFigures metrics_of(const std::string& model, std::uint64_t number) {
  learn::NamedFigures figures;
  const auto value = json::parse(model);
  const json::Value* const versions = value ? member(*value, "versions") : nullptr;
  const auto* const list = versions == nullptr ? nullptr : versions->as<json::Value::Array>();
  if (list == nullptr) return figures;
  for (const json::Value& version : *list) {
    const json::Value* const its = member(version, "version");
    const json::Value* const metrics = member(version, "metrics");
    if (its == nullptr || metrics == nullptr || json::as_whole(*its) != number) continue;
    if (const auto* held = metrics->as<json::Value::Object>()) {
      for (const auto& [name, figure] : *held)
        if (const auto known = json::as_number(figure)) figures.emplace_back(name, *known);
    }
  }
  return figures;
}

/// Asks until there is an answer, even a refusal, or it was cancelled or took too long.
Result<http::Response> ask_until_answered(const std::string& target, const Following& following) {
  const SteadyTime begun = following.now();
  for (;;) {
    auto answer = following.ask("GET", target, "");
    const bool waits = http::outcome_of(answer).kind == Kind::kRetry;
    if (!waits || following.now() - begun >= following.unanswered_max) return answer;
    following.pause();
    if (following.cancelled()) return answer;
  }
}

Asked<Trained> fetch(const std::string& model, Job job, const Following& following) {
  const std::string of_model = "/ml/models/" + model;
  const std::string of_version = of_model + "/versions/" + std::to_string(job.version);
  Trained trained;
  std::string about;
  for (const auto& [target, into] : {std::pair{of_version + "/file", &trained.file},
                                     std::pair{of_version + "/report", &trained.report},
                                     std::pair{of_model, &about}}) {
    auto answer = ask_until_answered(target, following);
    if (http::outcome_of(answer).kind != Kind::kDone)
      return refused("trained it; " + target + " " + words_of(answer));
    *into = std::move(answer->body);
  }
  trained.metrics = metrics_of(about, job.version);
  trained.champion = job.champion;
  trained.reasons = std::move(job.reasons);
  trained.leaderboard = std::move(job.leaderboard);
  return trained;
}

/// The job that began, by its number.
Asked<std::string> begin(const learn::TrainRequest& request, const Following& following) {
  const auto answer = following.ask("POST", "/ml/models/train", body_of(request));
  if (http::outcome_of(answer).kind != Kind::kDone) return refused(refusal_of(answer));
  const auto value = json::parse(answer->body);
  Problems problems;
  std::optional<std::string> id;
  if (value) id = json::Fields(*value, "", problems).text("job_id", Need::kRequired, 1, 64);
  if (!id) return refused("names no job");
  return *std::move(id);
}

}  // namespace

Asked<Trained> train_there(const learn::TrainRequest& request, const Following& following) {
  const auto id = begin(request, following);
  if (!id) return tl::unexpected(id.error());
  const std::string target = "/ml/jobs/" + *id;
  for (;;) {
    following.pause();
    const auto answer = ask_until_answered(target, following);
    if (following.cancelled()) {
      (void)following.ask("DELETE", target, "");
      return refused("was told to end it");
    }
    const Kind kind = http::outcome_of(answer).kind;
    if (kind == Kind::kRejected) return refused("knows nothing of it: " + refusal_of(answer));
    if (kind == Kind::kRetry) return refused("answers no more");
    auto job = read_job(answer->body);
    if (!job) return refused("tells of its job what makes no sense");
    if (!learn::ended(job->state)) {
      following.tell(job->progress, std::move(job->leaderboard));
      continue;
    }
    if (job->state == learn::JobState::kSucceeded && job->version > 0)
      return fetch(request.model, std::move(*job), following);
    return refused(std::string(learn::name(job->state)) + " it: " + job->problem);
  }
}

}  // namespace liminal::uplink
