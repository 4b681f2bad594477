#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace liminal::app {

/// Of commands that ask a running server.
struct ClientOptions {
  std::string api = "http://127.0.0.1:8000";
  std::string token;

  void add_to(CLI::App& command) {
    command.add_option("--api", api, "Where its API is")->type_name("URL")->envname("LIMINAL_API");
    add_token_to(command);
  }

  void add_token_to(CLI::App& command) {
    command.add_option("--token", token, "The API's bearer token, when it has one")
        ->type_name("TOKEN")
        ->envname("LIMINAL_API_TOKEN");
  }
};

}  // namespace liminal::app
