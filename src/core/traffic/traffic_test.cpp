#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/traffic/alert.hpp"
#include "core/traffic/codec.hpp"
#include "core/traffic/event.hpp"
#include "core/traffic/schema.hpp"
#include "core/traffic/verdict.hpp"

namespace liminal::traffic {
namespace {

TEST(Schema, NamesAreUniqueAndInOrder) {
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    const FeatureInfo& feature = feature_schema()[i];
    EXPECT_EQ(static_cast<std::size_t>(feature.id), i);
    EXPECT_EQ(feature_by_name(feature.name), feature.id);
    EXPECT_LT(feature.low, feature.high);
  }
  EXPECT_FALSE(feature_by_name("messages"));
}

TEST(FindingTable, IsInOrderAndNamesAreUnique) {
  for (std::size_t i = 0; i < kFindingTypes; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(finding_table()[i].type), i);
    EXPECT_EQ(finding_by_name(finding_table()[i].name), finding_table()[i].type);
  }
}

RC_GTEST_PROP(Alert,
              SurvivesSnapshotsAndJournals,
              (std::uint64_t number, float score, std::int64_t time, std::uint8_t lines)) {
  Alert alert;
  alert.shard = ShardId{63};
  alert.number = number;
  alert.user = "ann";
  alert.type = FindingType::kContentSpam;
  alert.severity = Severity::kCritical;
  alert.first_seen = SteadyTime{Duration{time}};
  alert.first.score = score;
  for (int i = 0; i < lines % 9; ++i) alert.first.add({Signal::kGapSpread, score, 1, 2, 3});
  alert.worst = alert.first;
  alert.features.values.fill(score);
  Writer saved, again;
  save(alert, saved);
  Alert loaded;
  Reader in(saved.bytes());
  RC_ASSERT(load(loaded, in));
  RC_ASSERT(in.at_end());
  save(loaded, again);
  RC_ASSERT(again.bytes() == saved.bytes());
  Reader cut(std::string_view(saved.bytes()).substr(0, saved.bytes().size() - 1));
  RC_ASSERT(!load(loaded, cut));
}

RC_GTEST_PROP(
    Event,
    SurvivesTheJournal,
    (std::uint32_t bytes, bool error, bool reported, std::uint64_t content, std::int64_t time)) {
  const auto text = rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  const std::string user = "u" + (*text).substr(0, kUserBytesMax - 1);
  const std::string channel = *text;
  const Name channels[] = {Name(channel), Name("general")};
  Event event;
  event.user = Name(user);
  event.address = Name("10.0.0.1");
  event.channels = channels;
  event.kind = EventKind{*rc::gen::inRange<std::uint8_t>(0, kEventKinds)};
  event.error = error;
  event.reported = reported;
  event.bytes = bytes;
  if (event.kind == EventKind::kContinued) {
    event.counted = bytes / 3;
    event.begun.observed = Decision{static_cast<std::uint8_t>(bytes % 4)};
    event.begun.shadow = std::min(event.begun.observed, Decision::kDelay);
    event.begun.violated = bytes % 8 > 3;
  }
  if (event.kind == EventKind::kConnect) event.address_connections = bytes;
  if (error) event.content_hash = content;
  event.time = EventTime{Duration{time}};

  Writer out;
  encode(event, out);
  Reader in(out.bytes());
  const Result<StoredEvent> read = StoredEvent::decode(in);
  RC_ASSERT(read.has_value());
  Writer again;
  encode(read->view(), again);

  RC_ASSERT(again.bytes() == out.bytes());
  RC_ASSERT(read->view().user.hash == event.user.hash);
  RC_ASSERT(read->view().reported == reported);
  RC_ASSERT(read->view().counted == event.counted);
  RC_ASSERT(read->view().begun == event.begun);
  RC_ASSERT(read->view().address_connections == event.address_connections);
}

TEST(Event, OnlyTheRestOfAMessageHasABeginning) {
  Event event;
  event.user = Name("ann");
  event.kind = EventKind::kContinued;
  event.begun.shadow = event.begun.observed = Decision::kDrop;
  const auto read = [](std::string bytes, EventKind kind, char begun) {
    bytes[0] = static_cast<char>(kind);
    bytes[bytes.find(char{2 | 2 << 2})] = begun;
    Reader in(bytes);
    return StoredEvent::decode(in);
  };
  Writer out;
  encode(event, out);
  const std::string good = out.take();
  EXPECT_TRUE(read(good, EventKind::kContinued, 2 | 3 << 2));
  EXPECT_FALSE(read(good, EventKind::kContinued, 2 | 1 << 2)) << "milder where more is enforced";
  EXPECT_FALSE(read(good, EventKind::kContinued, 0));
  EXPECT_TRUE(read(good, EventKind::kContinued, 2 | 3 << 2 | 16)) << "and was a violation";
  EXPECT_FALSE(read(good, EventKind::kContinued, 2 | 3 << 2 | 32));
  EXPECT_FALSE(read(good, EventKind::kMessage, 2 | 2 << 2));
}

TEST(Event, WithoutAUserIsRefused) {
  Writer out;
  encode(Event{}, out);
  Reader in(out.bytes());
  EXPECT_FALSE(StoredEvent::decode(in));
}

TEST(AlertId, ReadsBackAndRefusesOtherText) {
  Alert alert;
  alert.shard = ShardId{17};
  alert.number = 42;
  EXPECT_EQ(alert_id(alert), "17-42");
  EXPECT_EQ(parse_alert_id("17-42"), std::pair(ShardId{17}, std::uint64_t{42}));
  EXPECT_EQ(parse_alert_id("64-7"), std::pair(kOfGateways, std::uint64_t{7}));
  for (const char* wrong :
       {"", "-", "17", "17-", "65-1", "17-4x", "-1-2", " 1-2", "17-72057594037927936"})
    EXPECT_FALSE(parse_alert_id(wrong)) << wrong;
  for (const auto& id :
       {std::pair(ShardId{17}, std::uint64_t{42}), std::pair(kOfGateways, kAlertNumberMax)})
    EXPECT_EQ(alert_of_key(alert_key(id.first, id.second)), id);
}

TEST(Explanation, SaysWhatWasSeenAndWhatWasExpectedLargestFirst) {
  Finding finding;
  finding.type = FindingType::kMessageFlood;
  finding.detector = Detector::kRateSurprise10s;
  finding.score = 1.5F;
  finding.add({Signal::kMessageBytes, 40, 0, 400, .1F});
  finding.add({Signal::kMessages10s, 22, 0, 6, 1.4F});

  EXPECT_EQ(
      explanation(finding),
      "far more messages than this user or anybody usually sends: messages_10s 22 (expected at "
      "most 6), message_bytes 40 (expected at most 400) [rate_surprise_10s, 1.50 of the alarm "
      "line]");
}

}  // namespace
}  // namespace liminal::traffic
