#include "server/registry/fits.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/traffic/schema.hpp"

namespace liminal::registry {
namespace {

/// Whether a feature of users still is what a model learnt of it.
std::string changed(const models::Feature& feature) {
  const auto id = traffic::feature_by_name(feature.name);
  if (!id || feature.unit.empty()) return {};
  const std::string_view unit = traffic::info(*id).unit;
  if (feature.unit == unit) return {};
  return fmt::format("was learnt in {}, and is in {} now", feature.unit, unit);
}

}  // namespace

Problems differences(const learn::ModelDefinition& definition, const models::Metadata& metadata) {
  Problems found;
  const auto& wanted = definition.features;
  const auto& features = metadata.features;
  for (const std::string& name : wanted)
    if (std::none_of(features.begin(), features.end(), [&](const models::Feature& feature) {
          return feature.name == name;
        }))
      found.push_back({name, "is missing"});
  for (std::size_t i = 0; i < features.size(); ++i) {
    const std::string& name = features[i].name;
    const auto place =
        static_cast<std::size_t>(std::find(wanted.begin(), wanted.end(), name) - wanted.begin());
    if (place == wanted.size()) {
      found.push_back({name, "is not asked for"});
    } else if (place != i) {
      found.push_back({name, fmt::format("is in place {}, not {}", i + 1, place + 1)});
    }
    if (std::string text = changed(features[i]); !text.empty())
      found.push_back({name, std::move(text)});
  }
  return found;
}

learn::Asked<void> fits(const learn::ModelDefinition& definition,
                        const models::Metadata& metadata) {
  if (Problems found = differences(definition, metadata); !found.empty()) {
    std::string text = "its features are not those of " + definition.name + ": ";
    for (std::size_t i = 0; i < found.size(); ++i)
      text += (i > 0 ? "; " : "") + found[i].key + " " + found[i].text;
    return tl::unexpected(learn::Refusal{ErrorCode::kConflict, std::move(text), std::move(found)});
  }
  // What is strange and what is abuse are asked for alike: a score with a line.
  const bool unlabelled =
      metadata.task == models::Task::kAnomaly && definition.task == models::Task::kClassification;
  if (metadata.task != definition.task && !unlabelled)
    return learn::refusal(ErrorCode::kConflict,
                          fmt::format("it is for {}, {} is for {}",
                                      models::name(metadata.task),
                                      definition.name,
                                      models::name(definition.task)));
  return {};
}

}  // namespace liminal::registry
