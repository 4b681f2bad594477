#include "server/registry/served.hpp"

#include <openssl/evp.h>

#include <array>

#include "core/base/check.hpp"
#include "io/onnx/read.hpp"

namespace liminal::registry {

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  LIMINAL_CHECK(done == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

learn::Asked<std::shared_ptr<const Served>> serve(const std::string& name,
                                                  std::uint32_t version,
                                                  std::string_view bytes,
                                                  std::string_view sha256) {
  if (sha256_of(bytes) != sha256)
    return learn::refusal(ErrorCode::kChecksum, "the file is not the one that was published");
  auto model = onnx::read(bytes);
  if (!model)
    return learn::refusal(model.error().kind == onnx::Refusal::Kind::kUnsupported
                              ? ErrorCode::kUnsupported
                              : ErrorCode::kMalformed,
                          model.error().text);
  auto evaluator = models::Evaluator::create(*model);
  if (!evaluator) {
    const Problem& first = evaluator.error().front();
    return learn::refusal(ErrorCode::kMalformed, first.key + " " + first.text);
  }
  auto served = std::make_shared<Served>();
  served->name = name;
  served->version = version;
  served->sha256 = sha256;
  served->model = std::move(*model);
  served->evaluator = std::make_shared<const models::Evaluator>(std::move(*evaluator));
  return std::shared_ptr<const Served>(std::move(served));
}

}  // namespace liminal::registry
