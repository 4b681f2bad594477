#include "server/training/rows.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace liminal::training {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using traffic::FeatureId;

SteadyTime at(int s) { return SteadyTime{std::chrono::seconds{1'800'000'000 + s}}; }

traffic::FeatureRow row(const std::string& user, int s, float rate = 10) {
  traffic::FeatureRow made{user, "", at(s), {}};
  made.features[FeatureId::kMessagesPerMinute] = rate;
  return made;
}

traffic::Alert alert(const std::string& user,
                     int from,
                     int to,
                     traffic::FeedbackVerdict feedback = traffic::FeedbackVerdict::kNone,
                     traffic::Severity severity = traffic::Severity::kHigh) {
  traffic::Alert made;
  made.user = user;
  made.type = traffic::FindingType::kMessageFlood;
  made.severity = severity;
  made.feedback = feedback;
  made.first_seen = at(from);
  made.last_seen = at(to);
  made.first.add({traffic::Signal::kMessages10s, 100, 0, 10, 1});
  made.worst = made.first;
  return made;
}

const learn::ModelDefinition& anomaly() {
  static const learn::ModelDefinition definition = learn::first_models()[0];
  return definition;
}

TEST(LabelledRows, PeopleBeatRules) {
  using enum traffic::FeedbackVerdict;
  const std::vector rows{
      row("ann", 5), row("bob", 5), row("eve", 5), row("joe", 5), row("ann", 99)};
  const std::vector alerts{alert("ann", 0, 10),
                           alert("bob", 0, 10, kFalsePositive),
                           alert("eve", 0, 10, kTruePositive),
                           alert("eve", 0, 10)};
  const Rows found = labelled_rows(anomaly(), rows, alerts);
  EXPECT_THAT(found.table.labels, ElementsAre(1, 0, 1, 0, 0));
  EXPECT_THAT(found.judged, ElementsAre(0, 1, 1, 0, 0));
  EXPECT_THAT(found.table.weights, ElementsAre(kWeakWeight, 1, 1, kWeakWeight, kWeakWeight));
  EXPECT_THAT(found.rule_features, ElementsAre("messages_per_minute"));
}

TEST(LabelledRows, WhatIsMildAndNotJudgedIsLeftOut) {
  const std::vector rows{row("ann", 5), row("joe", 5)};
  const std::vector alerts{
      alert("ann", 0, 10, traffic::FeedbackVerdict::kNone, traffic::Severity::kLow)};
  const Rows found = labelled_rows(anomaly(), rows, alerts);
  EXPECT_THAT(found.table.labels, ElementsAre(0));
  EXPECT_EQ(found.table.values.size(), 4U);
}

TEST(LabelledRows, AModelDoesNotLearnFromItsOwnAlerts) {
  auto own = alert("ann", 0, 10);
  own.type = traffic::FindingType::kModelAnomaly;
  const std::vector rows{row("ann", 5)};
  EXPECT_THAT(labelled_rows(anomaly(), rows, {&own, 1}).table.labels, ElementsAre(0));
}

TEST(TooFew, SaysHowManyAreMissing) {
  Rows rows;
  rows.table.features = {{"a", "", {}}};
  rows.table.values.assign(100, 1);
  rows.table.labels.assign(100, 0);
  for (int i = 0; i < 10; ++i) rows.table.labels[static_cast<std::size_t>(i)] = 1;
  const auto few = too_few(anomaly(), rows);
  ASSERT_TRUE(few);
  EXPECT_EQ(few->rows_missing, 30U);
  EXPECT_EQ(few->code, ErrorCode::kConflict);
  EXPECT_THAT(few->text, HasSubstr("30 more anomalous"));
  const auto none = too_few(anomaly(), {});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->rows_missing, 80U);
  EXPECT_THAT(none->text, HasSubstr("40 more anomalous and 40 more ordinary ones are needed"));
}

TEST(ReadRows, EndsWhereTheTableWouldBeTooLarge) {
  const std::string path = testing::TempDir() + "liminal-large.csv";
  {
    std::ofstream out(path);
    out << "a,b,y\n";
    for (int i = 0; i < 1000; ++i) out << i << ",1," << i % 2 << "\n";
  }
  const learn::ModelDefinition model{"m", models::Task::kClassification, {"a", "b"}, "y"};
  EXPECT_TRUE(read_rows(model, path, 8000));
  const auto refused = read_rows(model, path, 7999);
  std::filesystem::remove(path);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("liminal-large.csv:1001: "));
}

TEST(LoadRows, ForetellFiveMinutesAhead) {
  std::vector<learn::MinuteTotal> minutes;
  for (std::int64_t i = 0; i < 10; ++i)
    minutes.push_back({1000 + i, static_cast<std::uint64_t>(60 * (i + 1)), 30, std::nullopt});
  minutes.erase(minutes.begin() + 6);  // the server did not run
  const Rows found = load_rows(learn::first_models()[1], minutes);
  EXPECT_THAT(found.table.labels, ElementsAre(6, 8, 9, 10));
  EXPECT_THAT(found.baseline, ElementsAre(1, 3, 4, 5));
  EXPECT_EQ(found.table.values[0], 60);
  EXPECT_TRUE(std::isnan(found.table.values[2]));
}

TEST(UserRows, AreTheMeanOfEachUser) {
  const std::vector rows{row("ann", 1, 10), row("ann", 2, 30), row("bob", 1, 5)};
  const Rows found = user_rows(learn::first_models()[2], rows);
  EXPECT_EQ(found.table.rows(), 2U);
  EXPECT_EQ(found.table.values[0], 20);
}

class Files : public testing::Test {
 protected:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "liminal-rows-XXXXXX").string();
    root_ = mkdtemp(name.data());
    std::filesystem::create_directories(root_ + "/data/sub");
    write("secret.csv", "a,y\n1,1\n");
    write("data/rows.csv", "y,user_id,a,b,timestamp\n1,ann,2,,5\n0,bob,3,4,6\n,joe,1,1,7\n");
    write("data/sub/rows.ndjson", "{\"a\":2,\"b\":null,\"y\":true}\n\n{\"a\":3,\"b\":4,\"y\":0}\n");
    write("data/bad.csv", "a,b,y\n1,x,1\n");
    std::filesystem::create_symlink(root_ + "/secret.csv", root_ + "/data/link.csv");
  }
  ~Files() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ + "/" + name) << text;
  }
  std::string root_;
  learn::ModelDefinition definition_{"churn", models::Task::kClassification, {"a", "b"}, "y"};
};

