#include "app/completion.hpp"

#include <gmock/gmock.h>

namespace liminal::app {
namespace {

using testing::HasSubstr;

class Completion : public testing::Test {
 protected:
  Completion() {
    CLI::App* serve = program_.add_subcommand("serve", "Start it: now");
    serve->add_option("--listen", listen_, "Where it's heard");
  }
  CLI::App program_{"What it is"};
  std::string listen_;
};

TEST_F(Completion, OfBashKnowsCommandsAndTheirOptions) {
  const std::string script = completion_script(program_, Shell::kBash);
  EXPECT_THAT(script, HasSubstr("local words='serve --help'"));
  EXPECT_THAT(script, HasSubstr("serve) words='--help --listen' ;;"));
}

TEST_F(Completion, OfZshAndFishDropsWhatWouldEndAQuotation) {
  EXPECT_THAT(completion_script(program_, Shell::kZsh), HasSubstr("'serve:Start it now'"));
  EXPECT_THAT(completion_script(program_, Shell::kZsh), HasSubstr("'--listen[Where its heard]'"));
  EXPECT_THAT(completion_script(program_, Shell::kFish),
              HasSubstr("-l listen -d 'Where its heard'"));
}

}  // namespace
}  // namespace liminal::app
