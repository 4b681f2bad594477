#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/learn/registered.hpp"
#include "io/files/file_system.hpp"
#include "server/registry/records.hpp"
#include "server/registry/served.hpp"

namespace liminal::registry {

/// Every version of every model: files and a database in one folder (docs/formats/registry.md), and
/// the versions that answer at present.
///
/// Guarantees: versions never change; the oldest go when a new one makes them too many. What a call
/// acknowledged survives a kill and a loss of power, all of it or nothing: a version with its
/// alias, the line of history and the end of the job that trained it are one transaction, behind
/// the synced file. Who asks while the champion changes gets the old or the new one, whole. Thread
/// rule: any thread. Calls that write wait for the disk; `champion` and `served` of versions at
/// hand do not.
class Registry {
 public:
  struct Options {
    std::string folder;
    std::vector<learn::ModelDefinition> definitions = learn::first_models();
    bool read_only = false;  ///< beside a server that runs
    /// Of a model; champion, challenger, whom these and the kept ones were measured against, what
    /// was last champion, and versions of experiments stay beyond.
    std::size_t versions_kept = 50;
    ForeignOptions foreign{};
  };

  /// What files beside a version's own are called.
  static constexpr std::string_view kJudged = ".judged", kBatches = ".batches";

  /// Opens or makes the folder. Champions that cannot be loaded are no failure: `unloaded` names
  /// them, and `unloaded_challengers` challengers. Fails in words.
  [[nodiscard]] static tl::expected<std::unique_ptr<Registry>, std::string> open(
      files::FileSystem& system, Options options, SteadyTime now);

  /// Is told of each champion there is, at once and whenever it changes, in order; null when a
  /// model has none any more. Called under a lock: must be quick and not call back.
  using ChampionChanged =
      std::function<void(const std::string& model, const std::shared_ptr<const Served>& champion)>;
  void on_champion_changed(ChampionChanged changed);

  [[nodiscard]] std::vector<learn::ModelState> models() const;
  /// kMissing when there is no such model.
  [[nodiscard]] learn::Asked<learn::ModelState> model(const std::string& name) const;
  [[nodiscard]] const learn::ModelDefinition* definition(const std::string& name) const;

  /// The version asked for, or the champion; kMissing in words, kUnavailable when there is a
  /// champion that could not be loaded.
  [[nodiscard]] learn::Asked<std::shared_ptr<const Served>> served(
      const std::string& name, std::optional<std::uint32_t> version = {}) const;
  /// What is kept for batches beside the version asked for, or beside the champion; else that
  /// itself. Waits for the disk.
  [[nodiscard]] learn::Asked<std::shared_ptr<const Served>> for_batches(
      const std::string& name, std::optional<std::uint32_t> version = {}) const;
  /// One version; kMissing in words.
  [[nodiscard]] learn::Asked<learn::ModelVersion> version(const std::string& name,
                                                          std::uint32_t number) const;
  /// When a version was made, in seconds since the Unix epoch; nothing when there is none.
  [[nodiscard]] std::optional<double> made_s(const std::string& name, std::uint32_t version) const;
  /// A version as it was judged, before it was fitted to all rows; null when that is not kept or
  /// cannot be read. Waits for the disk.
  [[nodiscard]] std::shared_ptr<const models::Scorer> judged(const std::string& name,
                                                             std::uint32_t version) const;
  /// What a version's training rows were like; nothing when that is not kept.
  [[nodiscard]] std::optional<learn::WatchReference> reference(const std::string& name,
                                                               std::uint32_t version) const;
  /// How many versions were trained and compared with this one as champion, removed ones too.
  [[nodiscard]] std::uint32_t compared_with(const std::string& name, std::uint32_t version) const;
  /// Null without one.
  [[nodiscard]] std::shared_ptr<const Served> champion(const std::string& name) const;
  [[nodiscard]] std::shared_ptr<const Served> challenger(const std::string& name) const;
  /// Models whose champion is there but could not be loaded, and why.
  [[nodiscard]] std::vector<std::string> unloaded() const {
    return unloaded(learn::Alias::kChampion);
  }
  /// The same of challengers, without which the server answers as well.
  [[nodiscard]] std::vector<std::string> unloaded_challengers() const {
    return unloaded(learn::Alias::kChallenger);
  }
  [[nodiscard]] bool read_only() const { return options_.read_only; }

  /// Publishes what a trainer made as the next version, with an alias, and ends the job that made
  /// it (if its id is not 0; else `actor` brought it). kConflict, with the differences, when its
  /// features are others than the definition's.
  [[nodiscard]] learn::Asked<learn::ModelVersion> publish(
      const learn::TrainedModel& trained,
      std::optional<learn::Alias> alias,
      learn::TrainingJob& job,
      SteadyTime now,
      const std::string& actor = "command line");

  /// Publishes a file that somebody brought as the next version and challenger. Refused as
  /// `registry::bring` and `publish` say.
  [[nodiscard]] learn::Asked<learn::ModelVersion> bring(const std::string& name,
                                                        std::string_view file,
                                                        const learn::Bringing& bringing,
                                                        SteadyTime now,
                                                        const std::string& actor = "command line");

