#include "app/models_api.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "app/api_client.hpp"
#include "app/models_view.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLook{500};

struct TrainArguments {
  ClientOptions server;
  std::vector<std::string> names;
  bool all = false, detach = false, keep = false, unsupervised = false, leave_out = false,
       injected = false, distributed = false;
  std::string source, file, trainer;
  std::optional<double> budget_s;
  std::optional<std::uint32_t> fits_max, workers;
  std::optional<std::uint64_t> seed;
};

struct CallArguments {
  ClientOptions server;
  std::string name, output, mode = "shadow";
  std::uint64_t id = 0;
  std::uint32_t version = 0;
  std::size_t limit = 20;
  std::optional<double> share, effect;
  bool cancel = false, page = false;
};

ExitCode complain(const std::string& text) {
  fmt::print(stderr, "liminal: {}\n", text);
  return ExitCode::kFailed;
}

/// Asks, and shows the answer as `render` has it.
template <class Render>
ExitCode show(const ClientOptions& server,
              std::string_view method,
              const std::string& path,
              const json& body,
              Render&& render) {
  const auto answer = ask_json(server, method, path, body);
  if (!answer) return complain(answer.error());
  fmt::print("{}", render(*answer));
  return ExitCode::kDone;
}

json wish(const TrainArguments& arguments, const std::string& name) {
  json body = {{"model_name", name}};
  body["data_source"] = !arguments.source.empty() ? arguments.source
                        : arguments.file.empty()  ? "store"
                                                  : "file";
  if (!arguments.file.empty()) body["file"] = arguments.file;
  if (!arguments.trainer.empty()) body["trainer"] = arguments.trainer;
  if (arguments.budget_s) body["time_budget_s"] = *arguments.budget_s;
  if (arguments.fits_max) body["fits_max"] = *arguments.fits_max;
  if (arguments.seed) body["seed"] = *arguments.seed;
  if (arguments.keep) body["auto_deploy"] = false;
  if (arguments.unsupervised) body["unsupervised"] = true;
  if (arguments.leave_out) body["leave_out_incidents"] = true;
  if (arguments.injected) body["injected_abuse"] = true;
  if (arguments.distributed) body["distributed"] = true;
  if (arguments.workers) body["workers"] = *arguments.workers;
  return body;
}

/// The jobs that began, told of one by one; `failed` when one did not.
std::vector<std::string> begin(const TrainArguments& arguments,
                               const std::string& name,
                               bool& failed) {
  std::vector<std::string> jobs;
  const auto told = [&](const std::string& model, const std::string& id) {
    fmt::print("job {} of {}\n", id, model);
    jobs.push_back(id);
  };
  const auto answer = ask_json(arguments.server, "POST", "/ml/models/train", wish(arguments, name));
  if (!answer) {
    (void)complain(name + ": " + answer.error());
    failed = true;
  } else if (!answer->contains("jobs")) {
    told(name, answer->value("job_id", ""));
  } else {
    for (const json& one : answer->at("jobs")) {
      const std::string model = one.value("model_name", "");
      if (one.at("job_id").is_string()) {
        told(model, one.value("job_id", ""));
      } else {
        (void)complain(model + ": " + one.value("problem", ""));
        failed = true;
      }
    }
  }
  return jobs;
}

/// Waits for its end and tells of it. Whether it made a version.
bool follow(const ClientOptions& server, const std::string& id) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  for (;;) {
    const auto job = ask_json(server, "GET", "/ml/jobs/" + path_segment(id), {});
    if (terminal) fmt::print(stderr, "\r\x1b[K");
    if (!job) {
      (void)complain(job.error());
      return false;
    }
    const std::string state = job->value("state", "");
    if (state != "queued" && state != "running") {
      fmt::print("{}", render_job(*job));
      return state == "succeeded";
    }
    if (terminal)
      fmt::print(stderr, "job {} {}: {:.0f} %", id, state, 100 * job->value("progress", 0.));
    std::this_thread::sleep_for(kLook);
  }
}

