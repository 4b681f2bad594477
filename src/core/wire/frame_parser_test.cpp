#include "core/wire/frame_parser.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "core/wire/frame_writer.hpp"

namespace liminal::wire {
namespace {

using namespace std::string_literals;

/// A frame as it comes out when its parts are joined.
struct Frame {
  Opcode opcode{};
  bool fin = false;
  bool message_begins = false;
  bool message_ends = false;
  std::string header;
  std::string payload;
  std::uint64_t message_bytes = 0;
  bool complete = false;
  friend bool operator==(const Frame&, const Frame&) = default;
};

struct Parsed {
  std::vector<Frame> frames;
  FrameFault fault{};
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

/// Joins parts into frames and unmasks them; checks what must hold of each part.
class Joiner {
 public:
  void add(const FramePart& part) {
    if (part.frame_begins) {
      frames_.push_back({part.opcode,
                         part.fin,
                         part.message_begins,
                         false,
                         std::string(part.header),
                         {},
                         part.message_bytes,
                         false});
    }
    ASSERT_FALSE(frames_.empty());
    Frame& frame = frames_.back();
    ASSERT_FALSE(frame.complete);
    EXPECT_EQ(frame.opcode, part.opcode);
    const std::size_t start = frame.payload.size();
    frame.payload += part.payload;
    apply_mask(part.mask, part.payload, frame.payload.data() + start);
    EXPECT_LE(frame.payload.size(), part.frame_bytes);
    frame.complete = part.frame_ends;
    frame.message_ends = part.message_ends;
    if (part.frame_ends) {
      EXPECT_EQ(frame.payload.size(), part.frame_bytes);
    }
  }
  std::vector<Frame> frames_;
};

/// Parses a stream cut at the given places.
Parsed parse(Sender from,
             const FrameLimits& limits,
             std::string_view stream,
             const std::vector<std::size_t>& cuts = {}) {
  FrameParser parser(from);
  Joiner joiner;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? std::min(cuts[i], stream.size()) : stream.size();
    if (end < start) continue;
    // A copy of its own for each piece: a part that pointed into an old one would be found out.
    const std::string piece(stream.substr(start, end - start));
    std::string_view in = piece;
    while (const auto part = parser.next(in, limits)) joiner.add(*part);
    start = end;
  }
  return {joiner.frames_, parser.fault()};
}

std::vector<std::size_t> every_byte(std::size_t size) {
  std::vector<std::size_t> cuts(size);
  for (std::size_t i = 0; i < size; ++i) cuts[i] = i;
  return cuts;
}

std::string masked(Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  append_frame(out, opcode, payload, Mask::from_bits(0xA1B2C3D4), fin);
  return out;
}

TEST(FrameParser, GivesAWholeFrameInOnePartWithHeaderAndPayloadTogether) {
  const std::string stream = masked(Opcode::kText, "hello");
  FrameParser parser(Sender::kClient);
  std::string_view in = stream;

  const auto part = parser.next(in, {});

  ASSERT_TRUE(part);
  EXPECT_TRUE(part->is_whole_message());
  EXPECT_EQ(part->header.data(), stream.data());
  EXPECT_EQ(part->header.data() + part->header.size(), part->payload.data());
  EXPECT_EQ(part->payload.size(), 5u);
  EXPECT_TRUE(in.empty());
  EXPECT_FALSE(parser.next(in, {}));
  EXPECT_EQ(parser.fault(), FrameFault::kNone);
}

TEST(FrameParser, HoldsAHeaderBackUntilItIsWholeAndGivesThePayloadAsItComes) {
  const std::string stream = masked(Opcode::kBinary, "0123456789");
  FrameParser parser(Sender::kClient);
  std::string_view first = std::string_view(stream).substr(0, 4);
  std::string_view second = std::string_view(stream).substr(4, 5);
  std::string_view third = std::string_view(stream).substr(9);

  EXPECT_FALSE(parser.next(first, {}));
  EXPECT_TRUE(parser.inside_frame());
  const auto begin = parser.next(second, {});
  ASSERT_TRUE(begin);
  EXPECT_EQ(std::string(begin->header), stream.substr(0, 6));
  EXPECT_EQ(begin->payload.size(), 3u);
  EXPECT_FALSE(begin->frame_ends);
  EXPECT_EQ(begin->frame_bytes, 10u);
  const auto rest = parser.next(third, {});
  ASSERT_TRUE(rest);
  EXPECT_FALSE(rest->frame_begins);
  EXPECT_TRUE(rest->message_ends);
  EXPECT_EQ(rest->mask, Mask::from_bits(0xA1B2C3D4).turned(3));
}

TEST(FrameParser, GivesControlFramesBetweenTheFragmentsOfAMessage) {
  const std::string stream = masked(Opcode::kText, "one ", false) + masked(Opcode::kPing, "p") +
                             masked(Opcode::kContinuation, "two ", false) +
                             masked(Opcode::kContinuation, "three");

  const Parsed parsed = parse(Sender::kClient, {}, stream);

  ASSERT_EQ(parsed.frames.size(), 4u);
  EXPECT_EQ(parsed.frames[1].opcode, Opcode::kPing);
  EXPECT_EQ(parsed.frames[2].opcode, Opcode::kText);
  EXPECT_FALSE(parsed.frames[2].message_begins);
  EXPECT_TRUE(parsed.frames[3].message_ends);
  EXPECT_EQ(parsed.frames[3].message_bytes, 13u);
  EXPECT_EQ(parsed.fault, FrameFault::kNone);
}

TEST(FrameParser, SwallowsWhatFollowsACloseFrame) {
  std::string stream;
  append_close(stream, CloseCode::kNormal, "bye", Mask::from_bits(7));
  stream += masked(Opcode::kText, "late") + "\xFF\xFF\xFF"s;
  FrameParser parser(Sender::kClient);
  std::string_view in = stream;

  ASSERT_TRUE(parser.next(in, {}));
  EXPECT_TRUE(parser.closed());
  EXPECT_FALSE(parser.next(in, {}));
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(parser.fault(), FrameFault::kNone);
}

struct BadCase {
  const char* what;
  Sender from;
  std::string stream;
  FrameFault fault;
  std::size_t frames_before = 0;
};

std::vector<BadCase> bad_cases() {
  const std::string open_text = masked(Opcode::kText, "a", false);
  const std::string key = "\1\2\3\4";
  const auto c = Sender::kClient;
  const auto s = Sender::kServer;
  return {
      {"reserved bit 1", c, "\xC1\x80"s + key, FrameFault::kReservedBits},
      {"reserved bit 2", c, "\xA1\x80"s + key, FrameFault::kReservedBits},
      {"reserved bit 3", c, "\x91\x80"s + key, FrameFault::kReservedBits},
      {"reserved data opcode 3", c, "\x83\x80"s + key, FrameFault::kReservedOpcode},
      {"reserved data opcode 7", c, "\x87\x80"s + key, FrameFault::kReservedOpcode},
      {"reserved control opcode 11", c, "\x8B\x80"s + key, FrameFault::kReservedOpcode},
      {"reserved control opcode 15", c, "\x8F\x80"s + key, FrameFault::kReservedOpcode},
      {"fragmented ping", c, "\x09\x80"s + key, FrameFault::kFragmentedControl},
      {"fragmented close", c, "\x08\x80"s + key, FrameFault::kFragmentedControl},
      {"ping of 126 bytes", c, "\x89\xFE\x00\x7E"s + key, FrameFault::kLongControl},
      {"close with a 64-bit length", c, "\x88\xFF"s, FrameFault::kLongControl},
      {"continuation of nothing", c, "\x80\x80"s + key, FrameFault::kUnexpectedContinuation},
      {"continuation after the last",
       c,
       masked(Opcode::kText, "a") + masked(Opcode::kContinuation, "b"),
       FrameFault::kUnexpectedContinuation,
       1},
      {"text inside text",
       c,
       open_text + masked(Opcode::kText, "b"),
       FrameFault::kUnfinishedMessage,
       1},
      {"binary inside text",
       c,
       open_text + masked(Opcode::kBinary, "b", false),
       FrameFault::kUnfinishedMessage,
       1},
      {"client without a mask", c, "\x81\x00"s, FrameFault::kNotMasked},
      {"server with a mask", s, "\x81\x80"s, FrameFault::kMasked},
      {"16-bit length of 125", c, "\x82\xFE\x00\x7D"s, FrameFault::kLengthNotMinimal},
      {"16-bit length of 0", c, "\x82\xFE\x00\x00"s, FrameFault::kLengthNotMinimal},
      {"64-bit length of 65535",
       s,
       "\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF"s,
       FrameFault::kLengthNotMinimal},
      {"64-bit length of 1",
       s,
       "\x82\x7F\x00\x00\x00\x00\x00\x00\x00\x01"s,
       FrameFault::kLengthNotMinimal},
      {"length with the top bit",
       s,
       "\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00"s,
       FrameFault::kLengthTooLarge},
      {"longest length there is",
       s,
       "\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s,
       FrameFault::kMessageTooLarge},
  };
}

TEST(FrameParser, RefusesEveryMalformedFrameHoweverItIsCut) {
  for (const BadCase& bad : bad_cases()) {
    SCOPED_TRACE(bad.what);
    const Parsed at_once = parse(bad.from, {}, bad.stream);
    EXPECT_EQ(at_once.fault, bad.fault) << name(at_once.fault);
    EXPECT_EQ(at_once.frames.size(), bad.frames_before);
    EXPECT_EQ(parse(bad.from, {}, bad.stream, every_byte(bad.stream.size())), at_once);
  }
}

TEST(FrameParser, AcceptsEveryShortestLength) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 70000u}) {
    const Parsed parsed =
        parse(Sender::kClient, {}, masked(Opcode::kBinary, std::string(size, 'x')));
    ASSERT_EQ(parsed.frames.size(), 1u) << size;
    EXPECT_EQ(parsed.frames[0].payload, std::string(size, 'x'));
  }
}

