#include "server/webhook/signature.hpp"

#include <gtest/gtest.h>

namespace liminal::webhook {
namespace {

// The example of the Standard Webhooks specification's reference libraries.
TEST(Signer, AgreesWithTheSpecificationsExample) {
  const auto signer = Signer::make("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(signer);
  EXPECT_EQ(signer->sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Signer, TakesAnyOtherTextAsTheKeyItself) {
  const auto plain = Signer::make("Jefe");
  const auto coded = Signer::make("whsec_SmVmZQ==");
  ASSERT_TRUE(plain && coded);
  EXPECT_EQ(plain->sign("a", 1, "b"), coded->sign("a", 1, "b"));
  EXPECT_NE(plain->sign("a", 1, "b"), plain->sign("a", 2, "b"));
  EXPECT_NE(plain->sign("a", 1, "b"), plain->sign("a", 1, "c"));
}

TEST(Signer, RefusesWhatIsNoBase64) {
  for (const char* wrong : {"whsec_", "whsec_abc", "whsec_****"})
    EXPECT_FALSE(Signer::make(wrong)) << wrong;
}

}  // namespace
}  // namespace liminal::webhook
