#include "app/hub_service.hpp"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/gateway/gateway.hpp"
#include "server/player/client.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

/// Lets everything through.
class OpenEngine : public gateway::Engine {
 public:
  explicit OpenEngine(std::size_t threads) : threads_(threads) {}
  traffic::Verdict decide(const traffic::Event&) override { return {}; }
  void failed(const traffic::Event& event) override { failures.push_back(event.kind); }
  EventTime now() override { return EventTime{std::chrono::seconds{1'700'000'000}}; }
  std::size_t owner(ShardId shard) const override { return index(shard) % threads_; }

  std::vector<traffic::EventKind> failures;

 private:
  std::size_t threads_;
};

/// A client that keeps what it hears.
class User : public player::ClientOwner {
 public:
  User(epoll::Loop& loop, const std::string& name, const epoll::Address& to)
      : client_(loop, *this, 1) {
    const std::array<wire::Field, 1> fields{{{"X-User-Id", name}}};
    const player::Target target = player::Target::parse("ws://" + to.text()).value();
    EXPECT_TRUE(client_.start(target, fields));
  }
  void opened(player::Client&) override { is_open = true; }
  void received(player::Client&, const wire::Message& message) override {
    heard.push_back(json::parse(message.payload));
  }
  void closed(player::Client&) override { is_open = false; }
  void say(const json& message) { EXPECT_TRUE(client_.send(message.dump())); }
  void leave() { client_.close(); }

  std::vector<json> heard;
  bool is_open = false;

 private:
  player::Client client_;
};

/// Two threads' gateways with their hubs, turned by hand on the test's thread.
class HubBehindGateway : public testing::Test {
 protected:
  struct Thread {
    Thread(HubBehindGateway& all, std::size_t index)
        : service(all.hubs.at(index), [&all] { return all.engine.now(); }),
          gateway(*all.loops[index], all.engine, &service, all.census, index) {}
    HubService service;
    gateway::Gateway gateway;
  };

  HubBehindGateway() {
    gateway::Options options;
    options.trusted_proxies = {epoll::Network::parse("127.0.0.0/8").value()};
    const auto settings = std::make_shared<const gateway::Settings>(options, nullptr, nullptr);
    for (std::size_t i = 0; i < loops.size(); ++i)
      threads.push_back(std::make_unique<Thread>(*this, i));
    for (const auto& thread : threads) {
      thread->gateway.connect_peers({&threads[0]->gateway, &threads[1]->gateway});
      thread->gateway.configure(settings);
    }
    auto listener = epoll::Listener::open_at(epoll::Address::parse("127.0.0.1:0").value()).value();
    address = listener.local();
    EXPECT_TRUE(threads[0]->gateway.listen(std::move(listener)));
  }

  User& user(const std::string& name) {
    users.push_back(std::make_unique<User>(client_loop, name, address));
    return *users.back();
  }
  [[nodiscard]] bool until(const std::function<bool()>& holds) {
    for (int turns = 0; turns < 5'000 && !holds(); ++turns)
      for (epoll::Loop* const loop : {&client_loop, &first, &second})
        (void)loop->run_once(std::chrono::milliseconds{1});
    return holds();
  }
  static json subscribe(const char* channel) {
    return {{"type", "subscribe"}, {"channel", channel}};
  }

  epoll::Loop client_loop, first, second;
  std::array<epoll::Loop*, 2> loops{&first, &second};
  OpenEngine engine{2};
  gateway::Census census;
  hub::Threads hubs{hub::Options{}, loops};
  std::vector<std::unique_ptr<Thread>> threads;
  epoll::Address address;
  std::vector<std::unique_ptr<User>> users;
};

TEST_F(HubBehindGateway, UsersOfEveryThreadTalkInAChannel) {
  for (int i = 0; i < 8; ++i) user("user " + std::to_string(i)).say(subscribe("lobby"));
  ASSERT_TRUE(until([&] {
    return std::all_of(
        users.begin(), users.end(), [](const auto& one) { return one->heard.size() == 1; });
  }));
  EXPECT_GT(hubs.at(0).counts().members, 0u);
  EXPECT_GT(hubs.at(1).counts().members, 0u);

  users[0]->say({{"type", "publish"}, {"channel", "lobby"}, {"content", "hi"}});

  ASSERT_TRUE(until([&] {
    return std::all_of(
        users.begin(), users.end(), [](const auto& one) { return one->heard.size() == 2; });
  }));
  const json expected = {{"type", "message"},
                         {"channel", "lobby"},
                         {"content", "hi"},
                         {"sender", "user 0"},
                         {"timestamp", "2023-11-14T22:13:20.000Z"}};
  for (const auto& one : users) EXPECT_EQ(one->heard[1], expected);
}

TEST_F(HubBehindGateway, WhoLeavesIsTakenOutOfItsChannels) {
  user("ann").say(subscribe("lobby"));
  ASSERT_TRUE(until([&] { return users[0]->heard.size() == 1; }));
  users[0]->leave();
  ASSERT_TRUE(
      until([&] { return hubs.at(0).counts().members + hubs.at(1).counts().members == 0; }));
  EXPECT_EQ(hubs.at(0).counts().channels + hubs.at(1).counts().channels, 0u);
}

TEST_F(HubBehindGateway, WhatTheHubRefusesIsAnErrorOfTheUsers) {
  User& ann = user("ann");
  for (const char* nonsense : {"no request", "dance", "subscribe"}) ann.say({{"type", nonsense}});
  ann.say(subscribe("lobby"));
  ASSERT_TRUE(until([&] { return ann.heard.size() == 4; }));
  EXPECT_EQ(engine.failures, std::vector(3, traffic::EventKind::kFailed));
}

}  // namespace
}  // namespace liminal::app