TEST(FrameParser, RefusesAMessageOverTheCapAtTheHeaderThatSaysSo) {
  const FrameLimits limits{.message_bytes_max = 10};
  EXPECT_EQ(parse(Sender::kClient, limits, masked(Opcode::kText, "0123456789")).fault,
            FrameFault::kNone);
  EXPECT_EQ(parse(Sender::kClient, limits, masked(Opcode::kText, "0123456789a").substr(0, 6)).fault,
            FrameFault::kMessageTooLarge);

  const Parsed fragments =
      parse(Sender::kClient,
            limits,
            masked(Opcode::kText, "012345", false) + masked(Opcode::kContinuation, "01234"));
  EXPECT_EQ(fragments.fault, FrameFault::kMessageTooLarge);
  EXPECT_EQ(fragments.frames.size(), 1u);
  EXPECT_EQ(close_code(fragments.fault), CloseCode::kMessageTooBig);
}

TEST(FrameParser, ControlFramesDoNotCountTowardsTheCaps) {
  const FrameLimits limits{.message_bytes_max = 4, .fragments_max = 2};
  const Parsed parsed =
      parse(Sender::kClient,
            limits,
            masked(Opcode::kText, "ab", false) + masked(Opcode::kPing, "0123456789") +
                masked(Opcode::kPong, "") + masked(Opcode::kContinuation, "cd"));
  EXPECT_EQ(parsed.fault, FrameFault::kNone);
  EXPECT_EQ(parsed.frames.size(), 4u);
}

