#include "app/usage.hpp"

#include <gtest/gtest.h>

namespace liminal::app {
namespace {

class Usage : public testing::Test {
 protected:
  Usage() {
    program_.add_subcommand("serve", "")->add_option("--listen", text_);
    CLI::App* models = program_.add_subcommand("models", "");
    models->add_option("--data", text_);
    models->add_subcommand("promote", "")->add_option("--version", text_);
  }
  std::string of(std::vector<const char*> arguments) const {
    return misspelt(program_, arguments).value_or("");
  }
  CLI::App program_{"What it is", "liminal"};
  std::string text_;
};

TEST_F(Usage, NamesAWordThatIsNoCommand) {
  EXPECT_EQ(of({"serv"}), "liminal: \"serv\" is no command; did you mean serve?");
  EXPECT_EQ(of({"bogus"}), "liminal: \"bogus\" is no command");
  EXPECT_EQ(of({"models", "--data", "x", "promot"}),
            "liminal models: \"promot\" is no command; did you mean promote?");
}

TEST_F(Usage, NamesAnOptionThatTheCommandDoesNotHave) {
  EXPECT_EQ(of({"serve", "--lisen", "x"}),
            "liminal serve: --lisen is no option; did you mean --listen?");
  EXPECT_EQ(of({"serve", "--lisen=x"}),
            "liminal serve: --lisen is no option; did you mean --listen?");
  EXPECT_EQ(of({"--colour"}), "liminal: --colour is no option");
}

TEST_F(Usage, SaysNothingOfWhatIsRight) {
  EXPECT_EQ(of({}), "");
  EXPECT_EQ(of({"serve", "--listen", "--help", "file"}), "");
  EXPECT_EQ(of({"models", "--data", "promote", "promote", "--version=3"}), "");
  EXPECT_EQ(of({"serve", "--", "--lisen"}), "");
}

}  // namespace
}  // namespace liminal::app
