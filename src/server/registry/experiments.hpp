#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/hash.hpp"
#include "core/learn/registered.hpp"
#include "server/registry/registry.hpp"

namespace liminal::registry {

/// Experiments of champion against challenger on live traffic: at most one of a model runs.
///
/// What is compared is −(p − y)² where the truth y comes to be known: of the same row by both
/// (shadow), or by whichever the user belongs to (split); one value a user, the first, for what is
/// judged of one user is no evidence twice. Agreement, latency and alarms are compared on every row
/// that is scored. Of values, both agree within the champion's interval of 90 % (without one,
/// within a twentieth); of groups, when both put a row and the one before it together or both do
/// not. When a guard rail breaks the challenger loses its alias and every user gets the champion
/// again.
///
/// That an experiment began or ended is durable when a call returns; of what was observed, a second
/// may be lost by a kill. Thread-safe. Calls may wait for the disk, but for `arm`.
class Experiments {
 public:
  using Now = std::function<SteadyTime()>;
  /// The guards that there are: "alarm_ratio" and "latency_us".
  static constexpr std::string_view kAlarmRatio = "alarm_ratio";
  static constexpr std::string_view kLatency = "latency_us";

  /// Reads what ran before. What cannot go on, because a version or what was kept of it cannot be
  /// read, ends as stopped or begins anew: its decisions say why, and `told` hears of it. While a
  /// disk does not answer it waits for the next start. Of a registry that is only read, nothing
  /// runs.
  using Told =
      std::function<void(const std::string& model, std::uint64_t id, const std::string& why)>;
  Experiments(Registry& registry, Now now, const Told& told = {});

  /// kOutOfRange with the fields that are wrong; kConflict while another one of the model runs, or
  /// when there is nothing to compare.
  [[nodiscard]] learn::Asked<learn::ExperimentView> begin(const learn::ExperimentRequest& request);
  /// Newest first, without their decisions.
  [[nodiscard]] std::vector<learn::ExperimentView> list() const;
  [[nodiscard]] learn::Asked<learn::ExperimentView> view(std::uint64_t id) const;
  /// Also one that was left behind running and is not in memory. kConflict when it has ended.
  [[nodiscard]] learn::Asked<learn::ExperimentView> stop(std::uint64_t id,
                                                         const std::string& reason);

  /// In a split: the challenger, when it is whom this user belongs to. Does not wait.
  [[nodiscard]] std::shared_ptr<const Served> arm(const std::string& model,
                                                  std::string_view user) const;
  /// Whether rows of this model are wanted.
  [[nodiscard]] bool runs(const std::string& model) const;

  /// Rows that were asked of a version, or pass by: in a shadow both score them.
  void observe(const std::string& model, std::span<const float> rows, std::string_view user);
  /// What a row of a user really was: 0 or 1, or the value. `user` is empty where it is nobody's.
  void observe_truth(const std::string& model,
                     std::span<const float> row,
                     double truth,
                     std::string_view user);

  /// Once a second: keeps what was observed, and ends what must end.
  void second();

 private:
  /// Users that were counted, once each: what is beyond the cap is not counted.
  class Users {
   public:
    static constexpr std::size_t kMax = 10'000;
    /// Whether a user is to be counted now. Who is not told counts every time.
    [[nodiscard]] bool first(std::string_view user);
    void save(Writer& out) const;
    void load(Reader& in);

   private:
    std::unordered_set<std::uint64_t> hashes_;
  };
  struct Running {
    ExperimentRow row;
    learn::Experiment experiment;
    std::shared_ptr<const Served> champion, challenger;
    std::size_t logged = 0;  ///< decisions written
    bool dirty = false;
    Users came{}, judged{};
    std::optional<std::pair<std::uint32_t, std::uint32_t>> groups{};  ///< of the row before
    std::uint64_t of_nobody = 0;                                      ///< rows so far

    /// What tells a row's user apart; of nobody's each is another.
    [[nodiscard]] std::uint64_t group_of(std::string_view user) {
      return user.empty() ? mix64(++of_nobody) : hash64(user);
    }
  };

  [[nodiscard]] static learn::ExperimentView shown(const ExperimentRow& row,
                                                   const learn::Experiment& experiment);
  [[nodiscard]] std::optional<learn::ExperimentView> read(const ExperimentRow& row) const;
  /// Why it cannot go on as it was; empty when it does.
  [[nodiscard]] std::string resume(ExperimentRow row);
  /// Ends what is kept as running, without its figures.
  [[nodiscard]] Result<void> end(ExperimentRow row, const std::string& text);
  [[nodiscard]] static std::string saved(const Running& running);
  [[nodiscard]] static bool agree(Running& running,
                                  const models::Prediction& champion,
                                  const models::Prediction& challenger);
  /// What a version said of rows, and what that took, a row.
  struct Scored {
    std::vector<models::Prediction> said;
    double us = 0;
  };
  [[nodiscard]] static Result<Scored> score(const Served& served, std::span<const float> rows);
  [[nodiscard]] Running* find(const std::string& model, std::optional<std::uint64_t> id);
  /// What is asked of an experiment's versions once its lock is given back.
  struct Asking {
    std::uint64_t id = 0;
    std::optional<learn::Arm> arm;  ///< of a split: that of the user
    std::shared_ptr<const Served> champion, challenger;
    /// The version that speaks first, in a split alone.
    [[nodiscard]] const Served& by() const {
      return arm == learn::Arm::kChallenger ? *challenger : *champion;
    }
  };
  [[nodiscard]] static Asking asking(const Running& running, std::string_view user);
  void observe_arm(const std::string& model,
                   std::uint64_t id,
                   learn::Arm arm,
                   const Served& by,
                   const Result<Scored>& scored,
                   std::string_view user);
  void observe_both(const std::string& model,
                    std::uint64_t id,
                    std::string_view user,
                    const Served& champion,
                    const Result<Scored>& first,
                    const Served& challenger,
                    const Result<Scored>& second);
  void keep(Running& running);
  void end(Running& running, const std::string& state, const std::string& text);
  void give_up(Running& running, const Served& by, const Error& error);

  Registry& registry_;
  const Now now_;
  mutable std::mutex mutex_;
  std::map<std::string, Running> running_;  ///< by model
};

}  // namespace liminal::registry
