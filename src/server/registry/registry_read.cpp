// What a registry is asked without being changed.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/base/check.hpp"
#include "io/onnx/foreign.hpp"
#include "server/registry/fits.hpp"
#include "server/registry/registry.hpp"

namespace liminal::registry {
namespace {

using learn::Alias;
using learn::AliasChange;
using learn::Asked;
using learn::ModelVersion;
using learn::refusal;

/// Versions other than champion and challenger that are kept at hand.
constexpr std::size_t kOthersMax = 8;

}  // namespace

std::string Registry::path(const std::string& name,
                           std::uint32_t version,
                           std::string_view kind) const {
  return (std::filesystem::path(options_.folder) / fmt::format("{}-{}{}.onnx", name, version, kind))
      .string();
}

std::shared_ptr<const models::Scorer> Registry::judged(const std::string& name,
                                                       std::uint32_t version) const {
  const auto sha256 =
      with_records([&](Records& records) { return records.judged_sha256(name, version); });
  if (!sha256 || !*sha256) return nullptr;
  const auto bytes = system_.read(path(name, version, kJudged), onnx::kForeignBytesMax);
  if (!bytes) return nullptr;
  const auto served = serve(name, version, *bytes, **sha256, runtime_);
  return served ? (*served)->scorer : nullptr;
}

std::optional<learn::WatchReference> Registry::reference(const std::string& name,
                                                         std::uint32_t version) const {
  const auto saved =
      with_records([&](Records& records) { return records.reference(name, version); });
  if (!saved || !*saved) return std::nullopt;
  learn::WatchReference reference;
  Reader in(**saved);
  reference.load(in);
  return in.ok() ? std::optional(std::move(reference)) : std::nullopt;
}

std::uint32_t Registry::compared_with(const std::string& name, std::uint32_t version) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end()) return 0;
  const auto& versions = found->second.versions;
  const auto went = found->second.went.find(version);
  const std::uint32_t before = went == found->second.went.end() ? 0 : went->second;
  return before + static_cast<std::uint32_t>(std::count_if(
                      versions.begin(), versions.end(), [&](const ModelVersion& each) {
                        return each.job != 0 && each.parent == version;
                      }));
}

Asked<std::string> Registry::bytes_of(const ModelVersion& version, bool batches) const {
  auto bytes = system_.read(path(version.model, version.number, batches ? kBatches : ""),
                            onnx::kForeignBytesMax);
  if (!bytes)
    return refusal(bytes.error().code,
                   fmt::format("the file of version {} cannot be read", version.number));
  if (sha256_of(*bytes) != (batches ? version.batches->sha256 : version.sha256))
    return refusal(
        ErrorCode::kChecksum,
        fmt::format("the file of version {} is not the one that was published", version.number));
  return std::move(*bytes);
}

Asked<Registry::ServedPtr> Registry::read(const ModelVersion& version, bool batches) const {
  const auto bytes = bytes_of(version, batches);
  if (!bytes) return tl::unexpected(bytes.error());
  auto served = serve(version.model,
                      version.number,
                      *bytes,
                      batches ? version.batches->sha256 : version.sha256,
                      runtime_);
  if (!served) return served;
  const auto definition = models_.find(version.model);
  LIMINAL_CHECK(definition != models_.end());
  if (auto right = fits(definition->second.definition, (*served)->scorer->metadata()); !right) {
    right.error().text =
        fmt::format("version {} cannot be used: {}", version.number, right.error().text);
    return tl::unexpected(std::move(right.error()));
  }
  if (!batches) return served;
  Served beside = **served;
  beside.batches = true;
  return std::make_shared<const Served>(std::move(beside));
}

const learn::ModelDefinition* Registry::definition(const std::string& name) const {
  const auto found = models_.find(name);  // the set of models never changes
  return found == models_.end() ? nullptr : &found->second.definition;
}

std::vector<learn::ModelState> Registry::models() const {
  std::vector<learn::ModelState> states;
  const std::lock_guard lock(mutex_);
  for (const learn::ModelDefinition& definition : options_.definitions)
    states.push_back(state_of(models_.at(definition.name)));
  return states;
}

learn::ModelState Registry::state_of(const Model& model) {
  return {model.definition,
          model.number[index(Alias::kChampion)],
          model.number[index(Alias::kChallenger)],
          model.versions,
          model.trouble[index(Alias::kChampion)],
          model.trouble[index(Alias::kChallenger)]};
}

