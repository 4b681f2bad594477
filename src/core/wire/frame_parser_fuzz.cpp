#include <algorithm>
#include <string>
#include <vector>

#include "core/base/check.hpp"
#include "core/wire/frame_parser.hpp"
#include "core/wire/frame_writer.hpp"
#include "core/wire/message_reader.hpp"

// The first byte says who sends and how the rest, a stream of frames, is cut. However it is: the
// same frames, the same messages, the same fault; and what was read, written again, is the same.
namespace {

using namespace liminal::wire;

constexpr FrameLimits kLimits{.message_bytes_max = 4096, .fragments_max = 8};

struct Outcome {
  std::string joined;    ///< headers and payloads as they came
  std::string messages;  ///< what a reader made of them
  std::size_t frames = 0;
  FrameFault fault{};
  CloseCode code{};
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

template <class Each>
void for_each_piece(std::string_view stream, std::size_t piece_bytes, Each each) {
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
    // Memory of its own, so that a look outside the piece is seen.
    const std::vector<char> piece(
        stream.begin() + static_cast<std::ptrdiff_t>(at),
        stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), at + piece_bytes)));
    each(std::string_view{piece.data(), piece.size()});
  }
}

Outcome run(Sender from, std::string_view stream, std::size_t piece_bytes) {
  Outcome outcome;
  FrameParser parser(from);
  for_each_piece(stream, piece_bytes, [&](std::string_view in) {
    while (const auto part = parser.next(in, kLimits)) {
      LIMINAL_CHECK(part->frame_begins != part->header.empty());
      LIMINAL_CHECK(part->message_bytes <= kLimits.message_bytes_max);
      outcome.joined.append(part->header).append(part->payload);
      if (part->frame_ends) ++outcome.frames;
    }
  });
  outcome.fault = parser.fault();
  MessageReader reader(from, kLimits);
  for_each_piece(stream, piece_bytes, [&](std::string_view in) {
    while (const auto message = reader.next(in))
      append_frame(outcome.messages, message->opcode, message->payload);
  });
  if (reader.failed()) outcome.code = reader.close_code();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Sender from = (data[0] & 1U) != 0 ? Sender::kServer : Sender::kClient;
  const std::size_t piece_bytes = 2 + (data[0] >> 1U);
  const std::string_view stream{reinterpret_cast<const char*>(data) + 1, size - 1};

  const Outcome at_once = run(from, stream, stream.size() + 1);
  LIMINAL_CHECK(stream.substr(0, at_once.joined.size()) == at_once.joined);
  LIMINAL_CHECK(run(from, stream, 1) == at_once);
  LIMINAL_CHECK(run(from, stream, piece_bytes) == at_once);

  // The messages as a server would send them are a valid stream that says the same.
  const Outcome again = run(Sender::kServer, at_once.messages, piece_bytes);
  LIMINAL_CHECK(again.fault == FrameFault::kNone && again.messages == at_once.messages);
  return 0;
}
