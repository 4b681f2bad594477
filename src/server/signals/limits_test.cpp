#include "server/signals/limits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "io/files/memory_file_system.hpp"

namespace liminal::signals {
namespace {

constexpr double kDay = 86'400;
constexpr stats::Limit kFull{1, stats::Trend::Side::kAbove};
constexpr stats::Limit kEmpty{0, stats::Trend::Side::kBelow};

EventTime minute(std::int64_t m) { return EventTime{std::chrono::minutes{20'000'000 + m}}; }

class LimitsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files.create_folder("data")); }
  Limits make() { return Limits({.limits_max = 2, .folder = "data"}, files); }
  static void fill(Limits& limits, std::int64_t from, std::int64_t to) {
    for (std::int64_t m = from; m < to; ++m)
      limits.observe({"db",
                      {"other", "disk"},
                      {{minute(m), {{0, 1}, {1, .2 + .5 * static_cast<double>(m) / 1440}}}},
                      {}});
  }
  files::MemoryFileSystem files;
};

TEST_F(LimitsTest, SaysWhenALimitIsReached) {
  Limits limits = make();
  ASSERT_TRUE(limits.declare("db", "disk", kFull));
  EXPECT_FALSE(limits.line("db", "disk")->passage);
  EXPECT_TRUE(std::isnan(limits.line("db", "disk")->value));
  fill(limits, 0, 600);
  const auto line = limits.line("db", "disk");
  ASSERT_TRUE(line && line->passage && line->passage->expected_s);
  EXPECT_NEAR(line->value, .408, .001);
  EXPECT_NEAR(*line->passage->expected_s, (1 - .408) / .5 * kDay, 1200);
  EXPECT_GT(line->passage->probability, .99);
  EXPECT_FALSE(limits.line("db", "other"));
  EXPECT_FALSE(limits.line("web", "disk"));
  EXPECT_EQ(limits.lines(10, "web").size(), 1U);
  EXPECT_TRUE(limits.lines(0, "db").empty());
}

TEST_F(LimitsTest, ListsASourceFirst) {
  Limits limits = make();
  ASSERT_TRUE(limits.declare("a", "disk", kFull));
  limits.declare_own("own", "disk", kFull);
  ASSERT_EQ(limits.lines(10, "own").size(), 2U);
  EXPECT_EQ(limits.lines(1, "own").at(0).source, "own");
  EXPECT_EQ(limits.lines(10, "own").at(1).source, "a");
}

TEST_F(LimitsTest, OfItsOwnItKeepsWhatWasDeclaredOtherwise) {
  {
    Limits limits = make();
    limits.declare_own("own", "disk", kEmpty);
    limits.declare_own("own", "days", kEmpty);
    EXPECT_EQ(limits.declare("a", "x", kFull).error().code, ErrorCode::kTooLarge) << "they count";
    ASSERT_TRUE(limits.declare("own", "disk", {{.25, stats::Trend::Side::kBelow}}));
    limits.declare_own("own", "disk", kEmpty);
    EXPECT_EQ(limits.line("own", "disk")->limit.value, .25);
  }
  Limits again = make();
  again.declare_own("own", "disk", kEmpty);
  again.declare_own("own", "days", kEmpty);
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.line("own", "disk")->limit.value, .25);
  EXPECT_EQ(again.lines(10, "own").size(), 2U);
}

TEST_F(LimitsTest, IsAsBeforeWhenWhatBelongsBesideFails) {
  Limits limits = make();
  const auto fails = [] { return Result<void>(failure(ErrorCode::kIo)); };
  EXPECT_EQ(limits.declare("db", "disk", kFull, fails).error().code, ErrorCode::kIo);
  EXPECT_FALSE(limits.line("db", "disk"));
  ASSERT_TRUE(limits.declare("db", "disk", kFull));
  fill(limits, 0, 600);
  EXPECT_FALSE(limits.declare("db", "disk", kEmpty, fails));
  EXPECT_EQ(limits.line("db", "disk")->limit, kFull);
  EXPECT_TRUE(limits.line("db", "disk")->passage) << "and what is known of it";
  EXPECT_FALSE(limits.declare("db", "disk", std::nullopt, fails));
  EXPECT_TRUE(limits.line("db", "disk")->passage);
  ASSERT_TRUE(limits.save());
  Limits again = make();
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.line("db", "disk")->limit, kFull) << "in the file too";
}

