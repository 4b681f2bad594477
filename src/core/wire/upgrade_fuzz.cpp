#include <optional>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/wire/body_reader.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"

// The first byte says how the rest, a head, is cut; it is read as a request and as an answer.
// However it is cut: the same result; and an accepted request, passed on, is accepted again and
// means the same to the next reader.
namespace {

using namespace liminal::wire;

constexpr HeadLimits kLimits{.bytes_max = 2048, .target_bytes_max = 512};
const UpgradeOffer kOffer{"dGhlIHNhbXBsZSBub25jZQ==", "chat", false};

struct Outcome {
  std::optional<UpgradeFault> fault;
  std::string written;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string passed_on(const UpgradeRequest& request) {
  std::string out;
  append_request(out, request, {});
  return out;
}

std::string passed_on(const UpgradeResponse& response) {
  std::string out;
  if (response.switched()) append_response(out, response);
  return out;
}

/// `read(buffered)` as the bytes arrive, in a buffer that is exactly as large.
template <class Read>
Outcome run(std::string_view bytes, std::size_t piece_bytes, Read read) {
  for (std::size_t size = std::min(piece_bytes, bytes.size());;
       size = std::min(size + piece_bytes, bytes.size())) {
    const std::string arrived(bytes.substr(0, size));
    const auto result = read(std::string_view(arrived));
    if (!result) return {result.error(), {}};
    if (*result) return {std::nullopt, passed_on(**result)};
    if (size == bytes.size()) return {};
  }
}

Outcome run_request(std::string_view bytes, std::size_t piece_bytes) {
  UpgradeRequestReader reader;
  return run(bytes, piece_bytes, [&](std::string_view in) { return reader.read(in, kLimits); });
}

Outcome run_response(std::string_view bytes, std::size_t piece_bytes) {
  UpgradeResponseReader reader;
  return run(
      bytes, piece_bytes, [&](std::string_view in) { return reader.read(in, kOffer, kLimits); });
}

/// The body of an answer that is no 101, as its bytes arrive, and then the end.
std::pair<BodyReader::State, std::string> run_body(const UpgradeResponse& head,
                                                   std::string_view bytes,
                                                   std::size_t piece_bytes) {
  BodyReader reader(head, 256);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_bytes, bytes.size())))
    (void)reader.take(bytes.substr(0, piece_bytes));
  LIMINAL_CHECK(reader.body().size() <= 256);
  return {reader.end(), reader.body()};
}

void check_body(std::string_view bytes, std::size_t piece_bytes) {
  UpgradeResponseReader reader;
  const auto head = reader.read(bytes, kOffer, kLimits);
  if (!head || !*head || (*head)->switched()) return;
  const std::string_view body = bytes.substr((*head)->head_bytes);
  const auto whole = run_body(**head, body, bytes.size());
  LIMINAL_CHECK(whole.first != BodyReader::State::kMore);
  LIMINAL_CHECK(run_body(**head, body, piece_bytes).first == whole.first);
  LIMINAL_CHECK(whole.first == BodyReader::State::kUnusable ||
                run_body(**head, body, 1).second == whole.second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece_bytes = 2 + data[0];
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};

  const Outcome request = run_request(bytes, bytes.size());
  // What stands behind a whole head is seen only when it has arrived.
  if (request.fault != UpgradeFault::kEarlyBytes) {
    LIMINAL_CHECK(run_request(bytes, 1) == request);
    LIMINAL_CHECK(run_request(bytes, piece_bytes) == request);
  }
  if (!request.written.empty()) {
    const auto again = parse_upgrade_request(request.written);
    LIMINAL_CHECK(again.has_value() && passed_on(*again) == request.written);
    LIMINAL_CHECK(request.written.size() <= bytes.size() + 64);
  }

  const Outcome response = run_response(bytes, bytes.size());
  check_body(bytes, piece_bytes);
  LIMINAL_CHECK(run_response(bytes, 1) == response);
  LIMINAL_CHECK(run_response(bytes, piece_bytes) == response);
  return 0;
}
