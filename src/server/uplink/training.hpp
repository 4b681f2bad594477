#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/learn/registered.hpp"
#include "io/http/message.hpp"

namespace liminal::uplink {

/// What came of a training on the cluster.
struct Trained {
  std::string file;       ///< ONNX
  bool champion = false;  ///< the gate there made it that
  std::vector<std::string> reasons;
  learn::NamedFigures metrics;
  std::string report;  ///< JSON
  std::vector<learn::JobLine> leaderboard;
};

/// How a training there is asked for and followed.
struct Following {
  /// Asks the cluster's API, and waits.
  std::function<Result<http::Response>(
      const std::string& method, const std::string& target, std::string body)>
      ask;
  std::function<bool()> cancelled;
  std::function<void(double progress, std::vector<learn::JobLine>)> tell;
  /// Between two looks; returns soon after it was cancelled.
  std::function<void()> pause;
  std::function<SteadyTime()> now;
  /// So long each question of the job and of what came of it is repeated without an answer.
  Duration unanswered_max = std::chrono::minutes{1};
};

/// Has the cluster carry a training out, on its rows, waits for its end and fetches what came of
/// it. One that is cancelled here is cancelled there, which is asked for once. kUnavailable, with
/// the cluster's words, when it refuses, fails or answers no more.
[[nodiscard]] learn::Asked<Trained> train_there(const learn::TrainRequest& request,
                                                const Following& following);

}  // namespace liminal::uplink
