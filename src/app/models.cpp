// liminal models, liminal experiments: what the registry of a data directory holds, and, by
// models_api, what a running server does.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/command.hpp"
#include "app/configuration_options.hpp"
#include "app/models_api.hpp"
#include "app/models_view.hpp"
#include "app/serve/model_keeper.hpp"
#include "io/files/file_system.hpp"
#include "io/json/time_text.hpp"
#include "io/onnx/foreign.hpp"
#include "io/sqlite/directory_lock.hpp"
#include "server/api/model_answers.hpp"
#include "server/registry/experiments.hpp"
#include "server/registry/registry.hpp"

namespace liminal::app {
namespace {

using registry::Registry;

struct ModelArguments {
  ConfigurationOptions configuration;
  std::string name;
  std::string file;
  learn::Bringing bringing;
  std::uint32_t version = 0;
  std::string reason = "loaded by an operator";
  std::uint64_t experiment = 0;
  ClientOptions server;
  CLI::Option* api = nullptr;  ///< of verbs that may ask a server instead

  [[nodiscard]] bool asks_server() const { return api != nullptr && api->count() > 0; }
};

SteadyTime wall_clock() {
  return SteadyTime{
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

std::string time_of(SteadyTime time) { return json::format_time(time); }

ExitCode complain(const std::string& text) {
  fmt::print(stderr, "liminal: {}\n", text);
  return ExitCode::kFailed;
}

/// A registry with what it needs to live.
struct Opened {
  files::PosixFileSystem system;
  std::optional<sqlite::DirectoryLock> lock;  ///< nobody else writes while it is held
  std::unique_ptr<Registry> registry;
  learn::RetrainOptions when;  ///< of continuous learning
};

std::unique_ptr<Opened> open(const ModelArguments& arguments, bool write, ExitCode& failed) {
  const auto loaded = load_or_complain(arguments.configuration);
  if (!loaded) {
    failed = ExitCode::kUsage;
    return nullptr;
  }
  const Configuration& configuration = loaded->configuration;
  auto opened = std::make_unique<Opened>();
  failed = ExitCode::kFailed;
  if (write) {
    std::error_code unmade;  // the lock says so
    std::filesystem::create_directories(configuration.data, unmade);
    auto lock = sqlite::DirectoryLock::acquire(configuration.data);
    if (!lock) {
      (void)complain(lock.error().code == ErrorCode::kConflict
                         ? "a server runs on \"" + configuration.data + "\": ask it by its API"
                         : "\"" + configuration.data + "\" cannot be written");
      return nullptr;
    }
    opened->lock = std::move(*lock);
  }
  registry::Registry::Options options = registry_options(configuration);
  options.read_only = !write;
  auto registry = Registry::open(opened->system, std::move(options), wall_clock());
  if (!registry) {
    (void)complain(registry.error());
    return nullptr;
  }
  opened->registry = std::move(*registry);
  opened->when = learning_options(configuration).when;
  return opened;
}

std::string_view status(const learn::ModelState& state, std::uint32_t version) {
  if (state.champion == version) return "champion";
  if (state.challenger == version) return "challenger";
  return "";
}

/// As a server kept it, a minute ago at most.
void print_learning(const learn::LearningView& view) {
  std::string text = view.next ? "next training " + time_of(*view.next) : "trained by people";
  if (view.why)
    text += fmt::format("; last {}: {}", learn::name(view.why->trigger), view.why->reason);
  if (!view.refusal.empty()) text += ", refused: " + view.refusal;
  if (view.watch) {
    text += fmt::format("; drift {:.2f} of 1", view.watch->drift());
    const auto drifted = view.watch->drifted();
    if (!drifted.empty()) text += fmt::format(" ({})", fmt::join(drifted, ", "));
  }
  fmt::print("       {}\n", text);
}

ExitCode list(const ModelArguments& arguments) {
  ExitCode failed{};
  const auto opened = open(arguments, false, failed);
  if (!opened) return failed;
  const auto states = opened->registry->models();
  const auto learning = opened->registry->with_records([&](registry::Records& records) {
    return registry::Learning::kept(records, states, opened->when, wall_clock());
  });
  for (const learn::ModelState& state : states) {
    fmt::print("{} ({}){}\n",
               state.definition.name,
               models::name(state.definition.task),
               state.versions.empty() ? ": no version yet" : "");
    for (const learn::ModelVersion& version : state.versions) {
      std::string figures;
      for (const auto& [name, value] : version.metrics)
        figures += fmt::format(" {}={:.4g}", name, value);
      fmt::print("  {:>3}  {:<10}  {}  {}{}\n",
                 version.number,
                 status(state, version.number),
                 time_of(version.created),
                 version.trainer,
                 figures);
    }
    for (const learn::LearningView& view : learning)
      if (view.model == state.definition.name) print_learning(view);
  }
  return ExitCode::kDone;
}

ExitCode history(const ModelArguments& arguments) {
  ExitCode failed{};
  const auto opened = open(arguments, false, failed);
  if (!opened) return failed;
  const auto changes = opened->registry->history(arguments.name, 1000);
  if (!changes) return complain(changes.error().text);
  for (const learn::AliasChange& change : *changes) {
    const auto number = [](std::optional<std::uint32_t> version) {
      return version ? std::to_string(*version) : std::string("none");
    };
    fmt::print("{}  {:<10}  {} (before: {})  {}: {}\n",
               time_of(change.time),
               learn::name(change.alias),
               number(change.version),
               number(change.previous),
               change.actor,
               change.reason);
  }
  return ExitCode::kDone;
}

ExitCode load(const ModelArguments& arguments) {
  if (arguments.reason.empty()) return complain("--reason is empty: the history is to say why");
  if (arguments.asks_server())
    return load_by_api(arguments.server, arguments.name, arguments.version);
  ExitCode failed{};
  const auto opened = open(arguments, true, failed);
  if (!opened) return failed;
  const auto loaded = opened->registry->load(
      arguments.name,
      arguments.version == 0 ? std::nullopt : std::optional(arguments.version),
      "command line",
      arguments.reason,
      wall_clock());
  if (!loaded) return complain(loaded.error().text);
  fmt::print("version {} of {} is champion\n", *loaded, arguments.name);
  return ExitCode::kDone;
}

ExitCode add(const ModelArguments& arguments) {
  ExitCode failed{};
  const auto opened = open(arguments, true, failed);
  if (!opened) return failed;
  const auto bytes = opened->system.read(arguments.file, onnx::kForeignBytesMax);
  if (!bytes) return complain(arguments.file + " cannot be read");
  learn::Bringing bringing = arguments.bringing;
  bringing.file = std::filesystem::path(arguments.file).filename().string();
  const auto version = opened->registry->bring(arguments.name, *bytes, bringing, wall_clock());
  if (!version) return complain(arguments.file + ": " + version.error().text);
  fmt::print("version {} of {} is challenger\n", version->number, arguments.name);
  return ExitCode::kDone;
}

ExitCode list_experiments(const ModelArguments& arguments) {
  ExitCode failed{};
  const auto opened = open(arguments, false, failed);
  if (!opened) return failed;
  const auto rows = opened->registry->with_records(
      [](registry::Records& records) { return records.experiments(); });
  if (!rows) return complain("the experiments cannot be read");
  for (const registry::ExperimentRow& row : *rows)
    fmt::print("{:>4}  {}  {}  {} against {}  {}\n",
               row.id,
               time_of(row.created),
               row.model,
               row.champion,
               row.challenger,
               row.state);
  return ExitCode::kDone;
}

ExitCode show_experiment(const ModelArguments& arguments) {
  if (arguments.asks_server())
    return show_experiment_by_api(arguments.server, arguments.experiment);
  ExitCode failed{};
  const auto opened = open(arguments, false, failed);
  if (!opened) return failed;
  const registry::Experiments all(*opened->registry, &wall_clock);
  const auto view = all.view(arguments.experiment);
  if (!view) return complain(view.error().text);
  json::Writer text;
  api::write(*view, text);
  fmt::print("{}", render_experiment(nlohmann::json::parse(text.text(), nullptr, false)));
  return ExitCode::kDone;
}

/// A running server that a verb asks, when it is named, instead of opening a directory.
CLI::Option* add_server(CLI::App& verb, ModelArguments& arguments) {
  verb.remove_option(verb.get_option("--api"));  // of the configuration: where a server listens
  arguments.api =
      verb.add_option("--api", arguments.server.api, "Ask the server whose API is there")
          ->type_name("URL");
  arguments.server.add_token_to(verb);
  return arguments.api;
}

CLI::App* add_verb(CLI::App& parent,
                   const char* verb,
                   const char* what,
                   const std::shared_ptr<ModelArguments>& arguments,
                   Run& chosen,
                   ExitCode (*run)(const ModelArguments&)) {
  auto* command = parent.add_subcommand(verb, what);
  arguments->configuration.add_to(*command);
  command->callback([&chosen, arguments, run] { chosen = [=] { return run(*arguments); }; });
  return command;
}

}  // namespace

void add_models(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("models", "Versions of models, and their training");
  command->require_subcommand(1);
  command->footer(
      "\nlist and history read a data directory, also beside a server that runs; add is for one "
      "that\n"
      "no server uses, and so is load without --api. train, unload, report and jobs ask a running\n"
      "server.\n");
  const auto arguments = [] { return std::make_shared<ModelArguments>(); };
  add_verb(*command, "list", "Every model with its versions", arguments(), chosen, &list);
  auto own = arguments();
  add_verb(*command, "history", "Which version was what, when and why", own, chosen, &history)
      ->add_option("NAME", own->name)
      ->required();
  own = arguments();
  auto* verb = add_verb(
      *command, "load", "Make a version champion; an older one is a rollback", own, chosen, &load);
  verb->add_option("NAME", own->name)->required();
  verb->add_option("--version", own->version, "Which; without, what was last champion");
  verb->add_option("--reason", own->reason, "For the history of a directory")
      ->excludes(add_server(*verb, *own));
  own = arguments();
  verb = add_verb(*command,
                  "add",
                  "Publish any ONNX file as the next version, as challenger",
                  own,
                  chosen,
                  &add);
  verb->add_option("NAME", own->name)->required();
  verb->add_option("FILE", own->file)->required();
  verb->add_option(
      "--output", own->bringing.output, "Of a model of others: the output that answers");
  verb->add_option("--column", own->bringing.column, "And which of its values a row, from 0");
  verb->add_option("--line", own->bringing.line, "The score from which on it is an alarm");
  verb->add_option("--usual", own->bringing.usual, "A row of ordinary values, for explanations")
      ->delimiter(',');
  add_model_calls(*command, chosen);
}

void add_experiments(CLI::App& parent, Run& chosen) {
  auto* command = parent.add_subcommand("experiments", "Comparisons of champion and challenger");
  command->require_subcommand(1);
  auto own = std::make_shared<ModelArguments>();
  add_verb(*command, "list", "Every experiment", own, chosen, &list_experiments);
  own = std::make_shared<ModelArguments>();
  auto* verb = add_verb(
      *command, "show", "What one found, and its decision log", own, chosen, &show_experiment);
  verb->add_option("ID", own->experiment)->required();
  add_server(*verb, *own);
  add_experiment_calls(*command, chosen);
}

}  // namespace liminal::app