TEST_F(LimitsTest, GoesOnAfterARestart) {
  Limits first = make();
  ASSERT_TRUE(first.declare("db", "disk", kFull));
  fill(first, 0, 600);
  ASSERT_TRUE(first.save());
  Limits again = make();
  ASSERT_TRUE(again.load());
  fill(first, 605, 700);
  fill(again, 605, 700);
  const auto a = first.line("db", "disk"), b = again.line("db", "disk");
  ASSERT_TRUE(a->passage && b->passage);
  EXPECT_EQ(a->passage->probability, b->passage->probability);
  EXPECT_EQ(a->passage->expected_s, b->passage->expected_s);
}

TEST_F(LimitsTest, KeepsWhatWasDeclaredAndForgetsWhatWasTakenAway) {
  {
    Limits limits = make();
    EXPECT_EQ(limits.load().error().code, ErrorCode::kMissing);
    ASSERT_TRUE(limits.declare("a", "x", kFull));
    ASSERT_TRUE(limits.declare("a", "y", kEmpty));
    EXPECT_EQ(limits.declare("b", "z", kFull).error().code, ErrorCode::kTooLarge);
    ASSERT_TRUE(limits.declare("a", "x", std::nullopt));
    ASSERT_TRUE(limits.declare("none", "x", std::nullopt));
  }
  Limits again = make();
  ASSERT_TRUE(again.load());
  EXPECT_FALSE(again.line("a", "x"));
  ASSERT_TRUE(again.line("a", "y"));
  EXPECT_EQ(again.line("a", "y")->limit, kEmpty);
  EXPECT_TRUE(again.declare("b", "z", kFull));
}

TEST_F(LimitsTest, AnotherValueKeepsWhatIsKnownAnotherSideDoesNot) {
  Limits limits = make();
  ASSERT_TRUE(limits.declare("db", "disk", kFull));
  fill(limits, 0, 600);
  ASSERT_TRUE(limits.declare("db", "disk", {{.8, stats::Trend::Side::kAbove}}));
  EXPECT_TRUE(limits.line("db", "disk")->passage);
  ASSERT_TRUE(limits.declare("db", "disk", kEmpty));
  EXPECT_FALSE(limits.line("db", "disk")->passage);
}

TEST_F(LimitsTest, WhatIsMissingOrLateChangesNothing) {
  Limits limits = make();
  limits.declare_own("db", "disk", kEmpty);
  limits.observe("db", "disk", 5, minute(10));
  limits.observe("db", "disk", NAN, minute(11));
  limits.observe("db", "disk", INFINITY, minute(11));
  limits.observe("db", "disk", 7, minute(9));
  EXPECT_EQ(limits.line("db", "disk")->value, 5);
}

TEST_F(LimitsTest, WhatCouldNotBeWrittenIsNotDeclared) {
  Limits limits({.limits_max = 2, .folder = "data"}, files);
  files.faults.disk_bytes = 0;
  EXPECT_FALSE(limits.declare("a", "x", kFull));
  EXPECT_FALSE(limits.line("a", "x"));
}

