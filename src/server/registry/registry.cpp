#include "server/registry/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "io/files/replace.hpp"
#include "io/onnx/foreign.hpp"
#include "io/onnx/write.hpp"
#include "io/sqlite/transaction.hpp"
#include "server/registry/fits.hpp"

namespace liminal::registry {
namespace {

using learn::Alias;
using learn::AliasChange;
using learn::Asked;
using learn::ModelVersion;
using learn::refusal;

learn::Refusal disk(const Error& error) {
  return {error.code == ErrorCode::kUnavailable ? error.code : ErrorCode::kIo,
          fmt::format("the registry cannot be written ({})", name(error.code))};
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

/// What of a version follows from how it was made.
ModelVersion described(const learn::TrainedModel& trained,
                       const learn::TrainingJob& job,
                       SteadyTime now) {
  const models::Metadata& metadata = trained.model.metadata;
  ModelVersion version;
  version.model = job.request.model;
  version.created = now;
  version.trainer = metadata.trainer;
  version.job = job.id;
  version.fingerprint = trained.fingerprint;
  version.schema = metadata.schema;
  version.metrics = trained.metrics;
  version.report = trained.report;
  for (const models::Feature& feature : metadata.features) version.features.push_back(feature.name);
  return version;
}

}  // namespace

tl::expected<std::unique_ptr<Registry>, std::string> Registry::open(files::FileSystem& system,
                                                                    Options options,
                                                                    SteadyTime now) {
  using Failed = tl::unexpected<std::string>;
  const auto failed = [&](const Error& error) {
    return Failed("the models in \"" + options.folder +
                  "\" cannot be opened: " + std::string(liminal::name(error.code)));
  };
  if (!options.read_only) {
    if (const auto made = system.create_folder(options.folder); !made) return failed(made.error());
  }
  auto records = Records::open(options.folder, options.read_only);
  if (!records) return failed(records.error());
  if (!options.read_only) {
    if (const auto done = records->fail_interrupted(now); !done) return failed(done.error());
  }
  std::unique_ptr<Registry> registry(new Registry(system, std::move(options), std::move(*records)));
  if (const auto done = registry->read_all(); !done)
    return Failed("the models in \"" + registry->options_.folder +
                  "\" cannot be read: " + std::string(liminal::name(done.error().code)));
  return registry;
}

Result<void> Registry::read_all() {
  for (const learn::ModelDefinition& definition : options_.definitions)
    models_[definition.name].definition = definition;
  auto versions = records_.versions();
  if (!versions) return tl::unexpected(versions.error());
  if (!options_.read_only) sweep(*versions);
  for (ModelVersion& version : *versions) {
    // A model that is no longer configured stays on disk.
    if (const auto model = models_.find(version.model); model != models_.end())
      model->second.versions.push_back(std::move(version));
  }
  const auto compared = records_.compared();
  if (!compared) return tl::unexpected(compared.error());
  for (const Records::ComparedRow& row : *compared)
    if (const auto model = models_.find(row.model); model != models_.end())
      model->second.went[row.parent] = row.count;
  const auto aliases = records_.aliases();
  if (!aliases) return tl::unexpected(aliases.error());
  for (const Records::AliasRow& row : *aliases) {
    const auto model = models_.find(row.model);
    if (model == models_.end()) continue;
    model->second.number[index(row.alias)] = row.version;
    const auto version = known(row.model, row.version);
    auto served = version ? read(*version, false) : tl::unexpected(version.error());
    if (served) {
      model->second.loaded[index(row.alias)] = std::move(*served);
    } else {
      model->second.trouble[index(row.alias)] = served.error().text;
    }
  }
  return {};
}

void Registry::on_champion_changed(ChampionChanged changed) {
  const std::lock_guard lock(records_mutex_);
  changed_ = std::move(changed);
  for (const auto& [name, model] : models_)
    if (model.loaded[0]) tell(name, model.loaded[0]);
}

void Registry::tell(const std::string& name, const ServedPtr& champion) const {
  if (changed_) changed_(name, champion);
}

/// What giving a version an alias changes: a version has one alias at most.
std::vector<AliasChange> Registry::changes(const Model& model,
                                           Alias alias,
                                           std::uint32_t version,
                                           const std::string& actor,
                                           const std::string& reason,
                                           SteadyTime now) const {
  const std::string& name = model.definition.name;
  std::vector<AliasChange> list;
  const Alias other = alias == Alias::kChampion ? Alias::kChallenger : Alias::kChampion;
  if (model.number[index(other)] == version)
    list.push_back(
        {0, name, other, {}, version, now, actor, "it became " + std::string(learn::name(alias))});
  list.push_back({0, name, alias, version, model.number[index(alias)], now, actor, reason});
  return list;
}

void Registry::take_over(const std::vector<AliasChange>& changes, const ServedPtr& served) {
  bool champion_changed = false;
  {
    const std::lock_guard lock(mutex_);
    for (const AliasChange& change : changes) {
      Model& model = models_.at(change.model);
      model.number[index(change.alias)] = change.version;
      model.loaded[index(change.alias)] = change.version ? served : nullptr;
      model.trouble[index(change.alias)].clear();
      champion_changed = champion_changed || change.alias == Alias::kChampion;
    }
  }
  if (champion_changed) tell(changes.front().model, champion(changes.front().model));
}

Asked<Registry::Written> Registry::write(const std::string& path, std::string_view bytes) const {
  if (const auto written = files::replace_file(system_, path, bytes); !written)
    return tl::unexpected(disk(written.error()));
  return Written{sha256_of(bytes), bytes.size()};
}

Asked<Registry::Written> Registry::write(const std::string& path,
                                         const models::Model& model) const {
  const auto bytes = onnx::write(model);
  if (!bytes) return refusal(ErrorCode::kUnsupported, bytes.error().text);
  return write(path, std::string_view(*bytes));
}

/// Before any row of them is written: a row without a file would be a promise that cannot be
/// kept; a file without a row is written over by the next version of its number.
Asked<Registry::Filed> Registry::write_files(const learn::TrainedModel& trained,
                                             const Model& model,
                                             learn::TrainingJob& job,
                                             SteadyTime now) const {
  Filed filed{described(trained, job, now), nullptr, {}};
  ModelVersion& version = filed.version;
  version.number = model.versions.empty() ? 1 : model.versions.front().number + 1;
  version.parent = model.number[index(Alias::kChampion)];
  const auto bytes = trained.foreign.empty()
                         ? onnx::write(trained.model)
                         : onnx::describe(trained.foreign, trained.model.metadata);
  if (!bytes) return refusal(ErrorCode::kUnsupported, bytes.error().text);
  version.sha256 = sha256_of(*bytes);
  version.bytes = bytes->size();
  auto served = serve(version.model, version.number, *bytes, version.sha256, runtime_);
  if (!served) return tl::unexpected(served.error());
  filed.served = std::move(*served);
  if (auto done = write(path(version.model, version.number), std::string_view(*bytes)); !done)
    return tl::unexpected(done.error());
  if (trained.judged) {
    auto judged = write(path(version.model, version.number, kJudged), *trained.judged);
    if (!judged) return tl::unexpected(judged.error());
    filed.judged_sha256 = std::move(judged->sha256);
  }
  if (!trained.batches) return filed;
  const auto batches = write(path(version.model, version.number, kBatches), trained.batches->model);
  if (batches) {
    version.batches = {batches->sha256, batches->bytes, trained.batches->us_row};
    if (!trained.batches->report.empty()) version.report = trained.batches->report;
    if (!trained.batches->words.empty()) job.reasons.push_back(trained.batches->words);
  } else {  // an extra, without which the version is whole
    job.reasons.push_back("no blend is kept for batches: " + batches.error().text);
  }
  return filed;
}

Result<void> Registry::write_down(const Filed& filed,
                                  const learn::TrainedModel& trained,
                                  const std::vector<AliasChange>& changes,
                                  const learn::TrainingJob& job) {
  const ModelVersion& version = filed.version;
  return sqlite::in_transaction(records_.database(), [&]() -> Result<void> {
    if (auto done = records_.add(version); !done) return done;
    if (trained.reference) {
      Writer reference;
      trained.reference->save(reference);
      auto done = records_.add_reference(version.model, version.number, reference.bytes());
      if (!done) return done;
    }
    if (!filed.judged_sha256.empty()) {
      auto done = records_.add_judged(version.model, version.number, filed.judged_sha256);
      if (!done) return done;
    }
    for (const AliasChange& change : changes)
      if (auto done = records_.change(change); !done) return done;
    return job.id == 0 ? Result<void>{} : records_.update(job);
  });
}

Asked<ModelVersion> Registry::publish(const learn::TrainedModel& trained,
                                      std::optional<Alias> alias,
                                      learn::TrainingJob& job,
                                      SteadyTime now,
                                      const std::string& actor) {
  const std::lock_guard lock(records_mutex_);
  const auto found = models_.find(job.request.model);
  if (found == models_.end())
    return refusal(ErrorCode::kMissing, "there is no model \"" + job.request.model + "\"");
  Model& model = found->second;
  if (auto right = fits(model.definition, trained.model.metadata); !right)
    return tl::unexpected(right.error());
  const auto filed = write_files(trained, model, job, now);
  if (!filed) return tl::unexpected(filed.error());
  const ModelVersion& version = filed->version;
  std::vector<AliasChange> list;
  if (alias) {
    const std::string why = trained.reasons.empty() ? "no other version" : joined(trained.reasons);
    const std::string who = job.id == 0 ? actor : fmt::format("job {}", job.id);
    list = changes(model, *alias, version.number, who, why, now);
  }
  job.version = version.number;
  job.alias = alias;
  if (const auto kept = write_down(*filed, trained, list, job); !kept)
    return tl::unexpected(disk(kept.error()));
  {
    const std::lock_guard shortly(mutex_);
    model.versions.insert(model.versions.begin(), version);
  }
  if (!list.empty()) take_over(list, filed->served);
  prune(model);
  return version;
}

Asked<ModelVersion> Registry::bring(const std::string& name,
                                    std::string_view file,
                                    const learn::Bringing& bringing,
                                    SteadyTime now,
                                    const std::string& actor) {
  const learn::ModelDefinition* known = definition(name);
  if (known == nullptr) return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
  const auto brought = registry::bring(*known, file, bringing, runtime_);
  if (!brought) return tl::unexpected(brought.error());
  learn::TrainingJob nobody;
  nobody.request.model = name;
  return publish(*brought, Alias::kChallenger, nobody, now, actor);
}

/// What `load` without a version means.
Asked<std::uint32_t> Registry::last_champion(const Model& model) const {
  if (model.number[index(Alias::kChampion)]) return *model.number[index(Alias::kChampion)];
  const auto last = records_.last_champion(model.definition.name);
  if (!last) return tl::unexpected(disk(last.error()));
  if (*last) return **last;
  for (const ModelVersion& version : model.versions)
    if (version.number != model.number[index(Alias::kChallenger)]) return version.number;
  return refusal(ErrorCode::kConflict,
                 fmt::format("the model {} never had a champion: say which version is to be one",
                             model.definition.name));
}

Asked<std::uint32_t> Registry::load(const std::string& name,
                                    std::optional<std::uint32_t> version,
                                    const std::string& actor,
                                    const std::string& reason,
                                    SteadyTime now) {
  const std::lock_guard lock(records_mutex_);
  auto wanted = known(name, version);
  if (wanted && !version) {
    const auto last = last_champion(models_.at(name));
    if (!last) return tl::unexpected(last.error());
    wanted = known(name, *last);
  }
  if (!wanted) return tl::unexpected(wanted.error());
  const Model& model = models_.at(name);
  if (model.number[index(Alias::kChampion)] == wanted->number && model.loaded[0])
    return wanted->number;
  // What answers from memory would be gone at the next start.
  if (const auto whole = bytes_of(*wanted, false); !whole) return tl::unexpected(whole.error());
  auto loaded = served(name, wanted->number);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto list = changes(models_.at(name), Alias::kChampion, wanted->number, actor, reason, now);
  const auto kept = sqlite::in_transaction(records_.database(), [&]() -> Result<void> {
    for (const AliasChange& change : list)
      if (auto done = records_.change(change); !done) return done;
    return {};
  });
  if (!kept) return tl::unexpected(disk(kept.error()));
  take_over(list, *loaded);
  return wanted->number;
}

Asked<void> Registry::unload(const std::string& name,
                             Alias alias,
                             const std::string& actor,
                             const std::string& reason,
                             SteadyTime now) {
  const std::lock_guard lock(records_mutex_);
  const auto found = models_.find(name);
  if (found == models_.end())
    return refusal(ErrorCode::kMissing, "there is no model \"" + name + "\"");
  const auto number = found->second.number[index(alias)];
  if (!number)
    return refusal(ErrorCode::kMissing,
                   "the model " + name + " has no " + std::string(learn::name(alias)));
  const AliasChange change{0, name, alias, {}, number, now, actor, reason};
  const auto kept =
      sqlite::in_transaction(records_.database(), [&] { return records_.change(change); });
  if (!kept) return tl::unexpected(disk(kept.error()));
  take_over({change}, nullptr);
  return {};
}

}  // namespace liminal::registry