TEST_F(Files, AreFoundInsideTheirFolderAlone) {
  const std::string folder = root_ + "/data";
  EXPECT_TRUE(path_inside(folder, "rows.csv"));
  EXPECT_TRUE(path_inside(folder, "sub/rows.ndjson"));
  EXPECT_TRUE(path_inside(folder, "sub/../rows.csv"));
  for (const char* wrong :
       {"../secret.csv", "link.csv", "sub", ".", "", "nothing.csv", "/etc/passwd"})
    EXPECT_FALSE(path_inside(folder, wrong)) << wrong;
  EXPECT_FALSE(path_inside(folder, std::string("rows.csv\0x", 10)));
  EXPECT_FALSE(path_inside(folder, root_ + "/secret.csv"));
}

TEST_F(Files, OfAFolderAreReadTogetherWhereTheyAreAllRowsOfOneForm) {
  const std::string folder = root_ + "/data";
  EXPECT_THAT(files_inside(folder, "rows.csv").paths, ElementsAre(HasSubstr("data/rows.csv")));
  write("data/sub/more.jsonl", "");
  write("data/sub/_SUCCESS", "");
  const auto found = files_inside(folder, "sub");
  EXPECT_EQ(found.wrong, "");
  EXPECT_THAT(found.paths, ElementsAre(HasSubstr("more.jsonl"), HasSubstr("rows.ndjson")));
  for (const char* wrong : {"../secret.csv", "link.csv", ".", "", "nothing", "/etc"})
    EXPECT_THAT(files_inside(folder, wrong).wrong, HasSubstr("inside")) << wrong;
  write("data/sub/a.csv", "");
  EXPECT_THAT(files_inside(folder, "sub").wrong, HasSubstr("more than one form"));
  std::filesystem::create_symlink(root_ + "/secret.csv", root_ + "/data/sub/link.csv");
  EXPECT_THAT(files_inside(folder, "sub").wrong, HasSubstr("link.csv"));
  std::filesystem::create_directory(folder + "/empty");
  EXPECT_THAT(files_inside(folder, "empty").wrong, HasSubstr("no file"));
  write("data/notes.txt", "");
  EXPECT_THAT(files_inside(folder, "notes.txt").wrong, HasSubstr(".parquet"));
}

TEST_F(Files, AreReadAsCsvAndAsLinesOfJson) {
  const auto csv = read_rows(definition_, root_ + "/data/rows.csv");
  ASSERT_TRUE(csv) << csv.error();
  EXPECT_THAT(csv->table.labels, ElementsAre(1, 0));  // the third has none
  EXPECT_EQ(csv->table.values[0], 2);
  EXPECT_TRUE(std::isnan(csv->table.values[1]));
  EXPECT_THAT(csv->table.times_s, ElementsAre(5, 6));
  EXPECT_EQ(csv->table.groups.size(), 2U);
  const auto lines = read_rows(definition_, root_ + "/data/sub/rows.ndjson");
  ASSERT_TRUE(lines) << lines.error();
  EXPECT_THAT(lines->table.labels, ElementsAre(1, 0));
  EXPECT_TRUE(std::isnan(lines->table.values[1]));
  EXPECT_TRUE(lines->table.times_s.empty());
}

