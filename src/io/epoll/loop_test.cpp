#include "io/epoll/loop.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace liminal::epoll {
namespace {

using std::chrono::seconds;

constexpr Duration kPatience = seconds{10};  // how long a test waits for what must happen

/// Answers every byte it reads and remembers the end.
struct Echo : Handler {
  explicit Echo(Socket s) : socket(std::move(s)) {}
  void on_ready(Ready) override {
    std::string buffer(4096, '\0');
    for (;;) {
      const Transfer got = socket.read(buffer);
      if (got.state == Transfer::State::kEnd) ended = true;
      if (got.state != Transfer::State::kDone) return;
      received.append(buffer, 0, got.bytes);
      (void)socket.write(std::string_view(buffer).substr(0, got.bytes));
    }
  }
  Socket socket;
  std::string received;
  bool ended = false;
};

struct Pair {
  Socket client, server;
};

Pair connected() {
  const Listener listener = Listener::open_at(Address::parse("127.0.0.1:0").value()).value();
  Socket client = connect(listener.local()).value();
  for (;;)
    if (auto accepted = listener.accept()) return {std::move(client), std::move(accepted->first)};
}

TEST(Loop, TellsOfBytesAndOfTheEnd) {
  Loop loop;
  ASSERT_TRUE(loop.status());
  Pair pair = connected();
  Echo echo(std::move(pair.server));
  ASSERT_TRUE(loop.add(echo.socket, echo));

  ASSERT_EQ(pair.client.write("hello").bytes, 5u);
  while (echo.received != "hello") ASSERT_TRUE(loop.run_once(kPatience));
  pair.client.finish_writing();
  while (!echo.ended) ASSERT_TRUE(loop.run_once(kPatience));
}

TEST(Loop, TellsWhenAFullSocketHasRoomAgain) {
  struct Writable : Handler {
    void on_ready(Ready ready) override { writable = writable || ready.writable; }
    bool writable = false;
  };
  Loop loop;
  Pair pair = connected();
  Writable handler;
  ASSERT_TRUE(loop.add(pair.server, handler));
  const std::string block(1 << 16, 'x');
  while (pair.server.write(block).state == Transfer::State::kDone) continue;
  loop.watch_writing(pair.server, handler, true);
  (void)loop.run_once(Duration::zero());
  ASSERT_FALSE(handler.writable);

  std::string sink(1 << 16, '\0');
  while (!handler.writable) {
    while (pair.client.read(sink).state == Transfer::State::kDone) continue;
    (void)loop.run_once(std::chrono::milliseconds{1});
  }
}

TEST(Loop, RunsTasksOfOtherThreadsInTheirOrder) {
  Loop loop;
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  other.join();
  ASSERT_EQ(seen.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(Loop, AFullMailboxRefusesAndCounts) {
  Loop loop({.mailbox_max = 2, .clock = {}});
  EXPECT_TRUE(loop.post([] {}));
  EXPECT_TRUE(loop.post([] {}));
  EXPECT_FALSE(loop.post([] {}));
  EXPECT_EQ(loop.dropped_tasks(), 1u);
  EXPECT_TRUE(loop.run_once(kPatience));
  EXPECT_TRUE(loop.post([] {}));
}

TEST(Loop, ATaskMayOwnASocket) {
  Loop loop;
  Pair pair = connected();
  loop.post([socket = std::move(pair.server)] { (void)socket.write("x"); });
  EXPECT_TRUE(loop.run_once(kPatience));
  std::string got(1, '\0');
  while (pair.client.read(got).state == Transfer::State::kBlocked) continue;
  EXPECT_EQ(got, "x");
}

TEST(Loop, TimersFollowTheClockItIsGiven) {
  struct Alarm : Timer {
    void on_timer() override { fired = true; }
    bool fired = false;
  };
  LoopTime now = seconds{100};
  Loop loop({.mailbox_max = 16, .clock = [&] { return now; }});
  Alarm alarm;
  loop.arm(alarm, seconds{5});
  (void)loop.run_once(Duration::zero());
  EXPECT_FALSE(alarm.fired);
  now += seconds{6};
  (void)loop.run_once(kPatience);
  EXPECT_TRUE(alarm.fired);
}

TEST(Loop, ATimerArmedAfterALongSleepCountsFromItsEnd) {
  struct Alarm : Timer {
    void on_timer() override { fired = true; }
    bool fired = false;
  };
  LoopTime now = seconds{100};
  Loop loop({.mailbox_max = 16, .clock = [&] { return now; }});
  Alarm alarm;
  (void)loop.run_once(Duration::zero());
  now += seconds{60};
  ASSERT_TRUE(loop.post([&] { loop.arm(alarm, seconds{5}); }));
  EXPECT_TRUE(loop.run_once(kPatience));
  EXPECT_FALSE(alarm.fired);
  now += seconds{4};
  (void)loop.run_once(Duration::zero());
  EXPECT_FALSE(alarm.fired);
  now += seconds{2};
  (void)loop.run_once(Duration::zero());
  EXPECT_TRUE(alarm.fired);
}

TEST(Loop, WhatIsRetiredLivesUntilTheTurnEnds) {
  struct Witness : Retired {
    explicit Witness(bool& f) : gone(f) {}
    ~Witness() override { gone = true; }
    bool& gone;
  };
  Loop loop;
  bool gone = false, alive_in_turn = false;
  loop.post([&] {
    loop.retire(std::make_unique<Witness>(gone));
    alive_in_turn = !gone;
  });
  (void)loop.run_once(kPatience);
  EXPECT_TRUE(alive_in_turn);
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace liminal::epoll
