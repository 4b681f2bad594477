#include "app/serve/engine_text.hpp"

#include "app/configuration/loader.hpp"
#include "app/configuration/report.hpp"
#include "app/options.hpp"

namespace liminal::app {

std::string engine_text(const engine::Options& options) {
  Loaded loaded;
  Configuration& all = loaded.configuration;
  all.limits = options.limits;
  all.detect = options.detect;
  all.alerts = options.alerts;
  all.engine = options;
  all.store.queue.sampling.user_interval = options.row_interval;
  return print_values(loaded);
}

Result<engine::Options> engine_options_of(std::string_view text) {
  Sources sources;
  sources.file_name = "the journal";
  sources.file_text = text;
  const Loaded loaded = load(sources);
  if (!loaded.problems.empty()) return failure(ErrorCode::kMalformed);
  return engine_options(loaded.configuration);
}

std::shared_ptr<const engine::Settings> parse_settings(std::string_view text) {
  Result<engine::Options> options = engine_options_of(text);
  return options ? std::make_shared<const engine::Settings>(std::move(*options)) : nullptr;
}

}  // namespace liminal::app
