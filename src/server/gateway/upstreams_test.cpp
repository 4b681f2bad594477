#include "server/gateway/upstreams.hpp"

#include <future>
#include <map>

#include "server/gateway/name_watch.hpp"
#include "server/gateway/testing.hpp"

namespace liminal::gateway {
namespace {

using std::chrono::seconds;
using testing::TestClient;
using testing::TestUpstream;

/// A name server that knows what the test tells it, and counts how often it was asked.
struct Names {
  std::map<std::string, std::vector<std::string>, std::less<>> known;
  int asked = 0;

  Resolve resolve() {
    return [this](std::string_view name) -> Result<std::vector<epoll::Address>> {
      ++asked;
      if (auto address = epoll::Address::parse(name)) return std::vector{*address};
      const auto found = known.find(name);
      if (found == known.end()) return failure(ErrorCode::kUnavailable);
      std::vector<epoll::Address> addresses;
      for (const std::string& each : found->second)
        addresses.push_back(epoll::Address::parse(each).value());
      return addresses;
    };
  }
};

class NamesOfUpstreams : public testing::GatewayTest {
 protected:
  std::shared_ptr<const Upstreams> make(const std::vector<std::string>& urls) {
    news.clear();
    return Upstreams::make(urls, upstreams.get(), names.resolve(), &news).value();
  }
  void look_again() { news = upstreams->look_up_again(now(), names.resolve()); }

  Names names;
  std::vector<Lookup> news;
};

TEST_F(NamesOfUpstreams, AReloadAsksForThemAgainAndKeepsTheRest) {
  names.known["chat:9000"] = {"127.0.0.2:9000"};
  upstreams = make({"ws://chat:9000"});
  const std::shared_ptr<Upstream> chat = upstreams->all().front();
  chat->joined();
  chat->failed(now());
  names.known["chat:9000"] = {"127.0.0.3:9000", "127.0.0.4:9000"};
  upstreams = make({"ws://chat:9000"});
  look_again();
  EXPECT_EQ(upstreams->all().front(), chat);
  EXPECT_EQ(chat->address()->text(), "127.0.0.3:9000");
  EXPECT_EQ(chat->connections(), 1u);
  EXPECT_TRUE(chat->healthy(now())) << "what failed was elsewhere";
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].addresses, "127.0.0.3:9000, 127.0.0.4:9000");

  names.known["chat:9000"] = {"127.0.0.4:9000", "127.0.0.3:9000"};
  upstreams = make({"ws://chat:9000"});
  look_again();
  EXPECT_TRUE(news.empty()) << "the order is no news";
  names.known.clear();
  upstreams = make({"ws://chat:9000"});
  look_again();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_FALSE(news[0].known);
  EXPECT_EQ(chat->address()->text(), "127.0.0.3:9000") << "nothing better is known";
}

TEST_F(NamesOfUpstreams, ConnectionsGoWhereTheNameMoved) {
  TestUpstream other(loop);
  names.known["chat:9000"] = {upstream.listener.local().text()};
  start({}, {upstream.url()});
  upstreams = make({"ws://chat:9000"});
  configure({});
  TestClient& before = connected();
  upstream.listener.close();
  names.known["chat:9000"] = {other.listener.local().text()};
  upstreams = make({"ws://chat:9000"});
  look_again();
  configure({});
  connected();
  EXPECT_EQ(other.sessions.size(), 1u);
  EXPECT_EQ(totals().upstream_failures, 0u);
  before.text("still there");
  EXPECT_TRUE(until([&] { return before.messages.size() == 1; }));
}

TEST_F(NamesOfUpstreams, OneThatNobodyKnowsIsDownUntilSomebodyDoes) {
  const std::string well = upstream.url();
  start({}, {well});
  upstreams = make({"ws://late:9000", well});
  configure({});
  ASSERT_EQ(news.size(), 1u) << "and an address is no name";
  EXPECT_EQ(news[0].upstream, "ws://late:9000");
  EXPECT_FALSE(news[0].known);
  const std::shared_ptr<Upstream> late = upstreams->all().front();
  EXPECT_FALSE(late->healthy(now()));
  connected();
  EXPECT_EQ(late->errors(), 0u) << "nobody was sent there";

  look_again();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_FALSE(news[0].known);
  TestUpstream other(loop);
  names.known["late:9000"] = {other.listener.local().text()};
  const int asked = names.asked;
  look_again();
  EXPECT_EQ(names.asked, asked) << "not twice in half a minute";
  pass_time(seconds{30});
  look_again();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_TRUE(news[0].known);
  EXPECT_TRUE(late->healthy(now()));
  connected();
  connected();
  EXPECT_FALSE(other.sessions.empty());
}

TEST_F(NamesOfUpstreams, AFailureAsksAgainOnceInHalfAMinute) {
  names.known["chat:9000"] = {"127.0.0.2:9000"};
  upstreams = make({"ws://chat:9000", "ws://127.0.0.1:1"});
  const std::shared_ptr<Upstream> chat = upstreams->all().front();
  const int asked = names.asked;
  look_again();
  EXPECT_EQ(names.asked, asked) << "all is well";
  chat->failed(now());
  look_again();
  look_again();
  EXPECT_EQ(names.asked, asked + 1);
  EXPECT_TRUE(news.empty());
  EXPECT_FALSE(chat->healthy(now())) << "it is where it was";
  chat->failed(now());
  names.known["chat:9000"] = {"127.0.0.3:9000"};
  pass_time(seconds{29});
  look_again();
  EXPECT_EQ(names.asked, asked + 1);
  pass_time(seconds{1});
  look_again();
  EXPECT_EQ(chat->address()->text(), "127.0.0.3:9000");
  ASSERT_EQ(news.size(), 1u);
}

