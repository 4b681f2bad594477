#include <gtest/gtest.h>

#include "core/engine/testing.hpp"

namespace liminal::engine {
namespace {

using namespace testing;

constexpr int kUsers = 30;

/// Ordinary talk, and after ten minutes the server is away for half a minute: everybody's
/// connection ends, and they try to come back, after .5 s, 1 s, 2 s, 4 s and then every 5 s. `how`
/// the attempts end, each after `lasting_s`.
std::vector<Line> outage(EventKind how, double lasting_s, double away_s) {
  constexpr double kBegin = 600;
  std::vector<Line> lines = talk(kUsers, 900, 7);
  Random random(8);
  std::uint64_t connection = 0;
  std::vector<std::uint64_t> open(kUsers);
  for (Line& line : lines) {
    if (line.kind == EventKind::kConnect)
      line.connection = open[std::stoul(line.user.substr(4))] = ++connection;
  }
  std::erase_if(lines,
                [&](const Line& line) { return line.t > kBegin && line.t < kBegin + away_s; });
  for (std::size_t u = 0; u < kUsers; ++u) {
    Line line{.t = kBegin,
              .user = "user" + std::to_string(u),
              .kind = EventKind::kDisconnect,
              .bytes = 0,
              .address = "10.0.0." + std::to_string(u),
              .connection = open[u]};
    lines.push_back(line);
    double pause = .5;
    for (double t = kBegin;;) {
      t += pause * random.uniform(.8, 1.2);
      pause = std::min(2 * pause, 5.);
      line.connection = ++connection;
      line.kind = EventKind::kConnect;
      line.t = t;
      lines.push_back(line);
      if (t > kBegin + away_s) break;
      line.kind = how;
      line.t = t += lasting_s;
      lines.push_back(line);
    }
  }
  std::stable_sort(
      lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.t < b.t; });
  return lines;
}

/// Of every user's features and limits after it: what must be as if nothing had been tried.
void expect_one_connection(const Driver& driver) {
  for (int u = 0; u < kUsers; ++u) {
    const std::string user = "user" + std::to_string(u);
    const auto view = driver.engine.shard_of_user(user).view(user);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->features[traffic::FeatureId::kOpenConnections], 1) << user;
    EXPECT_EQ(view->limit.connections, 1u) << user;
  }
}

TEST(Outage, OfTheServerAccusesNobodyWhoTriesToComeBack) {
  struct {
    double lasting_s, away_s;
  } const cases[] = {{.001, 30}, {1, 30}, {5, 120}};
  for (const auto& [lasting_s, away_s] : cases) {
    Driver driver;
    drive(driver, outage(EventKind::kNotServed, lasting_s, away_s));
    for (const traffic::Alert& alert : driver.raised)
      ADD_FAILURE() << alert.user << ": " << traffic::info(alert.type).name << ", attempts of "
                    << lasting_s << " s";
    expect_one_connection(driver);
  }
}

TEST(Outage, TheSameWithoutAnOutageIsAStorm) {
  Driver driver;
  drive(driver, outage(EventKind::kDisconnect, .001, 30));
  EXPECT_FALSE(driver.raised.empty()) << "attempts that ended by their users' will count";
  expect_one_connection(driver);
}

}  // namespace
}  // namespace liminal::engine
