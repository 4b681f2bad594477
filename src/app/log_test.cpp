#include "app/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace liminal::app {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_EQ(pipe(ends_), 0); }
  ~LogTest() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  std::string written() {
    char buffer[65'536];
    const auto count = read(ends_[0], buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(count)};
  }
  int ends_[2]{};
  LogSite site_;
};

TEST_F(LogTest, WritesKeysAndQuotesWhatWouldBeAmbiguous) {
  Log log(LogLevel::kInfo, LogFormat::kText, ends_[1]);
  log.write(
      LogLevel::kWarning, site_, "alert", {{"user", "eve"}, {"text", "two words"}, {"none", ""}});
  const std::string line = written();
  EXPECT_NE(line.find("Z WARNING alert user=eve text=\"two words\" none=\"\"\n"), std::string::npos)
      << line;
}

TEST_F(LogTest, WritesJson) {
  Log log(LogLevel::kInfo, LogFormat::kJson, ends_[1]);
  log.write(LogLevel::kError, site_, "store", {{"state", "full"}});
  const auto line = nlohmann::json::parse(written());
  EXPECT_EQ(line["level"], "ERROR");
  EXPECT_EQ(line["state"], "full");
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevelAndWhatIsTooMuch) {
  Log log(LogLevel::kInfo, LogFormat::kText, ends_[1]);
  log.write(LogLevel::kDebug, site_, "quiet");
  for (int i = 0; i < 1000; ++i) log.write(LogLevel::kInfo, site_, "loud");
  const std::string text = written();
  EXPECT_EQ(text.find("quiet"), std::string::npos);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 2 * LogSite::kLinesPerSecond);
}

}  // namespace
}  // namespace liminal::app