TEST(FrameParser, RefusesMoreFragmentsThanTheCap) {
  const FrameLimits limits{.message_bytes_max = 100, .fragments_max = 3};
  std::string stream = masked(Opcode::kText, "", false);
  for (int i = 0; i < 2; ++i) stream += masked(Opcode::kContinuation, "", false);
  EXPECT_EQ(parse(Sender::kClient, limits, stream).fault, FrameFault::kNone);
  EXPECT_EQ(parse(Sender::kClient, limits, stream + masked(Opcode::kContinuation, "")).fault,
            FrameFault::kTooManyFragments);
}

TEST(FrameParser, CountsEachMessageForItself) {
  const FrameLimits limits{.message_bytes_max = 4, .fragments_max = 2};
  std::string stream;
  for (int i = 0; i < 5; ++i)
    stream += masked(Opcode::kText, "ab", false) + masked(Opcode::kContinuation, "cd");
  EXPECT_EQ(parse(Sender::kClient, limits, stream).fault, FrameFault::kNone);
}

/// Streams that are mostly right: frames that a client may send, sometimes with bytes changed.
rc::Gen<std::string> streams() {
  const auto payload = rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const auto frame = rc::gen::map(
      rc::gen::tuple(
          rc::gen::element(
              Opcode::kText, Opcode::kBinary, Opcode::kContinuation, Opcode::kPing, Opcode::kClose),
          payload,
          rc::gen::arbitrary<std::uint32_t>(),
          rc::gen::weightedElement<bool>({{3, true}, {1, false}}),
          rc::gen::weightedElement<int>({{12, 0}, {1, 1}, {1, 300}, {1, 70000}})),
      [](std::tuple<Opcode, std::string, std::uint32_t, bool, int> parts) {
        auto& [opcode, text, key, fin, more] = parts;
        text.append(static_cast<std::size_t>(more), 'm');
        std::string out;
        append_frame(out, opcode, text, Mask::from_bits(key), fin);
        return out;
      });
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(frame),
                      [](const std::vector<std::string>& frames) {
                        std::string stream;
                        for (const std::string& one : frames) stream += one;
                        return stream;
                      });
}

