#include "io/tls/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace liminal::tls {

Result<EventTime> expiry_of(const std::string& certificate_file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(certificate_file.c_str(), "r"),
                                                       &BIO_free);
  if (!file) return failure(ErrorCode::kMissing);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  std::tm ends{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &ends) != 1)
    return failure(ErrorCode::kMalformed);
  return EventTime{std::chrono::seconds{timegm(&ends)}};
}

}  // namespace liminal::tls
