#include "server/registry/served.hpp"

#include <openssl/evp.h>

#include <array>

#include "core/base/check.hpp"
#include "io/onnx/foreign.hpp"
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

namespace {

using ScorerPtr = std::shared_ptr<const models::Scorer>;

learn::Asked<ScorerPtr> scorer_of(std::string_view bytes, const ForeignRuntime& runtime) {
  auto described = onnx::description_of(bytes);
  if (!described) return learn::refusal(ErrorCode::kMalformed, described.error().text);
  if (*described) return runtime.open(bytes, std::move(**described));
  auto model = onnx::read(bytes);
  if (!model)
    return learn::refusal(model.error().kind == onnx::Refusal::Kind::kUnsupported
                              ? ErrorCode::kUnsupported
                              : ErrorCode::kMalformed,
                          model.error().text);
  auto scorer = models::Scorer::own(std::move(*model));
  if (!scorer) {
    const Problem& first = scorer.error().front();
    return learn::refusal(ErrorCode::kMalformed, first.key + " " + first.text);
  }
  return std::move(*scorer);
}

}  // namespace

learn::Asked<std::shared_ptr<const Served>> serve(const std::string& name,
                                                  std::uint32_t version,
                                                  std::string_view bytes,
                                                  std::string_view sha256,
                                                  const ForeignRuntime& runtime) {
  if (sha256_of(bytes) != sha256)
    return learn::refusal(ErrorCode::kChecksum, "the file is not the one that was published");
  auto scorer = scorer_of(bytes, runtime);
  if (!scorer) return tl::unexpected(scorer.error());
  return std::make_shared<const Served>(
      Served{name, version, std::string(sha256), std::move(*scorer)});
}

}  // namespace liminal::registry
