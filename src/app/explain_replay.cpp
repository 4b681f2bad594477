#include "app/explain_replay.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <span>

#include "app/serve/engine_text.hpp"
#include "app/serve/snapshots.hpp"
#include "core/base/codec.hpp"
#include "core/traffic/codec.hpp"
#include "io/json/writer.hpp"
#include "io/sqlite/queries.hpp"
#include "io/sqlite/store.hpp"

namespace liminal::app {
namespace {

using Failed = tl::unexpected<std::string>;

tl::expected<traffic::Alert, std::string> stored_alert(const std::string& directory,
                                                       ShardId shard,
                                                       std::uint64_t number) {
  const std::string path =
      (std::filesystem::path(directory) / std::string(sqlite::kDatabaseFile)).string();
  if (!std::filesystem::exists(path))
    return Failed(
        fmt::format("\"{}\" is no data directory: it has no {}", directory, sqlite::kDatabaseFile));
  const auto unreadable = [&](const Error& error) {
    return Failed(fmt::format("{}: {}", path, name(error.code)));
  };
  auto database =
      sqlite::Database::open(path, {.read_only = true, .busy_patience = std::chrono::seconds{5}});
  if (!database) return unreadable(database.error());
  auto found = sqlite::alert(*database, shard, number);
  if (!found) return unreadable(found.error());
  if (!*found) return Failed("there is no such alert");
  return std::move(**found);
}

std::string bits(const traffic::Finding& finding) {
  Writer out;
  traffic::save(finding, out);
  return out.take();
}

std::string bits(const traffic::Features& features) {
  Writer out;
  for (const float value : features.values) out.put(value);
  return out.take();
}

std::string in_words(const journal::Replayed& replayed) {
  switch (replayed.ending) {
    case journal::Ending::kReached:
      return "the decision was reached";
    case journal::Ending::kNoSnapshot:
      return "no snapshot from which the journal leads to the decision is kept any more: both "
             "reach back an hour, or as far as 256 MiB each allow";
    case journal::Ending::kGap:
      return fmt::format(
          "inputs after number {} are missing in the journal: the disk was slow or full, or the "
          "process was killed",
          replayed.last_input);
    case journal::Ending::kNotYet:
      return fmt::format(
          "the journal ends at input {}, before the decision: it is written ten times a second, "
          "and what was not yet is lost with a kill",
          replayed.last_input);
    case journal::Ending::kSettings:
      return "the settings of that time, or what the shards told each other, are not in the "
             "journal any more, or were written by other software";
  }
  return {};
}

/// The model that spoke in what was lived again; none when no model did.
std::optional<engine::ChampionInfo> model_of(const LivedAgain& lived) {
  if (!lived.again || !lived.replayed.shard) return std::nullopt;
  const engine::ChampionInfo& champion = lived.replayed.shard->champion();
  if (lived.again->first.model_version != champion.version) return std::nullopt;
  return champion;
}

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

}  // namespace

std::vector<std::string> differences_at_raising(const traffic::Alert& a, const traffic::Alert& b) {
  std::vector<std::string> found;
  const auto compare = [&](bool same, std::string_view what) {
    if (!same) found.emplace_back(what);
  };
  compare(a.shard == b.shard && a.number == b.number, "id");
  compare(a.user == b.user, "user_id");
  compare(a.address == b.address, "ip_address");
  compare(a.type == b.type, "type");
  compare(a.first_seen == b.first_seen, "first_seen");
  compare(a.input == b.input, "input");
  compare(bits(a.first) == bits(b.first), "first finding");
  compare(bits(a.features) == bits(b.features), "features");
  return found;
}

tl::expected<LivedAgain, std::string> live_again(const std::string& directory,
                                                 ShardId shard,
                                                 std::uint64_t number) {
  auto stored = stored_alert(directory, shard, number);
  if (!stored) return Failed(stored.error());
  files::PosixFileSystem system;
  const std::filesystem::path folder(directory);
  journal::ReplaySources sources{system, {}, (folder / kSnapshotFolder).string(), parse_settings};
  sources.log.folder = (folder / kJournalFolder).string();
  auto replayed = journal::replay_to(sources, shard, stored->input);
  if (!replayed)
    return Failed(fmt::format("the journal or the snapshots in \"{}\" cannot be read: {}",
                              directory,
                              name(replayed.error().code)));
  LivedAgain lived{std::move(*stored), std::move(*replayed), std::nullopt, {}};
  if (lived.replayed.ending != journal::Ending::kReached) return lived;
  for (const engine::AlertChange& change : lived.replayed.effects.alerts) {
    const bool raised = change.kind == engine::AlertChange::Kind::kRaised;
    if (raised && change.alert.type == lived.stored.type && change.alert.user == lived.stored.user)
      lived.again = change.alert;
  }
  if (lived.again) lived.differences = differences_at_raising(lived.stored, *lived.again);
  return lived;
}

std::string render(const LivedAgain& lived) {
  const journal::Replayed& replayed = lived.replayed;
  std::string out = "\n  the decision lived again\n";
  const std::string from = replayed.from_input == 0
                               ? std::string("a fresh shard")
                               : fmt::format("the snapshot after input {}", replayed.from_input);
  if (replayed.shard)
    out += fmt::format("    from {}: {} inputs, {} of them decided by operators or restarts\n",
                       from,
                       replayed.inputs,
                       replayed.calls);
  if (replayed.ending != journal::Ending::kReached)
    return out + fmt::format("    not possible: {}\n", in_words(replayed));
  if (const auto model = model_of(lived); model && model->there())
    out += fmt::format("    the model was version {}, SHA-256 {}; its answer is the journal's\n",
                       model->version,
                       hexadecimal(model->sha256));
  if (lived.same())
    return out + fmt::format(
                     "    the same alert came out at input {}, with the same numbers, bit for bit\n"
                     "    {}\n",
                     lived.stored.input,
                     traffic::explanation(lived.again->first));
  if (!lived.again)
    return out + fmt::format(
                     "    input {} raised no such alert: other software decided, or the "
                     "data were changed\n",
                     lived.stored.input);
  return out + fmt::format("    an alert came out that differs in: {}\n",
                           fmt::join(lived.differences, ", "));
}

std::string to_json(const LivedAgain& lived) {
  json::Writer out;
  out.begin_object();
  out.field("alert_id", traffic::alert_id(lived.stored));
  out.field("ending", name(lived.replayed.ending));
  out.field("in_words", in_words(lived.replayed));
  out.field("same", lived.same());
  out.field("input", lived.stored.input);
  out.field("from_input", lived.replayed.from_input);
  out.field("inputs", lived.replayed.inputs);
  out.field("calls", lived.replayed.calls);
  out.field("starts", lived.replayed.lives);
  if (lived.replayed.shard)
    out.field("state_hash", fmt::format("{:016x}", lived.replayed.shard->state_hash()));
  const auto model = model_of(lived);
  out.key("model");
  if (model && model->there()) {
    out.begin_object();
    out.field("version", model->version);
    out.field("sha256", hexadecimal(model->sha256));
    out.end_object();
  } else {
    out.null();
  }
  out.key("differences");
  out.begin_array();
  for (const std::string& difference : lived.differences) out.value(difference);
  out.end_array();
  out.end_object();
  return out.text();
}

}  // namespace liminal::app