ExitCode train(const TrainArguments& arguments) {
  std::vector<std::string> names = arguments.names;
  if (arguments.all) names = {"all"};
  if (names.empty()) {
    fmt::print(stderr, "liminal: which model? NAME, or --all for the first three\n");
    return ExitCode::kUsage;
  }
  bool failed = false;
  std::vector<std::string> jobs;
  try {
    for (const std::string& name : names)
      for (std::string& id : begin(arguments, name, failed)) jobs.push_back(std::move(id));
    std::fflush(stdout);
    for (const std::string& id : jobs)
      if (!arguments.detach && !follow(arguments.server, id)) failed = true;
  } catch (const json::exception&) {
    return complain("the server answers in a way that this release does not know");
  }
  return failed ? ExitCode::kFailed : ExitCode::kDone;
}

ExitCode unload(const CallArguments& arguments) {
  return show(arguments.server,
              "POST",
              "/v2/repository/models/" + path_segment(arguments.name) + "/unload",
              json::object(),
              [&](const json&) { return arguments.name + " has no champion any more\n"; });
}

ExitCode report(const CallArguments& arguments) {
  std::uint32_t version = arguments.version;
  const std::string model = "/ml/models/" + path_segment(arguments.name);
  if (version == 0) {
    const auto state = ask_json(arguments.server, "GET", model, {});
    if (!state) return complain(state.error());
    const json versions = state->value("versions", json::array());
    if (versions.empty()) return complain(arguments.name + " has no version yet");
    version = versions[0].value("version", 0U);
  }
  const std::string path =
      fmt::format("{}/versions/{}/report{}", model, version, arguments.page ? ".html" : "");
  auto text = ask_text(arguments.server, {"GET", path});
  if (!text) return complain(text.error());
  const json parsed = arguments.page ? json() : json::parse(*text, nullptr, false);
  if (parsed.is_object()) *text = parsed.dump(2) + "\n";
  if (arguments.output.empty()) {
    fmt::print("{}", *text);
    return ExitCode::kDone;
  }
  std::ofstream file(arguments.output, std::ios::binary);
  file << *text;
  file.close();
  return file ? ExitCode::kDone : complain(arguments.output + " cannot be written");
}

ExitCode jobs(const CallArguments& arguments) {
  if (arguments.id == 0)
    return show(arguments.server,
                "GET",
                fmt::format("/ml/jobs?limit={}", arguments.limit),
                {},
                &render_jobs);
  return show(arguments.server,
              arguments.cancel ? "DELETE" : "GET",
              fmt::format("/ml/jobs/{}", arguments.id),
              {},
              &render_job);
}

std::string render_begun(const json& experiment) {
  return fmt::format("experiment {}\n", experiment.value("experiment_id", "")) +
         render_experiment(experiment);
}

ExitCode begin_experiment(const CallArguments& arguments) {
  json body = {{"model_name", arguments.name}, {"mode", arguments.mode}};
  if (arguments.version > 0) body["challenger"] = arguments.version;
  if (arguments.share) body["share"] = *arguments.share;
  if (arguments.effect) body["effect"] = *arguments.effect;
  return show(arguments.server, "POST", "/ml/experiments", body, &render_begun);
}

ExitCode stop_experiment(const CallArguments& arguments) {
  return show(arguments.server,
              "DELETE",
              fmt::format("/ml/experiments/{}", arguments.id),
              {},
              &render_experiment);
}

template <class Arguments>
CLI::App* add_call(CLI::App& parent,
                   const char* verb,
                   const char* what,
                   const std::shared_ptr<Arguments>& arguments,
                   Run& chosen,
                   ExitCode (*run)(const Arguments&)) {
  auto* command = parent.add_subcommand(verb, what);
  arguments->server.add_to(*command);
  command->callback([&chosen, arguments, run] { chosen = [=] { return run(*arguments); }; });
  return command;
}

