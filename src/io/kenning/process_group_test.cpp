#include "io/kenning/process_group.hpp"

#include <gmock/gmock.h>
#include <signal.h>

#include <iterator>

#include "io/kenning/test_processes.hpp"

namespace liminal::kenning {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::comes;
using ::testing::HasSubstr;
using testing::process_in;
using testing::runs;

class KenningProcesses : public ::testing::Test {
 protected:
  tl::expected<ProcessGroup, std::string> begin(const std::string& script) {
    return ProcessGroup::begin({"sh", "-c", script}, folder_.path().string(), "output");
  }
  [[nodiscard]] std::string output() const {
    std::ifstream in(folder_.path() / "output");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] pid_t written() const { return process_in(folder_.path() / "process"); }

  testing::TemporaryFolder folder_;
};

TEST_F(KenningProcesses, SayHowTheyEndedAndWhatTheyPrinted) {
  auto group = begin("pwd; echo loud >&2; exit 7");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return group->ended().has_value(); }));
  EXPECT_EQ(group->ended(), 7);
  EXPECT_EQ(group->end(seconds(1)), 7);
  EXPECT_EQ(output(), std::filesystem::canonical(folder_.path()).string() + "\nloud\n");
}

TEST_F(KenningProcesses, GetNoSettingsOfLiminalsAndNoOpenFiles) {
  ::setenv("LIMINAL_API_TOKEN", "secret", 1);
  auto group = begin("env; ls /proc/self/fd | wc -l");
  ::unsetenv("LIMINAL_API_TOKEN");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return group->ended().has_value(); }));
  EXPECT_THAT(output(), ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(output(), HasSubstr("PATH="));
  EXPECT_TRUE(output().ends_with("\n4\n")) << output();  // input, output, error, and ls's own
}

TEST_F(KenningProcesses, MayFollowTheRequestToEnd) {
  auto group = begin("trap 'exit 3' TERM; echo $$ > process; while :; do sleep .01; done");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return written() != 0; }));
  EXPECT_EQ(group->end(seconds(10)), 3);
}

TEST_F(KenningProcesses, AreEndedWhenTheyDoNotFollow) {
  auto group = begin("trap '' TERM; echo $$ > process; while :; do sleep .01; done");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return written() != 0; }));
  EXPECT_EQ(group->end(milliseconds(50)), -SIGKILL);
}

TEST_F(KenningProcesses, EndWithTheirChildren) {
  auto group = begin("(trap '' TERM; while :; do sleep .01; done) & echo $! > process; wait");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return written() != 0; }));
  EXPECT_EQ(group->end(seconds(10)), -SIGTERM);
  EXPECT_TRUE(comes([&] { return !runs(written()); }));
}

TEST_F(KenningProcesses, ThatLeftTheGroupAreFoundByTheirFolder) {
  auto group = begin("setsid sh -c 'echo $$ > process; while :; do sleep .01; done' & wait");
  ASSERT_TRUE(group) << group.error();
  ASSERT_TRUE(comes([&] { return written() != 0; }));
  (void)group->end(seconds(10));
  EXPECT_TRUE(runs(written()));
  end_left_behind((folder_.path() / "other").string());
  EXPECT_TRUE(runs(written()));
  end_left_behind(folder_.path().string());
  EXPECT_TRUE(comes([&] { return !runs(written()); }));
}

TEST_F(KenningProcesses, EndWhenNobodyHoldsThemAnyMore) {
  {
    auto group = begin("echo $$ > process; while :; do sleep .01; done");
    ASSERT_TRUE(group) << group.error();
    ASSERT_TRUE(comes([&] { return written() != 0; }));
  }
  EXPECT_FALSE(runs(written()));
}

TEST_F(KenningProcesses, ThatAreNotThereAreNamed) {
  const auto group = ProcessGroup::begin({"/nowhere/kenning"}, folder_.path().string(), "output");
  ASSERT_FALSE(group);
  EXPECT_THAT(group.error(), HasSubstr("/nowhere/kenning cannot be started"));
  EXPECT_FALSE(find_program("/nowhere/kenning"));
  EXPECT_FALSE(find_program("no-such-program-in-the-path"));
  EXPECT_FALSE(find_program(""));
  EXPECT_FALSE(find_program(folder_.path().string()));
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
  EXPECT_THAT(find_program("sh").value_or(""), ::testing::EndsWith("/sh"));
}

}  // namespace
}  // namespace liminal::kenning
