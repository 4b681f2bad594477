#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "io/http/client.hpp"
#include "server/uplink/champions.hpp"
#include "server/uplink/outbound.hpp"

namespace liminal::uplink {

/// How it stands.
struct State {
  bool up = false;      ///< the cluster answered when it was last asked
  std::string trouble;  ///< why not; empty while it is up
  Counters rows, metrics, alerts, feedback;
  std::uint64_t champions = 0;  ///< taken over
};

/// A gateway's part in a cluster: sends feature rows, metric streams, alerts and what operators
/// said of them to the API there, and takes over the champions that come of them and, where that is
/// wanted, its limits.
///
/// `push` never waits for the network: it appends to a bounded queue (outbound.hpp) under a short
/// lock. A cluster that is away or slow costs what is pushed out of the queue, and nothing else.
/// What operators said is not pushed but asked for, from where it is kept for good, and is asked
/// for again until the cluster has it: also by the next process, and where the token was wrong.
/// Thread-safe. One thread of its own.
class Uplink {
 public:
  /// What a champion of the cluster becomes here; called on the uplink's thread, may wait for a
  /// disk.
  struct Ports {
    /// Whether this one is wanted: not when it was here before, or its model is not known.
    std::function<bool(const Champion&)> wants;
    /// Takes it over, or says why not. `file`: the bytes that came for it, not verified.
    std::function<std::optional<std::string>(const Champion&, std::string file)> take;
    /// Has the limits of the cluster, as GET /ml/limits answers, hold here where they are news;
    /// says what was wrong with them. May be null: they are not asked for then.
    std::function<std::optional<std::string>(const std::string& answer)> limits;
    /// What operators said that the cluster has not heard: the first so many, 0 for their number
    /// alone. May be null: nothing of it is sent then.
    std::function<Said(std::size_t count_max)> said;
    /// The cluster has heard it, up to that number (`Said::last`).
    std::function<void(std::uint64_t last)> heard;
    /// A word that was said at the cluster of an alert of this gateway, perhaps again. May be null:
    /// they are not asked for then.
    std::function<void(traffic::JudgedAlert word)> hear;
    /// The cluster came, went (in words), or sent what was taken over or refused.
    std::function<void(std::string_view what, const std::string& detail)> note;
  };
  using Clock = std::function<SteadyTime()>;

  /// `options` must be valid. The seed is that of the retries' jitter and of the keys of parcels:
  /// it must be another one in every life.
  Uplink(Options options, Ports ports, Clock clock, std::uint64_t seed);
  /// Stops.
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  /// Once; nothing is asked before.
  void start();
  /// Drops what waits and ends the request that is under way; ports are called no more.
  void stop();

  void push(const std::vector<traffic::FeatureRow>& rows);
  void push(const novelty::Batch& batch);
  /// An alert of this gateway changed, to this.
  void push(const traffic::Alert& alert);

  [[nodiscard]] State state() const;

 private:
  void run();
  void send_all();
  void send(Parcel parcel);
  /// Also counts those that wait.
  void fetch_words();
  void look();
  /// What the cluster says at a path, if anything; false when it is to be asked again later.
  [[nodiscard]] bool look_at(const std::string& target, std::optional<std::string>& body);
  void take_champions(const std::string& list);
  void take_limits(const std::string& limits);
  void take_words(const std::string& words);
  void fetch(const Champion& champion);
  [[nodiscard]] Result<http::Response> ask(const std::string& method,
                                           const std::string& target,
                                           std::string body = {},
                                           const std::string& key = {});
  /// Of an answer, or none: whether the cluster is up, and what it is called.
  http::Outcome judge(const Result<http::Response>& answer);

  const Options options_;
  const Ports ports_;
  const Clock clock_;
  http::Client client_;
  std::set<std::string> refused_;  ///< files that were; of the thread
  std::string refused_limits_;     ///< of the thread
  SteadyTime poll_at_{};           ///< of the thread
  SteadyTime words_at_{};          ///< of the thread: words are not sent before
  mutable std::mutex mutex_;       ///< of what follows
  std::condition_variable changed_;
  Outbound outbound_;
  bool up_ = false, known_ = false;
  std::string trouble_;
  std::uint64_t champions_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace liminal::uplink
