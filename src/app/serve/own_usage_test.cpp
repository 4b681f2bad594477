#include "app/serve/own_usage.hpp"

#include <gtest/gtest.h>

#include "io/files/memory_file_system.hpp"

namespace liminal::app {
namespace {

using gateway::Upstreams;
using namespace std::chrono_literals;

constexpr OwnUsage::SteadyPoint kBegin{1h};

class OwnUsageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = Upstreams::make({"unix:/a", "unix:/b"}, nullptr);
    ASSERT_TRUE(made);
    upstreams = *made;
  }
  /// So many seconds, with so many messages in each.
  void pass(int seconds, std::uint64_t messages) {
    for (int i = 0; i < seconds; ++i, ++second) {
      used.totals.messages[0][0] += 2 * messages;
      used.message_seconds.observe(2ms);
      gateway::UpstreamTally& a = upstreams->all()[0]->tally(0);
      a.messages[0].add(messages);
      upstreams->all()[0]->tally(3).messages[1].add(messages);
      a.answer_seconds.observe(40ms);
      used.upstreams = upstreams;
      usage.second(EventTime{500'000h + std::chrono::seconds{second}},
                   kBegin + std::chrono::seconds{second},
                   [this] { return used; });
    }
  }
  [[nodiscard]] scaling::Service service(const std::string& name) const {
    const auto state = scaling.state(name);
    EXPECT_TRUE(state) << name;
    return state ? state->service : scaling::Service();
  }

  bool takes_a_stranger() {
    scaling::Observation seen;
    seen.request_rate = 1;
    bool taken = false;
    scaling.advise({"stranger", {}, {{EventTime{500'000h}, seen}}},
                   [&](const Result<scaling::Advice>& advice) { taken = advice.has_value(); });
    return taken;
  }

  files::MemoryFileSystem disk;
  signals::Scaling scaling{{.folder = "scaling", .services_max = 3}, disk};
  OwnUsage usage{scaling};
  std::shared_ptr<const Upstreams> upstreams;
  GatewayUsage used;
  int second = 0;
};

TEST_F(OwnUsageTest, TellsOfTheProgramAndOfEachUpstreamAsOneInstance) {
  pass(300, 50);
  EXPECT_EQ(service("liminal").present_load(), 100);
  EXPECT_EQ(service("upstream:unix:/a").present_load(), 100) << "there and back, of every thread";
  EXPECT_EQ(service("upstream:unix:/a").replicas(), 1);
  EXPECT_EQ(service("upstream:unix:/b").present_load(), 0);
  EXPECT_EQ(service("upstream:unix:/a").observations(), 29U) << "the first moment has no rate";
}

TEST_F(OwnUsageTest, KeepsThemWhateverOthersAreToldOf) {
  pass(30, 50);
  EXPECT_EQ(scaling.counters().services, 3U);
  EXPECT_FALSE(takes_a_stranger());
  upstreams = *Upstreams::make({"unix:/a"}, upstreams.get());
  pass(10, 50);
  EXPECT_TRUE(takes_a_stranger());
  EXPECT_FALSE(scaling.state("upstream:unix:/b")) << "there is no such upstream any more";
  EXPECT_TRUE(scaling.state("upstream:unix:/a"));
}

}  // namespace
}  // namespace liminal::app
