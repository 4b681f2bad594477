#include "io/tls/context.hpp"

#include <fstream>

#include "io/tls/test_certificates.hpp"

namespace liminal::tls {
namespace {

using ::testing::Test;

class TlsContext : public Test {
 protected:
  TlsContext() { files.server("server", "DNS:localhost"); }
  testing::TestCertificates files;
};

TEST_F(TlsContext, TakesACertificateWithItsKey) {
  EXPECT_TRUE(Context::server(files.certificate("server"), files.key("server")));
  EXPECT_TRUE(Context::client(files.authority()));
  EXPECT_TRUE(Context::client(""));
}

TEST_F(TlsContext, SaysWhichFileCannotBeUsedAndWhy) {
  files.server("other", "DNS:localhost");
  const auto missing = Context::server(files.path("none.pem"), files.key("server"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("none.pem\": No such file"), std::string::npos) << missing.error();
  const auto mixed = Context::server(files.certificate("server"), files.key("other"));
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().find("other.key\": key values mismatch"), std::string::npos)
      << mixed.error();
  std::ofstream(files.path("empty.pem")) << "not a certificate\n";
  const auto empty = Context::client(files.path("empty.pem"));
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().find("empty.pem"), std::string::npos) << empty.error();
}

TEST_F(TlsContext, RefusesAKeyUnderAPassPhraseInsteadOfAskingForIt) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  std::FILE* const file = std::fopen(files.path("secret.key").c_str(), "w");
  char phrase[] = "phrase";
  PEM_write_PrivateKey(
      file, key, EVP_aes_128_cbc(), reinterpret_cast<unsigned char*>(phrase), 6, nullptr, nullptr);
  std::fclose(file);
  EVP_PKEY_free(key);
  const auto made = Context::server(files.certificate("server"), files.path("secret.key"));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find("secret.key"), std::string::npos) << made.error();
}

}  // namespace
}  // namespace liminal::tls