void add_train_call(CLI::App& models, Run& chosen) {
  auto own = std::make_shared<TrainArguments>();
  auto* verb = add_call(
      models, "train", "Train models from what a running server keeps", own, chosen, &train);
  auto* names = verb->add_option("NAME", own->names, "Which, one or more");
  verb->add_flag("--all", own->all, "The first three")->excludes(names);
  verb->add_option("--source", own->source, "store (the default) or recent_features")
      ->type_name("WORD");
  verb->add_option("--file", own->file, "Of the server's folder of files to train from")
      ->type_name("FILE");
  verb->add_option("--trainer", own->trainer, "builtin, kenning or ray")->type_name("WORD");
  verb->add_option("--time-budget", own->budget_s, "Of each, without it 60")->type_name("S");
  verb->add_option("--fits-max", own->fits_max, "A budget in fits: the result then repeats");
  verb->add_option("--seed", own->seed, "Of all that is drawn by chance");
  verb->add_flag("--keep", own->keep, "As challenger, however good it is");
  verb->add_flag("--unsupervised", own->unsupervised, "Learn what is usual, without labels");
  verb->add_flag("--leave-out-incidents", own->leave_out, "Not from rows that abuse spoilt");
  verb->add_flag("--injected-abuse", own->injected, "From abuse that nobody committed, too");
  auto* distributed = verb->add_flag(
      "--distributed", own->distributed, "By ray, of a file or folder that no search would hold");
  verb->add_option("--workers", own->workers, "Of a distributed training")->needs(distributed);
  verb->add_flag("--detach", own->detach, "Do not wait for the end");
  verb->footer(
      "\nWaits for the end and says what came of each, and why; what is interrupted goes on in "
      "the\n"
      "server. Exit code 1 when one could not begin or failed.\n"
      "\n  liminal models train --all --time-budget 60\n");
}

}  // namespace

void add_model_calls(CLI::App& models, Run& chosen) {
  add_train_call(models, chosen);
  auto own = std::make_shared<CallArguments>();
  add_call(
      models, "unload", "Take a running server's champion out of service", own, chosen, &unload)
      ->add_option("NAME", own->name)
      ->required();
  own = std::make_shared<CallArguments>();
  auto* verb =
      add_call(models, "report", "What a version's training found out", own, chosen, &report);
  verb->add_option("NAME", own->name)->required();
  verb->add_option("--version", own->version, "Which; without, the newest");
  verb->add_flag("--page", own->page, "As a page of HTML instead of JSON");
  verb->add_option("-o,--output", own->output, "Into a file")->type_name("FILE");
  own = std::make_shared<CallArguments>();
  verb =
      add_call(models, "jobs", "Trainings of a running server, newest first", own, chosen, &jobs);
  auto* id = verb->add_option("ID", own->id, "One of them, with its leaderboard");
  verb->add_option("--limit", own->limit, "How many")->check(CLI::Range(1, 1000));
  verb->add_flag("--cancel", own->cancel, "End it")->needs(id);
}

void add_experiment_calls(CLI::App& experiments, Run& chosen) {
  auto own = std::make_shared<CallArguments>();
  auto* verb = add_call(experiments,
                        "begin",
                        "Compare another version with the champion",
                        own,
                        chosen,
                        &begin_experiment);
  verb->add_option("NAME", own->name)->required();
  verb->add_option("--mode", own->mode, "shadow (both score) or split (by user)")
      ->check(CLI::IsMember({"shadow", "split"}));
  verb->add_option("--challenger", own->version, "Which version; without, the challenger");
  verb->add_option("--share", own->share, "Of the users, the challenger's in a split");
  verb->add_option("--effect",
                   own->effect,
                   "The difference of mean squared errors that matters, in the square of the unit");
  own = std::make_shared<CallArguments>();
  add_call(experiments, "stop", "End one; the champion stays", own, chosen, &stop_experiment)
      ->add_option("ID", own->id)
      ->required();
}

ExitCode load_by_api(const ClientOptions& server, const std::string& model, std::uint32_t version) {
  json body = json::object();
  if (version > 0) body["version"] = version;
  return show(
      server, "POST", "/ml/models/" + path_segment(model) + "/load", body, [&](const json& answer) {
        return fmt::format("version {} of {} is champion\n", answer.value("version", 0U), model);
      });
}

ExitCode show_experiment_by_api(const ClientOptions& server, std::uint64_t id) {
  return show(server, "GET", fmt::format("/ml/experiments/{}", id), {}, &render_experiment);
}

}  // namespace liminal::app
