#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/client_options.hpp"
#include "app/command.hpp"
#include "app/explain_view.hpp"
#include "app/http_get.hpp"
#include "core/traffic/alert.hpp"

namespace liminal::app {
namespace {

struct ExplainArguments {
  ClientOptions server;
  std::string alert;
  bool json = false;
};

ExitCode run(const ExplainArguments& arguments) {
  if (!traffic::parse_alert_id(arguments.alert)) {
    fmt::print(stderr, "liminal explain: \"{}\" is no alert's id, as 17-42\n", arguments.alert);
    return ExitCode::kUsage;
  }
  const auto answer = http_get(arguments.server.api,
                               "/ml/anomalies/" + arguments.alert + "/explain",
                               arguments.server.token);
  if (!answer) {
    fmt::print(stderr, "liminal: {}\n", answer.error());
    return ExitCode::kFailed;
  }
  if (answer->status != 200) {
    fmt::print(stderr,
               "liminal: {}\n",
               answer->status == 404 ? "there is no such alert"
                                     : fmt::format("the server answers {}", answer->status));
    return ExitCode::kFailed;
  }
  const auto explanation = nlohmann::json::parse(answer->body, nullptr, false);
  if (arguments.json || explanation.is_discarded())
    fmt::print("{}\n", answer->body);
  else
    fmt::print("{}", render_explanation(explanation));
  return ExitCode::kDone;
}

}  // namespace

void add_explain(CLI::App& parent, Run& chosen) {
  auto* command =
      parent.add_subcommand("explain", "Say why an alert was raised, in words and numbers");
  auto arguments = std::make_shared<ExplainArguments>();
  command->add_option("ALERT", arguments->alert, "Its id, as 17-42")->required();
  command->add_flag("--json", arguments->json, "As the API answers it");
  arguments->server.add_to(*command);
  command->footer("\nIds are in the answer of /ml/anomalies/recent and in webhooks.\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
