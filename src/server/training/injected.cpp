#include "server/training/injected.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/abuse/inject.hpp"
#include "core/base/hash.hpp"
#include "core/base/time.hpp"
#include "core/engine/local_engine.hpp"
#include "core/traffic/schema.hpp"
#include "server/training/rows.hpp"

namespace liminal::training {
namespace {

using abuse::Abuse;
using traffic::FeatureId;

constexpr int kAbusersOfAKind = 6;
constexpr std::size_t kRowsOfAnAbuse = 8;
constexpr double kEnd_s = 7200;
/// Any that is far enough from zero for what was before it.
constexpr Duration kBegin = std::chrono::hours{24 * 365 * 50};

/// The features that such abuse shows in.
std::vector<FeatureId> shown_in(Abuse abuse) {
  using enum FeatureId;
  switch (abuse) {
    case Abuse::kFlood:
    case Abuse::kSlowFlood:
    case Abuse::kGrowingBot:
      return {kMessagesPerMinute, kMessagesPerMinute5m, kMessagesPerMinute1h, kBytesPerMinute};
    case Abuse::kErrorStorm:
      return {kErrorRate};
    case Abuse::kContentSpam:
      return {kSameContentRatio};
    case Abuse::kOversized:
      return {kAvgMessageSize, kBytesPerMinute};
    case Abuse::kReconnect:
      return {kReconnectsPerMinute};
    case Abuse::kChannelSpray:
      return {kNewChannelsPerMinute, kChannelsCount};
    case Abuse::kMetronome:
      return {kBurstiness};
    case Abuse::kRing:
    case Abuse::kTakeover:
      return {};
  }
  return {};
}

bool shows(Abuse abuse, const std::vector<FeatureId>& asked) {
  const auto in = shown_in(abuse);
  return std::any_of(in.begin(), in.end(), [&](FeatureId id) {
    return std::find(asked.begin(), asked.end(), id) != asked.end();
  });
}

/// The rows that an engine would store of a trace.
std::vector<traffic::FeatureRow> rows_of(const abuse::Trace& trace) {
  const engine::Options options;
  engine::LocalEngine engine(options);
  engine::Effects effects;
  std::vector<traffic::FeatureRow> rows;
  for (const abuse::TraceEvent& event : trace) {
    effects.clear();
    engine.feed(abuse::EngineEvent(event, kBegin).get(), effects);
    std::move(effects.rows.begin(), effects.rows.end(), std::back_inserter(rows));
  }
  return rows;
}

}  // namespace

learn::Table injected_rows(const learn::ModelDefinition& definition, std::uint64_t seed) {
  learn::Table table;
  const std::vector<FeatureId> asked = feature_columns(definition, table);
  Random random(seed);
  abuse::Trace trace;
  std::map<std::string, abuse::Injection, std::less<>> by_user;
  for (std::size_t kind = 0; kind < abuse::kAbuses; ++kind) {
    const auto abuse = static_cast<Abuse>(kind);
    for (int i = 0; i < kAbusersOfAKind && shows(abuse, asked); ++i) {
      const auto done =
          abuse::inject(trace, abuse, kEnd_s, random, static_cast<int>(by_user.size()));
      if (done) by_user[done->users.front()] = *done;
    }
  }
  std::stable_sort(
      trace.begin(), trace.end(), [](const auto& a, const auto& b) { return a.t < b.t; });
  std::map<std::string, std::vector<traffic::FeatureRow>> seen;
  for (traffic::FeatureRow& row : rows_of(trace)) {
    const auto done = by_user.find(row.user);
    const double t = seconds(row.time.time_since_epoch() - kBegin);
    if (done != by_user.end() && t >= done->second.tenth_event) seen[row.user].push_back(row);
  }
  for (const auto& [user, rows] : seen) {
    const std::size_t kept = std::min(rows.size(), kRowsOfAnAbuse);
    for (std::size_t i = 1; i <= kept; ++i) {
      const traffic::Features& features = rows[i * rows.size() / kept - 1].features;
      for (const FeatureId id : asked) table.values.push_back(features[id]);
      table.labels.push_back(1);
      table.weights.push_back(kInjectedWeight);
      table.groups.push_back(hash64(user));
    }
  }
  return table;
}

void append(learn::Table& to, const learn::Table& rows) {
  const auto add = [](auto& values, const auto& more) {
    values.insert(values.end(), more.begin(), more.end());
  };
  if (!to.weights.empty()) add(to.weights, rows.weights);
  if (!to.groups.empty()) add(to.groups, rows.groups);
  if (!to.times_s.empty()) add(to.times_s, rows.times_s);
  add(to.values, rows.values);
  add(to.labels, rows.labels);
}

}  // namespace liminal::training
