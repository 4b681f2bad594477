#include "server/journal/checkpoint.hpp"

#include "core/base/codec.hpp"

namespace liminal::journal {
namespace {

constexpr std::uint8_t kCheckpointVersion = 1;

}  // namespace

std::string seal_checkpoint(const Checkpoint& checkpoint) {
  Writer out;
  out.put(kCheckpointVersion);
  out.put_text(checkpoint.settings);
  return out.take().append(checkpoint.state);
}

Result<Checkpoint> open_checkpoint(std::string_view bytes) {
  Reader in(bytes);
  const auto version = in.get<std::uint8_t>();
  if (in.ok() && version != kCheckpointVersion) return failure(ErrorCode::kUnsupported);
  Checkpoint checkpoint;
  checkpoint.settings = in.get_text();
  if (!in.ok()) return failure(ErrorCode::kTruncated, in.position());
  checkpoint.state = bytes.substr(in.position());
  return checkpoint;
}

}  // namespace liminal::journal