Asked<learn::ModelState> Registry::model(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end())
    return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
  return state_of(found->second);
}

Asked<ModelVersion> Registry::known(const std::string& name,
                                    std::optional<std::uint32_t> version) const {
  const auto found = models_.find(name);
  if (found == models_.end())
    return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
  const auto& versions = found->second.versions;
  if (versions.empty())
    return refusal(ErrorCode::kMissing, "the model " + name + " has no version yet: train it");
  if (!version) return versions.front();
  for (const ModelVersion& each : versions)
    if (each.number == *version) return each;
  return refusal(ErrorCode::kMissing,
                 fmt::format("the model {} has no version {}", name, *version));
}

Asked<Registry::ServedPtr> Registry::served(const std::string& name,
                                            std::optional<std::uint32_t> version) const {
  ModelVersion wanted;
  {
    const std::lock_guard lock(mutex_);
    const auto found = models_.find(name);
    if (found == models_.end())
      return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
    const Model& model = found->second;
    if (!version) {
      if (model.loaded[0]) return model.loaded[0];
      const std::string& trouble = model.trouble[index(Alias::kChampion)];
      return refusal(trouble.empty() ? ErrorCode::kMissing : ErrorCode::kUnavailable,
                     trouble.empty()
                         ? "the model " + name + " has no champion yet: train it, or load a version"
                         : "the champion of " + name + " is not loaded: " + trouble);
    }
    for (const ServedPtr& loaded : model.loaded)
      if (loaded && loaded->version == *version) return loaded;
    auto row = known(name, version);
    if (!row) return tl::unexpected(row.error());
    wanted = std::move(*row);
  }
  return at_hand(wanted, false);
}

/// Of the files that were asked for lately, or read now.
Asked<Registry::ServedPtr> Registry::at_hand(const ModelVersion& version, bool batches) const {
  const std::string key = path(version.model, version.number, batches ? kBatches : "");
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = others_.find(key); found != others_.end()) return found->second;
  }
  auto loaded = read(version, batches);
  if (!loaded) return loaded;
  const std::lock_guard lock(mutex_);
  if (others_.size() >= kOthersMax) others_.erase(others_.begin());
  others_[key] = *loaded;
  return loaded;
}

Asked<Registry::ServedPtr> Registry::for_batches(const std::string& name,
                                                 std::optional<std::uint32_t> version) const {
  const auto answers = served(name, version);
  if (!answers) return answers;
  const auto row = this->version(name, (*answers)->version);
  return row && row->batches ? at_hand(*row, true) : answers;
}

Asked<ModelVersion> Registry::version(const std::string& name, std::uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return known(name, number);
}

std::optional<double> Registry::made_s(const std::string& name, std::uint32_t version) const {
  const auto row = this->version(name, version);
  if (!row) return std::nullopt;
  return seconds(row->created.time_since_epoch());
}

std::shared_ptr<const Served> Registry::champion(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  return found == models_.end() ? nullptr : found->second.loaded[index(Alias::kChampion)];
}

std::shared_ptr<const Served> Registry::challenger(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  return found == models_.end() ? nullptr : found->second.loaded[index(Alias::kChallenger)];
}

std::vector<std::string> Registry::unloaded(Alias alias) const {
  std::vector<std::string> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_)
    if (model.number[index(alias)] && !model.loaded[index(alias)])
      found.push_back(name + ": " + model.trouble[index(alias)]);
  return found;
}

Asked<std::string> Registry::file(const std::string& name,
                                  std::uint32_t version,
                                  bool batches) const {
  const auto row = this->version(name, version);
  if (!row) return tl::unexpected(row.error());
  if (batches && !row->batches)
    return refusal(ErrorCode::kMissing,
                   fmt::format("version {} has nothing kept beside it for batches", version));
  auto bytes = system_.read(path(name, version, batches ? kBatches : ""), onnx::kForeignBytesMax);
  if (!bytes)
    return refusal(bytes.error().code,
                   fmt::format("the file of version {} cannot be read", version));
  return std::move(*bytes);
}

Asked<std::vector<AliasChange>> Registry::history(const std::string& name,
                                                  std::size_t limit) const {
  if (definition(name) == nullptr)
    return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
  const std::lock_guard lock(records_mutex_);
  auto list = records_.history(name, limit);
  if (!list) return refusal(ErrorCode::kIo, "the history cannot be read");
  return std::move(*list);
}

}  // namespace liminal::registry
