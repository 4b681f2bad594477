#include "server/hub/hub.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/wire/message_reader.hpp"

namespace liminal::hub {
namespace {

using nlohmann::json;

constexpr EventTime kNow{std::chrono::seconds{1'700'000'000}};
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

/// A connection that keeps what it is sent.
class FakePeer : public Peer {
 public:
  explicit FakePeer(std::string name = "user") : name_(std::move(name)) {}
  [[nodiscard]] std::string_view user() const override { return name_; }
  void failed() override { ++errors; }
  [[nodiscard]] bool send(std::string_view frames) override {
    if (full) return false;
    wire::MessageReader reader(wire::Sender::kServer, {});
    while (const auto message = reader.next(frames)) got.push_back(json::parse(message->payload));
    return true;
  }
  /// The contents of the messages so far, and forgets them.
  std::vector<int> contents() {
    std::vector<int> found;
    for (const json& one : got)
      if (one["type"] == "message") found.push_back(one["content"]);
    got.clear();
    return found;
  }
  std::vector<json> got;
  int errors = 0;
  bool full = false;

 private:
  std::string name_;
};

std::string subscribe(const std::string& channel) {
  return json({{"type", "subscribe"}, {"channel", channel}}).dump();
}
std::string unsubscribe(const std::string& channel) {
  return json({{"type", "unsubscribe"}, {"channel", channel}}).dump();
}
std::string publish(const std::string& channel, int content) {
  return json({{"type", "publish"}, {"channel", channel}, {"content", content}}).dump();
}

class HubTest : public testing::Test {
 protected:
  FakePeer& add(const std::string& name, const std::vector<std::string>& channels = {}) {
    peers_.push_back(std::make_unique<FakePeer>(name));
    FakePeer& peer = *peers_.back();
    hub.join(peer);
    for (const std::string& channel : channels) say(peer, subscribe(channel));
    peer.got.clear();
    return peer;
  }
  void say(FakePeer& peer, const std::string& message) { (void)hub.receive(peer, message, kNow); }

  Hub hub{Options{
      .channels_max = 10, .member_channels_max = 3, .channel_backlog_max = 4, .slice_members = 2}};
  std::vector<std::unique_ptr<FakePeer>> peers_;
};

TEST_F(HubTest, AMessageReachesEveryMemberOfItsChannelAndNobodyElse) {
  FakePeer& ann = add("ann", {"lobby"});
  FakePeer& bob = add("bob", {"lobby", "other"});
  FakePeer& eve = add("eve", {"other"});

  say(ann, publish("lobby", 1));
  EXPECT_FALSE(hub.deliver(kAll));

  const json expected = {{"type", "message"},
                         {"channel", "lobby"},
                         {"content", 1},
                         {"sender", "ann"},
                         {"timestamp", "2023-11-14T22:13:20.000Z"}};
  EXPECT_EQ(ann.got, std::vector<json>{expected});
  EXPECT_EQ(bob.got, std::vector<json>{expected});
  EXPECT_TRUE(eve.got.empty());
  EXPECT_EQ(hub.counts().published, 1u);
  EXPECT_EQ(hub.counts().delivered, 2u);
}

TEST_F(HubTest, AnswersEveryRequest) {
  FakePeer& ann = add("ann");
  say(ann, subscribe("lobby"));
  say(ann, subscribe("lobby"));
  say(ann, R"({"type":"ping"})");
  say(ann, unsubscribe("lobby"));
  say(ann, unsubscribe("lobby"));
  say(ann, "nonsense");
  std::vector<std::string> types;
  for (const json& answer : ann.got) types.push_back(answer["type"]);
  EXPECT_EQ(types,
            (std::vector<std::string>{
                "subscribed", "subscribed", "pong", "unsubscribed", "error", "error"}));
  EXPECT_EQ(hub.counts().subscriptions, 0u);
  EXPECT_EQ(hub.counts().channels, 0u);
}

TEST_F(HubTest, WhoLeftGetsNothingMore) {
  FakePeer& ann = add("ann", {"lobby"});
  FakePeer& bob = add("bob", {"lobby"});
  say(ann, publish("lobby", 1));
  hub.leave(bob);
  hub.leave(bob);
  (void)hub.deliver(kAll);
  EXPECT_TRUE(bob.got.empty());
  EXPECT_EQ(ann.contents(), std::vector<int>{1});
  EXPECT_EQ(hub.receive(bob, publish("lobby", 2), kNow), nullptr);
  EXPECT_EQ(hub.counts().members, 1u);
}

TEST_F(HubTest, ASlowMemberLosesMessagesAndHoldsUpNobody) {
  FakePeer& ann = add("ann", {"lobby"});
  FakePeer& slow = add("slow", {"lobby"});
  FakePeer& bob = add("bob", {"lobby"});
  slow.full = true;
  say(ann, publish("lobby", 1));
  (void)hub.deliver(kAll);
  slow.full = false;
  say(ann, publish("lobby", 2));
  (void)hub.deliver(kAll);
  EXPECT_EQ(bob.contents(), (std::vector<int>{1, 2}));
  EXPECT_EQ(slow.contents(), std::vector<int>{2});
  EXPECT_EQ(hub.counts().dropped_slow, 1u);
}

TEST_F(HubTest, ACrowdDoesNotHoldUpAConversation) {
  for (int i = 0; i < 50; ++i) (void)add("crowd", {"stadium"});
  FakePeer& ann = add("ann", {"table"});
  for (int i = 0; i < 3; ++i) say(*peers_[0], publish("stadium", i));
  say(ann, publish("table", 7));
  EXPECT_TRUE(hub.deliver(3));  // two of the stadium, then the table
  EXPECT_EQ(ann.contents(), std::vector<int>{7});
}

TEST_F(HubTest, APublicationThatCannotWaitIsRefusedAndItsSenderTold) {
  FakePeer& ann = add("ann", {"lobby"});
  for (int i = 0; i < 5; ++i) say(ann, publish("lobby", i));
  ASSERT_EQ(ann.got.size(), 1u);
  EXPECT_EQ(ann.got[0]["type"], "error");
  EXPECT_EQ(ann.errors, 0);  // nothing of its own doing
  EXPECT_EQ(hub.counts().dropped_busy, 1u);
  (void)hub.deliver(kAll);
  EXPECT_EQ(ann.contents(), (std::vector<int>{0, 1, 2, 3}));
  say(ann, publish("lobby", 9));
  (void)hub.deliver(kAll);
  EXPECT_EQ(ann.contents(), std::vector<int>{9});
}

TEST_F(HubTest, ChannelsAndSubscriptionsAreBounded) {
  FakePeer& ann = add("ann");
  for (const char* channel : {"a", "b", "c", "d"}) say(ann, subscribe(channel));
  EXPECT_EQ(ann.got.back()["type"], "error");
  EXPECT_EQ(ann.errors, 1);
  for (int i = 0; i < 4; ++i)
    (void)add("x", {std::to_string(3 * i), std::to_string(3 * i + 1), std::to_string(3 * i + 2)});
  EXPECT_EQ(hub.counts().channels, 10u);
  EXPECT_LT(hub.counts().subscriptions, 15u);
}

TEST_F(HubTest, APublicationOfAnotherThreadReachesTheMembersHere) {
  FakePeer& ann = add("ann", {"lobby"});
  Hub other{Options{}};
  FakePeer bob("bob");
  other.join(bob);
  const SharedPublication publication = other.receive(bob, publish("lobby", 5), kNow);
  ASSERT_TRUE(publication);
  hub.accept(publication);
  (void)hub.deliver(kAll);
  EXPECT_EQ(ann.contents(), std::vector<int>{5});
  EXPECT_EQ(hub.counts().published, 0u);
}

TEST(HubOptions, NamesItsProblems) {
  EXPECT_TRUE(validate(Options{}).empty());
  EXPECT_EQ(validate(Options{.channels_max = 0, .slice_members = 0}).size(), 2u);
}

/// A hub that delivers at once, by the words of the protocol alone.
struct Model {
  std::map<int, std::set<int>> channels;  ///< channel → peers
};

/// Whatever peers do while messages are on their way: who is in a channel from before a publication
/// until it is delivered gets it exactly once and in order; who was never in it does not get it.
RC_GTEST_PROP(Hub, WhoStaysGetsEveryMessageOnceInOrderWhoIsOutsideNone, ()) {
  constexpr int kPeers = 6;
  constexpr int kChannels = 3;
  Hub hub(Options{.slice_members = *rc::gen::inRange<std::size_t>(1, 4)});
  std::vector<std::unique_ptr<FakePeer>> peers;
  for (int i = 0; i < kPeers; ++i) {
    peers.push_back(std::make_unique<FakePeer>());
    hub.join(*peers.back());
  }
  Model model;
  std::map<int, std::set<int>> may;   ///< publication → who may get it: was in
  std::map<int, std::set<int>> must;  ///< … → who must: was in and stayed
  std::set<int> on_the_way;
  std::map<int, int> channel_of;
  int published = 0;
  const int steps = *rc::gen::inRange(1, 120);
  for (int step = 0; step < steps; ++step) {
    const int peer = *rc::gen::inRange(0, kPeers);
    const int channel = *rc::gen::inRange(0, kChannels);
    const std::string name = "c" + std::to_string(channel);
    FakePeer& who = *peers[static_cast<std::size_t>(peer)];
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        (void)hub.receive(who, subscribe(name), kNow);
        model.channels[channel].insert(peer);
        break;
      case 1:
        (void)hub.receive(who, unsubscribe(name), kNow);
        model.channels[channel].erase(peer);
        for (const int one : on_the_way)
          if (channel_of[one] == channel) must[one].erase(peer);
        break;
      case 2:
        (void)hub.receive(who, publish(name, published), kNow);
        channel_of[published] = channel;
        may[published] = must[published] = model.channels[channel];
        on_the_way.insert(published++);
        break;
      default:
        if (!hub.deliver(*rc::gen::inRange<std::size_t>(1, 8))) on_the_way.clear();
    }
  }
  while (hub.deliver(1)) {
  }
  std::map<int, std::set<int>> got;
  for (int peer = 0; peer < kPeers; ++peer) {
    std::map<int, std::vector<int>> by_channel;
    for (const int content : peers[static_cast<std::size_t>(peer)]->contents()) {
      RC_ASSERT(may[content].count(peer) == 1u);
      got[content].insert(peer);
      by_channel[channel_of[content]].push_back(content);
    }
    for (const auto& entry : by_channel) {
      RC_ASSERT(std::is_sorted(entry.second.begin(), entry.second.end()));
      RC_ASSERT(std::adjacent_find(entry.second.begin(), entry.second.end()) == entry.second.end());
    }
  }
  for (int one = 0; one < published; ++one)
    for (const int peer : must[one]) RC_ASSERT(got[one].count(peer) == 1u);
  RC_ASSERT(hub.counts().waiting == 0u);
}

}  // namespace
}  // namespace liminal::hub
