#include "app/train/train.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/random.hpp"

namespace liminal::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// A folder of files that is gone afterwards.
class TrainCommand : public ::testing::Test {
 protected:
  TrainCommand() {
    std::string folder = ::testing::TempDir() + "trainXXXXXX";
    folder_ = mkdtemp(folder.data());
    arguments_.file = path("rows.csv");
    arguments_.choice.target = "y";
    arguments_.out = path("model.onnx");
    arguments_.wish.fits_max = 12;
    arguments_.quiet = true;
  }
  ~TrainCommand() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Rows whose class, or value, follows from `a` and `kind`.
  void write_rows(bool classes, int rows = 300) {
    Random random(1);
    std::ofstream file(arguments_.file);
    file << "a,kind,y\n";
    for (int i = 0; i < rows; ++i) {
      const double a = random.normal();
      const bool red = random.chance(.5);
      const double value = 2 * a + (red ? 2 : -2) + .3 * random.normal();
      file << a << ',' << (red ? "red" : "blue") << ',';
      if (classes) {
        file << (value > 0 ? "yes" : "no") << '\n';
      } else {
        file << value << '\n';
      }
    }
  }

  struct Output {
    ExitCode code;
    std::string out, complaints;
  };
  template <class Arguments, class Command>
  static Output run(Command command, const Arguments& arguments) {
    char *out = nullptr, *complaints = nullptr;
    std::size_t out_size = 0, complaints_size = 0;
    std::FILE* out_file = open_memstream(&out, &out_size);
    std::FILE* complaints_file = open_memstream(&complaints, &complaints_size);
    Output output{command(arguments, out_file, complaints_file), {}, {}};
    std::fclose(out_file);
    std::fclose(complaints_file);
    output.out.assign(out, out_size);
    output.complaints.assign(complaints, complaints_size);
    std::free(out);
    std::free(complaints);
    return output;
  }

  /// The answers' lines for rows `red` and `blue` at a = 0, header left out.
  std::pair<std::string, std::string> ask() {
    std::ofstream(path("ask.csv")) << "kind,other,a\nred,1,0\nblue,2,0\n";
    const PredictArguments arguments{arguments_.out, path("ask.csv")};
    const Output said = run(run_predict, arguments);
    EXPECT_EQ(said.code, ExitCode::kDone) << said.complaints;
    std::istringstream lines(said.out);
    std::string header, red, blue;
    std::getline(lines, header);
    std::getline(lines, red);
    std::getline(lines, blue);
    return {red, blue};
  }

  std::filesystem::path folder_;
  TrainArguments arguments_;
};

TEST_F(TrainCommand, LearnsClassesAndAnswersByTheirNames) {
  write_rows(true);
  arguments_.report = path("report.html");
  arguments_.json = path("report.json");
  const Output trained = run(run_train, arguments_);
  ASSERT_EQ(trained.code, ExitCode::kDone) << trained.complaints;
  EXPECT_THAT(trained.out, HasSubstr("ROC-AUC"));
  const auto [red, blue] = ask();
  EXPECT_THAT(red, StartsWith("yes,0."));
  EXPECT_THAT(blue, StartsWith("no,0."));
  EXPECT_GT(std::filesystem::file_size(arguments_.report), 5000U);
  EXPECT_GT(std::filesystem::file_size(arguments_.json), 500U);
}

TEST_F(TrainCommand, SaysBeforeItTrainsThatAFileCannotBeWritten) {
  write_rows(true);
  const std::string there = path("there.json");
  std::ofstream(there) << "kept";
  arguments_.json = there;
  for (std::string* const file : {&arguments_.out, &arguments_.report, &arguments_.json}) {
    const std::string before = *file;
    *file = path("nowhere/file");
    const Output refused = run(run_train, arguments_);
    EXPECT_EQ(refused.code, ExitCode::kFailed);
    EXPECT_THAT(refused.complaints, HasSubstr("nowhere/file: cannot be written"));
    EXPECT_EQ(refused.out, "") << "nothing was trained";
    *file = before;
  }
  EXPECT_EQ(std::filesystem::file_size(there), 4U);
  EXPECT_FALSE(std::filesystem::exists(arguments_.out));
}

