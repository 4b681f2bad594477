#include "core/features/recent_features.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace liminal::features {
namespace {

using traffic::FeatureId;
using traffic::FeatureRow;

FeatureRow row(int number) {
  FeatureRow made;
  made.user = number % 2 == 0 ? "anna" : "bert";
  made.address = "10.0.0.1";
  made.time = SteadyTime{std::chrono::seconds{number}};
  made.features[FeatureId::kMessagesPerMinute] = static_cast<float>(number);
  return made;
}

RecentFeatures rows(int count, std::size_t capacity = 5) {
  RecentFeatures recent(capacity);
  for (int i = 0; i < count; ++i) recent.add(row(i));
  return recent;
}

std::string times(const RecentFeatures& recent,
                  std::size_t limit = 100,
                  std::string_view user = {}) {
  std::string text;
  for (const FeatureRow& found : recent.latest(limit, user))
    text += std::to_string(found.time.time_since_epoch() / std::chrono::seconds{1}) + " ";
  return text;
}

TEST(RecentFeatures, KeepTheLastOnesNewestFirst) {
  EXPECT_EQ(times(rows(0)), "");
  EXPECT_EQ(times(rows(3)), "2 1 0 ");
  EXPECT_EQ(times(rows(12)), "11 10 9 8 7 ");
  EXPECT_EQ(times(rows(12), 2), "11 10 ");
  EXPECT_EQ(times(rows(12), 2, "anna"), "10 8 ");
  EXPECT_EQ(times(rows(12), 2, "nobody"), "");
}

TEST(RecentFeatures, ForgetWhatIsOldAndGoOn) {
  RecentFeatures recent = rows(12);
  EXPECT_EQ(recent.erase_before(SteadyTime{std::chrono::seconds{9}}), 2u);
  EXPECT_EQ(times(recent), "11 10 9 ");
  for (int i = 12; i < 15; ++i) recent.add(row(i));
  EXPECT_EQ(times(recent), "14 13 12 11 10 ");
}

TEST(RecentFeatures, SurviveASnapshotAlsoIntoLessRoom) {
  Writer out;
  rows(12).save(out);
  for (const std::size_t capacity : {5u, 2u}) {
    Reader in(out.bytes());
    RecentFeatures read(capacity);
    read.load(in);
    EXPECT_TRUE(in.at_end());
    EXPECT_EQ(times(read), capacity == 5 ? "11 10 9 8 7 " : "11 10 ");
    EXPECT_EQ(read.latest(1)[0].features, row(11).features);
  }
}

TEST(RecentFeatures, OfSeveralPlacesComeOnceAndByTheirTime) {
  // Shards hand rows out as they come to it: the last that was added need not be the newest.
  std::vector<FeatureRow> told{row(2), row(0), row(3)};
  FeatureRow of_another = row(2);
  of_another.user = "carl";
  told.insert(told.end(), {row(3), row(2), of_another, row(1), row(0)});
  told[3].address = "stored";
  std::string found;
  for (const FeatureRow& one : newest_first(told))
    found += std::to_string(one.time.time_since_epoch() / std::chrono::seconds{1}) + one.user +
             one.address + " ";
  EXPECT_EQ(found, "3bert10.0.0.1 2anna10.0.0.1 2carl10.0.0.1 1bert10.0.0.1 0anna10.0.0.1 ");
  EXPECT_TRUE(newest_first({}).empty());
}

TEST(RecentFeatures, RefuseASnapshotThatMakesNoSense) {
  FeatureRow wrong = row(1);
  wrong.features[FeatureId::kBurstiness] = std::numeric_limits<float>::quiet_NaN();
  RecentFeatures recent(5);
  recent.add(wrong);
  Writer out;
  recent.save(out);
  for (const std::string& bytes : {out.bytes(), out.bytes().substr(0, 9)}) {
    Reader in(bytes);
    RecentFeatures read(5);
    read.load(in);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(read.size(), 0u);
  }
}

}  // namespace
}  // namespace liminal::features
