#include "io/kenning/job.hpp"

#include <gmock/gmock.h>
#include <signal.h>

#include "core/base/random.hpp"
#include "io/kenning/test_processes.hpp"

namespace liminal::kenning {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::comes;
using ::testing::HasSubstr;
using testing::process_in;
using testing::runs;
using ::testing::SizeIs;

/// 60 rows of two standardised features, every third an anomaly.
Series rows() {
  Series series{{"rate", "size"}, {}, {}};
  Random random(7);
  for (int row = 0; row < 60; ++row) {
    series.labels.push_back(row % 3 == 0 ? 1 : 0);
    for (int f = 0; f < 2; ++f) series.values.push_back(static_cast<float>(random.normal()));
  }
  return series;
}

/// Against tests/kenning/kenning, a stand-in that behaves as the real one was seen to.
class KenningJob : public ::testing::Test {
 protected:
  KenningJob() {
    options_.program = LIMINAL_SOURCE "/tests/kenning/kenning";
    options_.folder = (folder_.path() / "job").string();
    options_.patience = seconds(10);
  }
  ~KenningJob() override { ::unsetenv("KENNING_STAND_IN"); }
  void plays(const char* traps) { ::setenv("KENNING_STAND_IN", traps, 1); }

  tl::expected<Found, Failure> run(const Series& series = rows()) {
    return kenning::run(series,
                        options_,
                        {[this] { return cancelled_ && cancelled_(); },
                         [this](double progress) { progress_ = progress; }});
  }
  [[nodiscard]] std::filesystem::path file(const char* name) const {
    return std::filesystem::path(options_.folder) / name;
  }
  [[nodiscard]] bool log_server_runs() const { return runs(process_in(file("log_server.pid"))); }
  /// Lets hours pass once a file is there.
  void late_after(const char* name) {
    options_.now = [this, name] {
      const auto now = std::chrono::steady_clock::now();
      return std::filesystem::exists(file(name)) ? now + std::chrono::hours(2) : now;
    };
  }
  [[nodiscard]] bool nothing_is_left() const {
    return comes([this] { return !log_server_runs(); });
  }

  testing::TemporaryFolder folder_;
  JobOptions options_;
  std::function<bool()> cancelled_;
  double progress_ = -1;
};

TEST_F(KenningJob, BringsTheModelsThatCameThoughFewerThanAsked) {
  const auto found = run();
  ASSERT_TRUE(found) << found.error().text;
  ASSERT_THAT(found->candidates, SizeIs(2));
  EXPECT_EQ(found->candidates[1].number, 1U);
  EXPECT_EQ(found->candidates[1].bytes, "no model 1, but a stand-in's");
  ASSERT_TRUE(found->statistics);  // with Infinity in it
  EXPECT_EQ(found->statistics->evaluated, 2U);
  EXPECT_EQ(found->exit_code, 0);
  EXPECT_FALSE(found->out_of_time);
  EXPECT_GE(progress_, 0);
  EXPECT_LT(progress_, .5);
  EXPECT_TRUE(std::filesystem::exists(file("rows.csv")));  // outside of what Kenning deletes
}

TEST_F(KenningJob, ModelsCountMoreThanItsExitCode) {
  plays("exit2");
  const auto found = run();
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(found->candidates, SizeIs(2));
  EXPECT_EQ(found->exit_code, 2);
}

TEST_F(KenningJob, NoModelIsAFailureThoughItSaysThatAllIsWell) {
  plays("nothing");
  const auto found = run();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, Failure::Kind::kNothing);
  EXPECT_THAT(found.error().text,
              HasSubstr("found no model, exit code 0; of 9 that it tried 0 were"));
  EXPECT_THAT(found.error().text, HasSubstr("its last words: a stand-in for Kenning"));
}

TEST_F(KenningJob, ThatHangsIsEnded) {
  plays("hang");
  late_after("log_server.pid");
  const auto found = run();
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().text, HasSubstr("did not end in time"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(KenningJob, ThatHangsLateStillBringsItsModels) {
  plays("hang_late,stubborn");
  late_after("automl/late");
  options_.patience = milliseconds(10);
  const auto found = run();
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(found->candidates, SizeIs(2));
  EXPECT_TRUE(found->out_of_time);
  EXPECT_EQ(found->exit_code, -SIGKILL);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(KenningJob, IsCancelledWithAllThatItBegan) {
  plays("hang");
  cancelled_ = [this] { return log_server_runs(); };
  const auto found = run();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, Failure::Kind::kCancelled);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(KenningJob, LeavesNoLogServerBehind) {
  plays("stays");
  ASSERT_TRUE(run());
  EXPECT_NE(process_in(file("log_server.pid")), 0);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(KenningJob, BeginsInAnEmptyFolder) {
  std::filesystem::create_directories(file("automl"));
  std::ofstream(file("automl/model.4.onnx")) << "of the last run";
  const auto found = run();
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(found->candidates, SizeIs(2));
}

TEST_F(KenningJob, SaysWhatKeepsItFromBeginning) {
  Series series = rows();
  series.values[0] = NAN;
  EXPECT_EQ(run(series).error().kind, Failure::Kind::kRows);
  options_.scenario.minutes = 0;
  EXPECT_EQ(run().error().kind, Failure::Kind::kScenario);
  options_.scenario.minutes = 1;
  std::ofstream(folder_.path() / "file") << "no folder";
  options_.folder = (folder_.path() / "file" / "job").string();
  EXPECT_EQ(run().error().kind, Failure::Kind::kFolder);
  options_.program = "/nowhere/kenning";
  const auto found = run();
  EXPECT_EQ(found.error().kind, Failure::Kind::kAbsent);
  EXPECT_THAT(found.error().text, HasSubstr("\"/nowhere/kenning\""));
}

}  // namespace
}  // namespace liminal::kenning
