#include "app/serve/credentials.hpp"

#include <gtest/gtest.h>

namespace liminal::app {
namespace {

TEST(Credentials, ThatAreNoneNameTheKeyThatIsWrong) {
  const auto wrong = [](auto change) {
    Configuration configuration;
    change(configuration.identity);
    const Problems problems = missing_credentials(configuration);
    return problems.size() == 1 ? problems[0].key + ": " + problems[0].text : "";
  };
  EXPECT_EQ(wrong([](auto& identity) { identity.jwt_secret = "a"; }),
            "identity.jwt_secret: must have at least 16 bytes");
  EXPECT_EQ(wrong([](auto& identity) {
              identity.jwt_algorithm = "ES256";
              identity.jwt_key_file = "/dev/null";
            }),
            "identity.jwt_key_file: must not be empty");
  EXPECT_EQ(wrong([](auto& identity) {
              identity.jwt_secret = "a secret that is long enough";
              identity.jwt_claim = "";
            }),
            "identity.jwt_claim: must not be empty");
}

}  // namespace
}  // namespace liminal::app
