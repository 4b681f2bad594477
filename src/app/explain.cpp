#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/client_options.hpp"
#include "app/command.hpp"
#include "app/explain_replay.hpp"
#include "app/explain_view.hpp"
#include "app/http_ask.hpp"
#include "core/traffic/alert.hpp"
#include "io/json/writer.hpp"
#include "server/api/answers.hpp"

namespace liminal::app {
namespace {

struct ExplainArguments {
  ClientOptions server;
  std::string alert;
  std::string data;
  bool json = false;
};

/// Lives the decision again, from what a data directory keeps.
ExitCode replay(const ExplainArguments& arguments, ShardId shard, std::uint64_t number) {
  const auto lived = live_again(arguments.data, shard, number);
  if (!lived) {
    fmt::print(stderr, "liminal: {}\n", lived.error());
    return ExitCode::kFailed;
  }
  if (arguments.json) {
    fmt::print("{}\n", to_json(*lived));
  } else {
    json::Writer text;
    api::write(api::Explanation{lived->stored,
                                "liminal explain " + arguments.alert + " --data " + arguments.data,
                                true,
                                {}},
               api::SaliencePort{},
               text);
    fmt::print("{}{}",
               render_explanation(nlohmann::json::parse(text.text(), nullptr, false)),
               render(*lived));
  }
  return lived->same() ? ExitCode::kDone : ExitCode::kFailed;
}

ExitCode run(const ExplainArguments& arguments) {
  const auto id = traffic::parse_alert_id(arguments.alert);
  if (!id) {
    fmt::print(stderr, "liminal explain: \"{}\" is no alert's id, as 17-42\n", arguments.alert);
    return ExitCode::kUsage;
  }
  if (!arguments.data.empty() && id->first == kOfGateways) {
    fmt::print(
        stderr,
        "liminal explain: {} was raised at a gateway: GET /ml/anomalies/{} says at which, and "
        "what it is called there\n",
        arguments.alert,
        arguments.alert);
    return ExitCode::kUsage;
  }
  if (!arguments.data.empty()) return replay(arguments, id->first, id->second);
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
  command
      ->add_option("--data",
                   arguments->data,
                   "Replay the decision from this data directory, with or without its server")
      ->type_name("DIR");
  command->add_flag("--json", arguments->json, "As the API answers it, or the replay as JSON");
  arguments->server.add_to(*command);
  command->footer(
      "\nIds are in the answer of /ml/anomalies/recent and in webhooks. With --data the engine\n"
      "lives again what led to the alert, from a snapshot and the journal, and shows that the "
      "same\n"
      "alert comes out: exit code 0 when it does, 1 when it does not or when what it takes is not\n"
      "kept any more (it is for an hour).\n"
      "\n  liminal explain 17-42 --data /var/lib/liminal\n");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace liminal::app