  /// Makes a version champion and gives its number. When none is named, nothing is promoted: what
  /// is champion stays, and what was last champion is again; of a model that never had one, the
  /// newest version that is no challenger. kConflict when there is none of these, kChecksum when
  /// its file is another than was written, also where what was read before would still answer.
  [[nodiscard]] learn::Asked<std::uint32_t> load(const std::string& name,
                                                 std::optional<std::uint32_t> version,
                                                 const std::string& actor,
                                                 const std::string& reason,
                                                 SteadyTime now);
  /// Takes an alias away.
  [[nodiscard]] learn::Asked<void> unload(const std::string& name,
                                          learn::Alias alias,
                                          const std::string& actor,
                                          const std::string& reason,
                                          SteadyTime now);
  /// A version's file, whole, or what is kept for batches beside it. kMissing when there is none.
  [[nodiscard]] learn::Asked<std::string> file(const std::string& name,
                                               std::uint32_t version,
                                               bool batches = false) const;
  /// Newest first.
  [[nodiscard]] learn::Asked<std::vector<learn::AliasChange>> history(const std::string& name,
                                                                      std::size_t limit) const;

  /// What computes versions that the core does not.
  [[nodiscard]] const ForeignRuntime& runtime() const { return runtime_; }

  /// For what is kept beside the versions: jobs, minutes, experiments. One caller at a time.
  template <class Body>
  auto with_records(Body&& body) const {
    const std::lock_guard lock(records_mutex_);
    return body(records_);
  }

 private:
  static std::size_t index(learn::Alias alias) { return static_cast<std::size_t>(alias); }
  using ServedPtr = std::shared_ptr<const Served>;
  struct Model {
    learn::ModelDefinition definition;
    std::vector<learn::ModelVersion> versions;  ///< newest first
    std::optional<std::uint32_t> number[2];     ///< by alias
    ServedPtr loaded[2];
    std::map<std::uint32_t, std::uint32_t> went;  ///< versions that were removed, by parent
    std::string trouble[2];                       ///< why what has an alias is not loaded
  };

  Registry(files::FileSystem& system, Options options, Records records)
      : system_(system),
        options_(std::move(options)),
        runtime_(options_.foreign),
        records_(std::move(records)) {}
  [[nodiscard]] Result<void> read_all();
  [[nodiscard]] std::string path(const std::string& name,
                                 std::uint32_t version,
                                 std::string_view kind = "") const;
  struct Written {
    std::string sha256;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] learn::Asked<Written> write(const std::string& path, std::string_view bytes) const;
  [[nodiscard]] learn::Asked<Written> write(const std::string& path,
                                            const models::Model& model) const;
  /// A version that is on disk, and what is to be written down of it.
  struct Filed {
    learn::ModelVersion version;
    ServedPtr served;
    std::string judged_sha256;  ///< empty: it answers as it was judged
  };
  [[nodiscard]] learn::Asked<Filed> write_files(const learn::TrainedModel& trained,
                                                const Model& model,
                                                learn::TrainingJob& job,
                                                SteadyTime now) const;
  [[nodiscard]] Result<void> write_down(const Filed& filed,
                                        const learn::TrainedModel& trained,
                                        const std::vector<learn::AliasChange>& changes,
                                        const learn::TrainingJob& job);
  [[nodiscard]] learn::Asked<std::uint32_t> last_champion(const Model& model) const;
  [[nodiscard]] std::vector<std::string> unloaded(learn::Alias alias) const;
  [[nodiscard]] static learn::ModelState state_of(const Model& model);
  /// A version's file as it was written; kChecksum, or why it cannot be read, in words.
  [[nodiscard]] learn::Asked<std::string> bytes_of(const learn::ModelVersion& version,
                                                   bool batches) const;
  [[nodiscard]] learn::Asked<ServedPtr> read(const learn::ModelVersion& version,
                                             bool batches) const;
  [[nodiscard]] learn::Asked<ServedPtr> at_hand(const learn::ModelVersion& version,
                                                bool batches) const;
  [[nodiscard]] learn::Asked<learn::ModelVersion> known(const std::string& name,
                                                        std::optional<std::uint32_t> version) const;
  [[nodiscard]] std::vector<learn::AliasChange> changes(const Model& model,
                                                        learn::Alias alias,
                                                        std::uint32_t version,
                                                        const std::string& actor,
                                                        const std::string& reason,
                                                        SteadyTime now) const;
  void take_over(const std::vector<learn::AliasChange>& changes, const ServedPtr& served);
  void tell(const std::string& name, const ServedPtr& champion) const;
  /// Lets a model's old versions go.
  void prune(Model& model);
  void remove_files(const std::string& model, std::uint32_t version) const;
  /// Removes files of versions that went.
  void sweep(const std::vector<learn::ModelVersion>& versions) const;

  files::FileSystem& system_;
  const Options options_;
  const ForeignRuntime runtime_;
  mutable std::mutex records_mutex_;  ///< of what writes; taken before `mutex_`
  mutable Records records_;
  mutable std::mutex mutex_;  ///< of what answers; held shortly
  std::map<std::string, Model> models_;
  mutable std::map<std::string, ServedPtr> others_;  ///< lately asked for, by path
  ChampionChanged changed_;
};

}  // namespace liminal::registry
