#pragma once

// Certificates for tests, made on the spot: an authority, and servers that it vouches for.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace liminal::tls::testing {

struct Kind {
  long valid_from_s = -3600;
  long valid_until_s = 3600;
  bool self_signed = false;
};

/// A folder of PEM files that goes with its owner.
class TestCertificates {
 public:
  TestCertificates() {
    std::string name =
        (std::filesystem::temp_directory_path() / "liminal_certificates_XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    make("authority", "", true, {});
  }
  ~TestCertificates() { std::filesystem::remove_all(folder_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  /// Makes NAME.pem and NAME.key. `alternatives`: "DNS:localhost,IP:127.0.0.1".
  void server(const std::string& name, const std::string& alternatives, Kind kind = {}) {
    make(name, alternatives, false, kind);
  }

  [[nodiscard]] std::string certificate(const std::string& name) const {
    return (folder_ / (name + ".pem")).string();
  }
  [[nodiscard]] std::string key(const std::string& name) const {
    return (folder_ / (name + ".key")).string();
  }
  [[nodiscard]] std::string authority() const { return certificate("authority"); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }

 private:
  template <class T, void (*kFree)(T*)>
  struct Free {
    void operator()(T* raw) const { kFree(raw); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
  using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;

  static void extend(X509* to, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    ASSERT_EQ(X509_add_ext(to, extension, -1), 1);
    X509_EXTENSION_free(extension);
  }

  void make(const std::string& name, const std::string& alternatives, bool authority, Kind kind) {
    Key key(EVP_EC_gen("P-256"));
    Certificate made(X509_new());
    X509* const x = made.get();
    const bool by_itself = authority || kind.self_signed;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(x), kind.valid_from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), kind.valid_until_s);
    X509_set_pubkey(x, key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x),
                               "CN",
                               MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()),
                               -1,
                               -1,
                               0);
    X509* const issuer = by_itself ? x : authority_.get();
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    extend(x, issuer, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternatives.empty()) extend(x, issuer, NID_subject_alt_name, alternatives);
    ASSERT_GT(X509_sign(x, by_itself ? key.get() : authority_key_.get(), EVP_sha256()), 0);
    save(name, x, key.get());
    if (!authority) return;
    authority_ = std::move(made);
    authority_key_ = std::move(key);
  }

  void save(const std::string& name, X509* certificate_of, EVP_PKEY* key_of) const {
    std::FILE* file = std::fopen(certificate(name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    PEM_write_X509(file, certificate_of);
    std::fclose(file);
    file = std::fopen(key(name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    PEM_write_PrivateKey(file, key_of, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

  std::filesystem::path folder_;
  Certificate authority_;
  Key authority_key_;
  long serial_ = 0;
};

}  // namespace liminal::tls::testing