TEST_F(TrainCommand, WritesTheSameFileForTheSameSeed) {
  write_rows(true);
  const auto bytes = [&](const std::string& name) {
    arguments_.out = path(name);
    EXPECT_EQ(run(run_train, arguments_).code, ExitCode::kDone);
    std::ifstream in(arguments_.out, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  const std::string once = bytes("rows.onnx");
  EXPECT_FALSE(once.empty());
  EXPECT_EQ(bytes("again.onnx"), once);
}

TEST_F(TrainCommand, LearnsValues) {
  write_rows(false);
  ASSERT_EQ(run(run_train, arguments_).code, ExitCode::kDone);
  const auto [red, blue] = ask();
  EXPECT_NEAR(std::stod(red), 2, .8);
  EXPECT_NEAR(std::stod(blue), -2, .8);
}

TEST_F(TrainCommand, SaysHowWellAQuantileIsForetold) {
  write_rows(false);
  arguments_.wish.quantile = .9;
  arguments_.json = path("report.json");
  const Output trained = run(run_train, arguments_);
  ASSERT_EQ(trained.code, ExitCode::kDone) << trained.complaints;
  EXPECT_THAT(trained.out, HasSubstr("pinball loss "));
  EXPECT_THAT(trained.out, Not(HasSubstr("interval"))) << "around .9 of what comes is no middle";
  const std::size_t begin = trained.out.find(" at 0.9, ");
  ASSERT_NE(begin, std::string::npos) << trained.out;
  const double below = std::stod(trained.out.substr(begin + 9));
  EXPECT_GT(below, 50) << "of 60 rows: boosted trees of so few lie too low";
  EXPECT_LE(below, 100);
  std::ifstream in(arguments_.json);
  const std::string report{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(report, HasSubstr("\"pinball_level\":0.9,\"at_or_below_ratio\":"));
  const auto [red, blue] = ask();
  EXPECT_GT(std::stod(red), 1);
  EXPECT_GT(std::stod(blue), -3);
}

TEST_F(TrainCommand, ARowThatCannotBeReadLeavesNoAnswers) {
  write_rows(false);
  arguments_.wish.fits_max = 8;
  ASSERT_EQ(run(run_train, arguments_).code, ExitCode::kDone);
  {
    std::ofstream rows(path("ask.csv"));
    rows << "a,kind\n";
    for (int i = 0; i < 3000; ++i) rows << "0,red\n";
    rows << "zero,red\n";
  }
  const Output said = run(run_predict, PredictArguments{arguments_.out, path("ask.csv")});
  EXPECT_EQ(said.code, ExitCode::kFailed);
  EXPECT_THAT(said.complaints, HasSubstr("ask.csv:3002"));
  EXPECT_EQ(said.out, "");
}

TEST_F(TrainCommand, AVersionOfAFileIsRefused) {
  PredictArguments arguments{path("model.onnx"), path("ask.csv")};
  arguments.version = 3;
  const Output said = run(run_predict, arguments);
  EXPECT_EQ(said.code, ExitCode::kFailed);
  EXPECT_THAT(said.complaints, HasSubstr("--version is of a model by name"));
}

TEST_F(TrainCommand, FindsAnomaliesAndClustersWithoutATarget) {
  write_rows(false);
  arguments_.choice.target.clear();
  for (const char* task : {"anomaly", "clustering"}) {
    arguments_.wish.task = task;
    const Output trained = run(run_train, arguments_);
    ASSERT_EQ(trained.code, ExitCode::kDone) << trained.complaints;
    if (task == std::string("anomaly")) {
      EXPECT_THAT(trained.out, HasSubstr("alarm_ratio"));
      EXPECT_THAT(trained.out, HasSubstr("rank_agreement"));
    }
    std::ofstream(path("ask.csv")) << "a,kind,y\n0,red,2\n90,red,90\n";
    const Output said = run(run_predict, PredictArguments{arguments_.out, path("ask.csv")});
    ASSERT_EQ(said.code, ExitCode::kDone) << said.complaints;
    EXPECT_THAT(said.out,
                HasSubstr(task == std::string("anomaly") ? "\n1,0." : "cluster,distance"));
  }
}

TEST_F(TrainCommand, SaysWhatIsWrong) {
  EXPECT_THAT(run(run_train, arguments_).complaints, HasSubstr("cannot be read"));
  write_rows(true, 12);
  const Output few = run(run_train, arguments_);
  EXPECT_EQ(few.code, ExitCode::kFailed);
  EXPECT_THAT(few.complaints, HasSubstr("more of the rarer class are needed"));
  write_rows(true);
  arguments_.wish.task = "regression";
  EXPECT_EQ(run(run_train, arguments_).code, ExitCode::kFailed);
  arguments_.wish.task = "auto";
  arguments_.wish.objective = "squared";
  EXPECT_EQ(run(run_train, arguments_).code, ExitCode::kUsage);
  arguments_.wish.objective = "auto";
  ASSERT_EQ(run(run_train, arguments_).code, ExitCode::kDone);
  std::ofstream(path("ask.csv")) << "kind\nred\n";
  const PredictArguments asked{arguments_.out, path("ask.csv")};
  EXPECT_THAT(run(run_predict, asked).complaints, HasSubstr("has no column a"));
  EXPECT_THAT(run(run_predict, PredictArguments{path("ask.csv"), path("ask.csv")}).complaints,
              HasSubstr("ask.csv: "));
}

}  // namespace
}  // namespace liminal::app