TEST_F(NamesOfUpstreams, WhereNoneIsKnownThereIsNothingToServe) {
  const auto none = Upstreams::make({"ws://a:1", "ws://b:1"}, nullptr, names.resolve());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  const auto wrong = Upstreams::make({upstream.url(), "ws://b:none"}, nullptr);
  ASSERT_FALSE(wrong) << "what can be no name will not become one";
  EXPECT_EQ(wrong.error().position, 1u);
}

TEST_F(NamesOfUpstreams, AreWatchedOnAThreadOfTheirOwn) {
  struct Told : Reporter {
    void upstream_failed(const std::string&, const std::string&) override {}
    void upstream_changed(const std::string&, bool, const std::string&) override {}
    void upstream_resolved(const std::string&, bool known, const std::string& where) override {
      if (known) addresses.set_value(where);
    }
    std::promise<std::string> addresses;
  } told;
  upstreams = make({"ws://late:9000", "ws://127.0.0.1:1"});
  names.known["late:9000"] = {"127.0.0.9:9000"};
  NameWatch watch(told, names.resolve(), std::chrono::milliseconds{1});
  watch.watch(upstreams);
  std::future<std::string> where = told.addresses.get_future();
  ASSERT_EQ(where.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(where.get(), "127.0.0.9:9000");
}

class DrainedUpstreams : public testing::GatewayTest {
 protected:
  void reload(const std::vector<std::string>& urls, Duration drain_timeout = Duration::zero()) {
    upstreams = Upstreams::make(urls, upstreams.get()).value();
    Options options;
    options.drain_timeout = drain_timeout;
    configure(options);
  }
  TestUpstream other{loop};
};

TEST_F(DrainedUpstreams, AreShownUntilTheirLastConnectionEnds) {
  start();
  TestClient& one = connected();
  TestClient& two = connected();
  const Upstream* old = upstreams->all().front().get();
  reload({other.url()});
  reload({other.url()});
  ASSERT_EQ(upstreams->draining().size(), 1u);
  EXPECT_EQ(upstreams->draining().front().get(), old);
  EXPECT_EQ(old->connections(), 2u);
  connected();
  EXPECT_EQ(other.sessions.size(), 1u);
  one.socket.close();
  ASSERT_TRUE(until([&] { return old->connections() == 1; }));
  pass_time(std::chrono::minutes{9});
  two.text("still there");
  ASSERT_TRUE(until([&] { return two.messages.size() == 1; })) << "without a time-out nobody goes";
  two.socket.close();
  EXPECT_TRUE(until([&] { return upstreams->draining().empty(); }));
}

TEST_F(DrainedUpstreams, AreLeftByAllAfterTheTimeout) {
  start();
  TestClient& early = connected();
  reload({other.url()}, seconds{60});
  TestClient& elsewhere = connected();
  pass_time(seconds{40});
  reload({other.url()}, seconds{60});
  EXPECT_FALSE(early.close_code) << "20 s are left";
  pass_time(seconds{21});
  ASSERT_TRUE(until([&] { return early.ended; }));
  EXPECT_EQ(early.close_code, 1001);
  EXPECT_EQ(ended(Closing::kUpstreamDrained), 1u);
  early.socket.close();
  EXPECT_TRUE(until([&] { return upstreams->draining().empty(); }));
  elsewhere.text("not me");
  EXPECT_TRUE(until([&] { return elsewhere.messages.size() == 1; }));
}

TEST_F(DrainedUpstreams, ThatComeBackKeepTheirConnections) {
  start();
  TestClient& one = connected();
  const Upstream* old = upstreams->all().front().get();
  reload({other.url()}, seconds{60});
  reload({other.url(), upstream.url()}, seconds{60});
  EXPECT_EQ(upstreams->all().back().get(), old);
  EXPECT_TRUE(upstreams->draining().empty());
  pass_time(seconds{70});
  one.text("still there");
  EXPECT_TRUE(until([&] { return one.messages.size() == 1; }));
}

TEST_F(DrainedUpstreams, HaveWhoWasOnTheWayToThem) {
  start();
  std::string late;
  upstream.answer = [&](std::string_view head) {
    late = TestUpstream::switching(head);
    return std::string();
  };
  TestClient& one = client();
  one.upgrade();
  ASSERT_TRUE(until([&] { return !late.empty(); }));
  reload({other.url()}, seconds{5});
  (void)upstream.last().socket.write(late);
  ASSERT_TRUE(until([&] { return one.status() == 101; }));
  EXPECT_EQ(upstreams->draining().size(), 1u);
  pass_time(seconds{6});
  ASSERT_TRUE(until([&] { return one.ended; }));
  EXPECT_EQ(one.close_code, 1001);
}

}  // namespace
}  // namespace liminal::gateway
