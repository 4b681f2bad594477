#include "server/journal/checkpoint.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace liminal::journal {
namespace {

RC_GTEST_PROP(Checkpoint,
              GivesBackWhatWasSealed,
              (const std::string& settings, const std::string& state)) {
  const std::string bytes = seal_checkpoint({settings, state});
  const Result<Checkpoint> opened = open_checkpoint(bytes);
  RC_ASSERT(opened.has_value());
  RC_ASSERT(opened->settings == settings);
  RC_ASSERT(opened->state == state);
}

TEST(Checkpoint, OfAnotherVersionOrCutIsRefused) {
  std::string bytes = seal_checkpoint({"settings", ""});
  EXPECT_EQ(open_checkpoint("").error().code, ErrorCode::kTruncated);
  EXPECT_EQ(open_checkpoint(bytes.substr(0, 5)).error().code, ErrorCode::kTruncated);
  bytes[0] = 2;
  EXPECT_EQ(open_checkpoint(bytes).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace liminal::journal
