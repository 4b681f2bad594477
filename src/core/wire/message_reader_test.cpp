#include "core/wire/message_reader.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "core/wire/frame_writer.hpp"

namespace liminal::wire {
namespace {

using namespace std::string_literals;

struct Read {
  std::vector<std::pair<Opcode, std::string>> messages;
  bool failed = false;
  CloseCode code{};
  friend bool operator==(const Read&, const Read&) = default;
};

Read read(std::string_view stream, std::size_t piece_bytes, Sender from = Sender::kClient) {
  MessageReader reader(from, {});
  Read result;
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
    const std::string piece(stream.substr(at, piece_bytes));
    std::string_view in = piece;
    while (const auto message = reader.next(in))
      result.messages.emplace_back(message->opcode, message->payload);
  }
  result.failed = reader.failed();
  if (result.failed) result.code = reader.close_code();
  return result;
}

std::string client(Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  append_frame(out, opcode, payload, Mask::from_bits(0x5EED5EED), fin);
  return out;
}

TEST(MessageReader, JoinsFragmentsAndGivesControlFramesWhereTheyStand) {
  const std::string stream = client(Opcode::kText, "Hel", false) + client(Opcode::kPing, "?") +
                             client(Opcode::kContinuation, "lo") + client(Opcode::kBinary, "\0\1"s);
  const std::vector<std::pair<Opcode, std::string>> expected = {
      {Opcode::kPing, "?"}, {Opcode::kText, "Hello"}, {Opcode::kBinary, "\0\1"s}};
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u})
    EXPECT_EQ(read(stream, piece).messages, expected);
}

TEST(MessageReader, RefusesTextThatIsNotUtf8AcrossFragmentsToo) {
  EXPECT_TRUE(read(client(Opcode::kText, "\xC3", false) + client(Opcode::kContinuation, "\xA9"), 1)
                  .messages.size() == 1);
  for (const std::string& stream :
       {client(Opcode::kText, "\xC3"),
        client(Opcode::kText, "\xC3", false) + client(Opcode::kContinuation, "x"),
        client(Opcode::kText, "a\xFF")}) {
    const Read result = read(stream, 1);
    EXPECT_TRUE(result.messages.empty());
    EXPECT_EQ(result.code, CloseCode::kInvalidPayload);
    EXPECT_EQ(read(stream, 1000), result);
  }
  EXPECT_EQ(read(client(Opcode::kBinary, "\xFF"), 1).messages.size(), 1u);
}

std::string close_frame(std::string_view payload) { return client(Opcode::kClose, payload); }
std::string code_bytes(int code) { return {static_cast<char>(code >> 8), static_cast<char>(code)}; }

TEST(MessageReader, AcceptsTheCloseCodesThatMayBeSentAndNoOther) {
  for (const int code : {1000,
                         1001,
                         1002,
                         1003,
                         1007,
                         1008,
                         1009,
                         1010,
                         1011,
                         1012,
                         1013,
                         1014,
                         3000,
                         3999,
                         4000,
                         4999})
    EXPECT_FALSE(read(close_frame(code_bytes(code)), 1).failed) << code;
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    EXPECT_EQ(read(close_frame(code_bytes(code)), 1).code, CloseCode::kProtocolError) << code;
    EXPECT_EQ(read(close_frame(code_bytes(code) + "x"), 1000).code, CloseCode::kProtocolError)
        << code;
  }
}

TEST(MessageReader, ChecksTheRestOfAClosePayload) {
  EXPECT_FALSE(read(close_frame(""), 1).failed);
  EXPECT_EQ(read(close_frame("\x03"), 1).code, CloseCode::kProtocolError);
  EXPECT_FALSE(read(close_frame(code_bytes(1000) + "caf\xC3\xA9"), 1).failed);
  EXPECT_EQ(read(close_frame(code_bytes(1000) + "\xC3"), 1).code, CloseCode::kInvalidPayload);
  EXPECT_EQ(read(close_frame(code_bytes(1000) + "\xFF!"), 1000).code, CloseCode::kInvalidPayload);
}

TEST(MessageReader, PassesOnTheFaultsOfFrames) {
  EXPECT_EQ(read("\x81\x00"s, 1).code, CloseCode::kProtocolError);
  std::string large;
  append_frame(large, Opcode::kText, std::string((1U << 20U) + 1, 'x'));
  EXPECT_EQ(read(large, 65536, Sender::kServer).code, CloseCode::kMessageTooBig);
}

RC_GTEST_PROP(MessageReader,
              ThePiecesDoNotMatter,
              (const std::vector<std::string>& texts, bool fragmented)) {
  std::string stream;
  for (const std::string& text : texts) {
    const std::size_t half = fragmented ? text.size() / 2 : text.size();
    stream += client(Opcode::kBinary, text.substr(0, half), !fragmented);
    if (fragmented)
      stream += client(Opcode::kPong, "") + client(Opcode::kContinuation, text.substr(half));
  }
  const Read at_once = read(stream, stream.size() + 1);
  RC_ASSERT(!at_once.failed);
  RC_ASSERT(read(stream, 1) == at_once);
  RC_ASSERT(read(stream, *rc::gen::inRange<std::size_t>(1, 50)) == at_once);
}

}  // namespace
}  // namespace liminal::wire
