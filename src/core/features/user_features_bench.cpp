#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "core/features/user_features.hpp"

namespace liminal::features {
namespace {

using traffic::Event;
using traffic::FeatureId;
using traffic::Name;

/// An ordinary message as the gateway makes it: with address, one channel and a content.
struct Message {
  Message() {
    event.user = Name("anna");
    event.address = Name("10.0.0.1");
    event.channels = channels;
    event.bytes = 42;
    event.connection = 1;
  }
  std::array<Name, 1> channels{Name("general")};
  Event event;
};

/// One message each for many users in turn, 1 µs apart: the state does not stay in the first cache.
void BM_Learn(benchmark::State& state) {
  std::vector<UserFeatures> users(static_cast<std::size_t>(state.range(0)));
  Message message;
  SteadyTime now{std::chrono::hours{24 * 20'000}};
  std::size_t user = 0;
  std::uint64_t content = 0;
  for (auto _ : state) {
    message.event.content_hash = ++content;
    users[user].learn(message.event, now, false);
    now += std::chrono::microseconds{1};
    user = user + 1 == users.size() ? 0 : user + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Learn)->Arg(1)->Arg(1'000)->Arg(100'000);

/// The same with the events of a user 20 s apart: every one rolls the windows.
void BM_LearnRolling(benchmark::State& state) {
  std::vector<UserFeatures> users(1'000);
  Message message;
  SteadyTime now{std::chrono::hours{24 * 20'000}};
  std::size_t user = 0;
  for (auto _ : state) {
    message.event.content_hash = user;
    users[user].learn(message.event, now, false);
    now += std::chrono::milliseconds{20};
    user = user + 1 == users.size() ? 0 : user + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_LearnRolling);

UserFeatures busy_user(SteadyTime& now) {
  UserFeatures user;
  Message message;
  for (std::uint64_t i = 0; i < 200; ++i) {
    message.event.bytes = static_cast<std::uint32_t>(30 + i % 50);
    message.event.content_hash = i;
    user.learn(message.event, now += std::chrono::milliseconds{330}, false);
  }
  return user;
}

void BM_ReadOne(benchmark::State& state) {
  SteadyTime now{std::chrono::hours{24 * 20'000}};
  const UserFeatures user = busy_user(now);
  const auto id = FeatureId{static_cast<std::uint8_t>(state.range(0))};
  state.SetLabel(std::string(traffic::info(id).name));
  for (auto _ : state) benchmark::DoNotOptimize(user.read(id, now));
}
BENCHMARK(BM_ReadOne)->DenseRange(0, traffic::kFeatureCount - 1);

void BM_ReadAll(benchmark::State& state) {
  SteadyTime now{std::chrono::hours{24 * 20'000}};
  const UserFeatures user = busy_user(now);
  for (auto _ : state) benchmark::DoNotOptimize(user.read(now));
}
BENCHMARK(BM_ReadAll);

}  // namespace
}  // namespace liminal::features