TEST_F(LimitsTest, ForgetsOneLimitOrThoseOfASource) {
  Limits limits({.limits_max = 3, .folder = "data"}, files);
  for (const char* metric : {"x", "y"}) ASSERT_TRUE(limits.declare("a", metric, kFull));
  ASSERT_TRUE(limits.declare("b", "x", kFull));
  EXPECT_EQ(limits.forget("a", "z"), false);
  EXPECT_EQ(limits.forget("c", std::nullopt), false);
  EXPECT_EQ(limits.forget("a", "x"), true);
  EXPECT_FALSE(limits.line("a", "x"));
  ASSERT_TRUE(limits.declare("a", "z", kFull)) << "there is room again";
  files.faults.disk_bytes = 0;
  EXPECT_FALSE(limits.forget("a", std::nullopt));
  EXPECT_TRUE(limits.line("a", "y"));
  files.faults = {};
  EXPECT_EQ(limits.forget("a", std::nullopt), true);
  Limits again({.limits_max = 3, .folder = "data"}, files);
  ASSERT_TRUE(again.load());
  ASSERT_EQ(again.lines(10, "").size(), 1U);
  EXPECT_EQ(again.lines(10, "")[0].source, "b");
}

TEST_F(LimitsTest, AFileThatCannotBeReadOrSetAsideIsNotWrittenOver) {
  ASSERT_TRUE(make().declare("a", "x", kFull));
  const std::string good = files.contents("data/limits.snapshot");
  for (const bool damaged : {false, true}) {
    std::string& bytes = files.contents("data/limits.snapshot");
    if (damaged) bytes += "more";
    const std::string before = bytes;
    if (damaged) files.faults.fail_at = files.operations() + 1;
    files.faults.fail_reads = !damaged;
    Limits limits = make();
    EXPECT_EQ(limits.load().error().code, ErrorCode::kIo);
    files.faults = {};
    EXPECT_EQ(limits.declare("b", "y", kFull).error().code, ErrorCode::kIo);
    EXPECT_FALSE(limits.line("b", "y"));
    limits.declare_own("own", "disk", kFull);
    limits.observe("own", "disk", .5, minute(0));
    EXPECT_EQ(limits.save().error().code, ErrorCode::kIo);
    EXPECT_EQ(files.contents("data/limits.snapshot"), before);
  }
  files.contents("data/limits.snapshot") = good;
  Limits again = make();
  EXPECT_TRUE(again.load());
  EXPECT_TRUE(again.line("a", "x"));
}

TEST_F(LimitsTest, ReadsWhatTheVersionBeforeWrote) {
  stats::Trend trend(stats::Trend::Side::kAbove);
  for (std::int64_t m = 0; m < 600; ++m) trend.observe(m, .2 + .5 * static_cast<double>(m) / 1440);
  Writer of_trend, out;
  trend.save(of_trend);
  out.put_varint(1);
  out.put_text("db");
  out.put_text("disk");
  out.put(kFull.value);
  out.put(kFull.side);
  out.put(std::int64_t{599});
  out.put(.408);
  constexpr std::size_t kTrendBefore = 432 * 4 + 4 + 8 + 8 + 4;
  ASSERT_TRUE(StateFile(files, "data", Limits::kFile, Limits::kFormatBefore)
                  .write(EventTime{}, out.take() + of_trend.bytes().substr(0, kTrendBefore)));
  Limits limits = make();
  ASSERT_TRUE(limits.load());
  ASSERT_TRUE(limits.line("db", "disk")->passage);
  EXPECT_NEAR(*limits.line("db", "disk")->passage->expected_s, (1 - .408) / .5 * kDay, 1200);
  limits.observe("db", "disk", .41, minute(0));
  ASSERT_TRUE(limits.save());
  Limits again = make();
  EXPECT_TRUE(again.load());
}

TEST_F(LimitsTest, RefusesDamagedFiles) {
  Limits limits = make();
  ASSERT_TRUE(limits.declare("a", "x", kFull));
  auto bytes = *files.read("data/limits.snapshot", 1 << 20);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  auto file = *files.create("data/limits.snapshot");
  ASSERT_TRUE(files::write_all(*file, bytes));
  EXPECT_EQ(make().load().error().code, ErrorCode::kChecksum);
  EXPECT_EQ(*files.read("data/limits.snapshot.unreadable", 1 << 20), bytes);
  EXPECT_EQ(make().load().error().code, ErrorCode::kMissing);
}

}  // namespace
}  // namespace liminal::signals