TEST_F(Files, AnEmptyUserIsNoUser) {
  write("data/some.csv", "y,user_id,a,b\n1,ann,2,1\n0,,3,4\n0,,5,6\n");
  const auto some = read_rows(definition_, root_ + "/data/some.csv");
  ASSERT_TRUE(some) << some.error();
  EXPECT_TRUE(some->table.groups.empty()) << "known of some rows only is not known";
  EXPECT_THAT(some->notes, testing::Contains(HasSubstr("2 rows without user_id")));
}

TEST_F(Files, MayCallTheirTwoClassesAsTheyLike) {
  const auto labels = [&](const char* text) {
    write("data/classes.csv", std::string("y,a,b\n") + text);
    auto rows = read_rows(definition_, root_ + "/data/classes.csv");
    EXPECT_TRUE(rows) << rows.error();
    return rows ? rows->table.labels : std::vector<float>{};
  };
  EXPECT_THAT(labels("yes,1,1\nno,1,1\nyes,1,1\n"), ElementsAre(1, 0, 1));
  EXPECT_THAT(labels("-1,1,1\n1,1,1\n"), ElementsAre(0, 1));
  EXPECT_THAT(labels("7,1,1\n3,1,1\n"), ElementsAre(1, 0));
  EXPECT_THAT(labels("true,1,1\n0,1,1\n1,1,1\n"), ElementsAre(1, 0, 1));
  EXPECT_THAT(labels("1.0,1,1\n0,1,1\n1,1,1\n"), ElementsAre(1, 0, 1));
  EXPECT_THAT(labels("0,1,1\n0,1,1\n"), ElementsAre(0, 0));
  EXPECT_THAT(labels("1,1,1\n"), ElementsAre(1));
  write("data/classes.csv", "y,a,b\nyes,1,1\nno,1,1\nperhaps,1,1\n");
  EXPECT_EQ(read_rows(definition_, root_ + "/data/classes.csv").error(),
            "classes.csv:4: y is a third value: of classes there are two");
}

TEST_F(Files, SayWhichColumnsLoseTheirDifferences) {
  std::string text = "y,a,b\n";
  for (int i = 0; i < 100; ++i)
    text += std::to_string(i % 2) + "," + std::to_string(1'700'000'000 + i) + ",1\n";
  write("data/times.csv", text);
  const auto rows = read_rows(definition_, root_ + "/data/times.csv");
  ASSERT_TRUE(rows) << rows.error();
  EXPECT_THAT(rows->notes, testing::Contains(HasSubstr("column a: 100 different numbers")));
}

TEST_F(Files, SayWhereTheyAreWrong) {
  const auto bad = read_rows(definition_, root_ + "/data/bad.csv");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), "bad.csv:2: b is no number");
  EXPECT_EQ(read_rows(definition_, root_ + "/secret.csv").error(), "secret.csv: has no column b");
  std::ofstream(root_ + "/data/twice.csv") << "a,b,y,a\n1,2,1,3\n";
  EXPECT_EQ(read_rows(definition_, root_ + "/data/twice.csv").error(),
            "twice.csv: has the column a twice");
  {
    std::ofstream wide(root_ + "/data/wide.csv");
    for (int i = 0; i < 30'000; ++i) wide << 'c' << i << ",,";  // those without a name may be many
    wide << "a,b,y,c7\n";
  }
  EXPECT_EQ(read_rows(definition_, root_ + "/data/wide.csv").error(),
            "wide.csv: has the column c7 twice");
}

TEST_F(Files, ThatAreTooLargePointToAClusterOnlyWhereItTrainsSuchModels) {
  const auto refused = [&](models::Task task) {
    learn::ModelDefinition definition = definition_;
    definition.task = task;
    return read_rows(definition, root_ + "/data/rows.csv", 4).error();
  };
  for (const auto task : {models::Task::kClassification, models::Task::kRegression})
    EXPECT_THAT(refused(task), HasSubstr("the trainer ray"));
  for (const auto task : {models::Task::kClustering, models::Task::kAnomaly}) {
    EXPECT_THAT(refused(task), testing::Not(HasSubstr("ray")));
    EXPECT_THAT(refused(task), HasSubstr("models.rows_bytes_max"));
  }
  definition_.name = "salience_ranking";
  EXPECT_THAT(refused(models::Task::kClassification), testing::Not(HasSubstr("ray")));
}

}  // namespace
}  // namespace liminal::training
