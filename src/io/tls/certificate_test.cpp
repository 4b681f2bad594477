#include "io/tls/certificate.hpp"

#include <gtest/gtest.h>

#include "io/tls/test_certificates.hpp"

namespace liminal::tls {
namespace {

TEST(Certificate, SaysWhenItEnds) {
  testing::TestCertificates files;
  files.server("server", "DNS:localhost", {.valid_until_s = 5000});
  const auto ends = expiry_of(files.certificate("server"));
  ASSERT_TRUE(ends);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double left = seconds(ends->time_since_epoch() - now);
  EXPECT_GT(left, 4900);
  EXPECT_LE(left, 5000);
}

TEST(Certificate, IsNotEveryFile) {
  testing::TestCertificates files;
  EXPECT_EQ(expiry_of(files.path("none")).error().code, ErrorCode::kMissing);
  files.server("server", "DNS:localhost");
  EXPECT_EQ(expiry_of(files.key("server")).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace liminal::tls