RC_GTEST_PROP(FrameParser, AnyCuttingGivesTheSameFramesAndTheSameFault, ()) {
  std::string stream = *streams();
  if (!stream.empty() && *rc::gen::inRange(0, 4) == 0)
    stream[*rc::gen::inRange<std::size_t>(0, stream.size())] = *rc::gen::arbitrary<char>();
  std::vector<std::size_t> cuts = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::inRange<std::size_t>(0, stream.size() + 1));
  std::sort(cuts.begin(), cuts.end());
  const FrameLimits limits{.message_bytes_max = 80'000, .fragments_max = 4};

  const Parsed at_once = parse(Sender::kClient, limits, stream);

  RC_ASSERT(parse(Sender::kClient, limits, stream, cuts) == at_once);
  if (stream.size() < 2000)
    RC_ASSERT(parse(Sender::kClient, limits, stream, every_byte(stream.size())) == at_once);
}

RC_GTEST_PROP(FrameParser, TheFramesJoinedAreTheStreamUpToTheFault, ()) {
  const std::string stream = *streams();
  const Parsed parsed = parse(Sender::kClient, {.message_bytes_max = 1U << 30U}, stream);
  std::string joined;
  for (const Frame& frame : parsed.frames) {
    joined += frame.header;
    const std::size_t start = joined.size();
    joined += frame.payload;
    Mask mask;
    std::memcpy(mask.key.data(), frame.header.data() + frame.header.size() - 4, 4);
    apply_mask(mask, frame.payload, joined.data() + start);
  }
  RC_ASSERT(stream.substr(0, joined.size()) == joined);
}

RC_GTEST_PROP(FrameParser, ReadsWhatTheWriterWrites, ()) {
  const auto payload = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const bool client = *rc::gen::arbitrary<bool>();
  const Opcode opcode = *rc::gen::element(Opcode::kText, Opcode::kBinary);
  std::string stream;
  append_frame(
      stream,
      opcode,
      payload,
      client ? std::optional(Mask::from_bits(*rc::gen::arbitrary<std::uint32_t>())) : std::nullopt);

  const Parsed parsed = parse(client ? Sender::kClient : Sender::kServer, {}, stream);

  RC_ASSERT(parsed.frames.size() == 1u);
  RC_ASSERT(parsed.frames[0].payload == payload);
  RC_ASSERT(parsed.frames[0].opcode == opcode);
  RC_ASSERT(parsed.frames[0].message_ends);
}

RC_GTEST_PROP(FrameParser, NoBytesMakeItReadOutsideOrGiveMoreThanTheyHold, ()) {
  const auto bytes = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const Parsed parsed = parse(*rc::gen::element(Sender::kClient, Sender::kServer), {}, bytes);
  std::size_t given = 0;
  for (const Frame& frame : parsed.frames) given += frame.header.size() + frame.payload.size();
  RC_ASSERT(given <= bytes.size());
}

}  // namespace
}  // namespace liminal::wire
