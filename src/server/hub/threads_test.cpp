#include "server/hub/threads.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace liminal::hub {
namespace {

constexpr EventTime kNow{std::chrono::seconds{1'700'000'000}};

class CountingPeer : public Peer {
 public:
  [[nodiscard]] std::string_view user() const override { return "user"; }
  void failed() override {}
  [[nodiscard]] bool send(std::string_view frames) override {
    if (frames.find("\"message\"") != std::string_view::npos) ++messages;
    return true;
  }
  std::size_t messages = 0;
};

constexpr std::string_view kSubscribe = R"({"type":"subscribe","channel":"lobby"})";
constexpr std::string_view kPublish = R"({"type":"publish","channel":"lobby","content":"hi"})";

void run_until_quiet(std::vector<epoll::Loop*> loops) {
  for (bool busy = true; busy;) {
    busy = false;
    for (epoll::Loop* const loop : loops) busy = loop->run_once(Duration::zero()) || busy;
  }
}

TEST(Threads, AMessageReachesMembersOnEveryThread) {
  epoll::Loop first;
  epoll::Loop second;
  const std::array<epoll::Loop*, 2> loops{&first, &second};
  Threads threads(Options{}, loops);
  CountingPeer ann;
  CountingPeer bob;
  threads.at(0).join(ann);
  threads.at(1).join(bob);
  threads.at(0).receive(ann, kSubscribe, kNow);
  threads.at(1).receive(bob, kSubscribe, kNow);

  threads.at(0).receive(ann, kPublish, kNow);
  run_until_quiet({&first, &second});

  EXPECT_EQ(ann.messages, 1u);
  EXPECT_EQ(bob.messages, 1u);
}

TEST(Threads, ACrowdIsServedInTurnsOfItsLoop) {
  epoll::Loop loop;
  const std::array<epoll::Loop*, 1> loops{&loop};
  Threads threads(Options{}, loops);
  std::vector<CountingPeer> crowd(5000);
  for (CountingPeer& peer : crowd) {
    threads.at(0).join(peer);
    threads.at(0).receive(peer, kSubscribe, kNow);
  }
  threads.at(0).receive(crowd[0], kPublish, kNow);
  EXPECT_EQ(threads.at(0).counts().delivered, 1024u);
  run_until_quiet({&loop});
  for (const CountingPeer& peer : crowd) ASSERT_EQ(peer.messages, 1u);
}

TEST(Threads, AFullMailboxLosesPublicationsAndCountsThem) {
  epoll::Loop first;
  epoll::Loop second({.mailbox_max = 2, .clock = {}});
  const std::array<epoll::Loop*, 2> loops{&first, &second};
  Threads threads(Options{}, loops);
  CountingPeer ann;
  threads.at(0).join(ann);
  for (int i = 0; i < 5; ++i) threads.at(0).receive(ann, kPublish, kNow);
  EXPECT_EQ(threads.at(0).counts().dropped_forwards, 3u);
  EXPECT_EQ(second.dropped_tasks(), 3u);
}

TEST(Threads, LoopsThatRunAtOnceLoseNothing) {
  constexpr std::size_t kThreads = 3;
  constexpr std::size_t kMessages = 2000;
  std::array<epoll::Loop, kThreads> loops;
  const std::array<epoll::Loop*, kThreads> pointers{&loops[0], &loops[1], &loops[2]};
  Threads threads(Options{}, pointers);
  std::array<CountingPeer, kThreads> peers;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.at(i).join(peers[i]);
    threads.at(i).receive(peers[i], kSubscribe, kNow);
  }
  std::array<std::thread, kThreads> running;
  for (std::size_t i = 0; i < kThreads; ++i) {
    running[i] = std::thread([&, i] {
      for (std::size_t k = 0; k < kMessages; ++k) {
        threads.at(i).receive(peers[i], kPublish, kNow);
        (void)loops[i].run_once(Duration::zero());
      }
      while (peers[i].messages < kThreads * kMessages)
        (void)loops[i].run_once(std::chrono::seconds{1});
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const CountingPeer& peer : peers) EXPECT_EQ(peer.messages, kThreads * kMessages);
}

}  // namespace
}  // namespace liminal::hub
