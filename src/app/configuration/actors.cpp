#include "app/configuration/actors.hpp"

#include <fmt/format.h>

#include <array>

#include "app/configuration/choices.hpp"
#include "app/configuration/suggestion.hpp"

namespace liminal::app {
namespace {

using C = Configuration;

constexpr std::array<std::string_view, 2> kKinds{"webhook", "ray_serve"};

void complain(std::size_t actor,
              std::string_view field,
              std::string text,
              const std::string& where,
              std::uint32_t line,
              Loaded& loaded) {
  loaded.problems.push_back(
      {{fmt::format("scaling.actors[{}].{}", actor, field), std::move(text)}, where, line});
}

void put(std::size_t actor,
         const std::string& name,
         const WrittenTable::Field& field,
         Loaded& loaded) {
  std::vector<std::string> names;
  for (const Setting& setting : actor_settings(actor)) {
    names.push_back(setting.key.substr(setting.key.rfind('.') + 1));
    if (names.back() != name) continue;
    if (const auto trouble = assign(setting, loaded.configuration, field.written))
      complain(actor, name, *trouble, field.where, field.line, loaded);
    return;
  }
  const std::vector<std::string_view> words(names.begin(), names.end());
  const auto meant = suggestion(name, words);
  complain(actor,
           name,
           meant ? fmt::format("is not known; did you mean {}?", *meant) : "is not known",
           field.where,
           field.line,
           loaded);
}

}  // namespace

void apply_actors(const std::vector<WrittenTable>& actors, Loaded& loaded) {
  auto& all = loaded.configuration.scaling.actors;
  for (const WrittenTable& written : actors) {
    const std::size_t number = all.size();
    all.emplace_back();
    loaded.origins[fmt::format("scaling.actors[{}]", number)] = written.where;
    for (const auto& [name, field] : written.fields) put(number, name, field, loaded);
  }
}

std::vector<Setting> actor_settings(std::size_t actor) {
  const auto key = [actor](std::string_view field) {
    return fmt::format("scaling.actors[{}].{}", actor, field);
  };
  const auto of = [actor](C& c) -> C::ScalingActor& {
    auto& actors = c.scaling.actors;
    if (actors.size() <= actor) actors.resize(actor + 1);
    return actors[actor];
  };
  std::vector<Setting> fields;
  fields.push_back({.key = key("service"),
                    .slot = [of](C& c) -> Slot { return &of(c).target.service; },
                    .help = "The service whose advice is passed on. Required."});
  fields.push_back({.key = key("kind"),
                    .slot = [of](C& c) -> Slot { return choice(of(c).target.kind, kKinds); },
                    .help = "webhook posts the advice as JSON; ray_serve asks Ray Serve's external "
                            "scaler for as many replicas."});
  fields.push_back({.key = key("url"),
                    .slot = [of](C& c) -> Slot { return &of(c).target.url; },
                    .help = "Of the webhook, or of Ray's dashboard. Required."});
  fields.push_back({.key = key("application"),
                    .slot = [of](C& c) -> Slot { return &of(c).target.application; },
                    .help = "Of ray_serve: the application, with `external_scaler_enabled`."});
  fields.push_back({.key = key("deployment"),
                    .slot = [of](C& c) -> Slot { return &of(c).target.deployment; },
                    .help = "Of ray_serve: the deployment that is scaled."});
  fields.push_back({.key = key("token"),
                    .slot = [of](C& c) -> Slot { return &of(c).target.token; },
                    .help = "The bearer token that is sent.",
                    .secret = true});
  fields.push_back({.key = key("token_file"),
                    .slot = [of](C& c) -> Slot { return &of(c).token_file; },
                    .help = "A file whose first line is the token, instead of `token`."});
  fields.push_back(
      {.key = key("mode"),
       .slot = [of](C& c) -> Slot { return choice(of(c).target.mode, kModes); },
       .help = "observe counts what would be done, shadow also writes it into the "
               "audit log, enforce does it; shadow by default, whatever the general `mode` "
               "is. Counts from a reload, where the rest of the actor is the same."});
  return fields;
}

}  // namespace liminal::app
