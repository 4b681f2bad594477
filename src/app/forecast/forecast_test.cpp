#include "app/forecast/forecast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace liminal::app {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A folder of files that is gone afterwards.
class ForecastCommand : public ::testing::Test {
 protected:
  ForecastCommand() {
    std::string folder = ::testing::TempDir() + "forecastXXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~ForecastCommand() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& text) {
    const std::string path = (folder_ / "in.csv").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  struct Output {
    ExitCode code;
    std::string out, complaints;
  };
  static Output run(const ForecastArguments& arguments) {
    char *out = nullptr, *complaints = nullptr;
    std::size_t out_size = 0, complaints_size = 0;
    std::FILE* out_file = open_memstream(&out, &out_size);
    std::FILE* complaints_file = open_memstream(&complaints, &complaints_size);
    Output output{run_forecast(arguments, out_file, complaints_file), {}, {}};
    std::fclose(out_file);
    std::fclose(complaints_file);
    output.out.assign(out, out_size);
    output.complaints.assign(complaints, complaints_size);
    std::free(out);
    std::free(complaints);
    return output;
  }

  static ForecastArguments steps(const std::string& file, std::uint32_t horizon) {
    ForecastArguments arguments;
    arguments.file = file;
    arguments.horizon = horizon;
    return arguments;
  }

  std::filesystem::path folder_;
};

/// Days of four values.
std::string days(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "10\n20\n40\n20\n";
  return text;
}

TEST_F(ForecastCommand, WritesALineAStep) {
  const Output output = run(steps(file("load\n" + days(20)), 4));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  EXPECT_THAT(output.out, StartsWith("step,mean,q0.1,q0.5,q0.9,member,weight,error\n1,"));
  std::istringstream lines(output.out);
  std::string line;
  std::getline(lines, line);
  for (const double expected : {10, 20, 40, 20}) {
    std::getline(lines, line);
    EXPECT_NEAR(std::stod(line.substr(line.find(',') + 1)), expected, .5) << line;
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(ForecastCommand, WritesALineASeriesAndStepForRowsOfSeries) {
  const Output output = run(steps(
      file(
          "\"V1\",\"V2\",\"V3\",a,b,c,d,e,f,g\nH1,1,2,3,4,5,6,7,8,9\n\"H,2\",5,5,5,NA,5,5,5,5,5\n"),
      1));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  EXPECT_THAT(output.out, StartsWith("series,step,mean,q0.1,q0.5,q0.9,member,weight,error\nH1,1,"));
  EXPECT_THAT(output.out, HasSubstr("\n\"H,2\",1,5,5,5,5,"));
}

TEST_F(ForecastCommand, FillsGapsBetweenTimesAndContinuesThem) {
  std::string text = "when,load\n";
  for (int minute = 0; minute < 60; ++minute) {
    if (minute % 9 != 4)
      text +=
          "2026-01-01 00:" + std::to_string(minute / 10) + std::to_string(minute % 10) + ":00,7\n";
  }
  ForecastArguments arguments = steps(file(text), 2);
  arguments.time = "when";
  const Output output = run(arguments);
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  EXPECT_THAT(output.out, StartsWith("step,mean,q0.1,q0.5,q0.9,time,member,weight,error\n"));
  EXPECT_THAT(output.out, HasSubstr("\n1,7,7,7,7,2026-01-01T01:00:00.000Z,"));
  EXPECT_THAT(output.out, HasSubstr("\n2,7,7,7,7,2026-01-01T01:01:00.000Z,"));
}

TEST_F(ForecastCommand, FindsAColumnOfSecondsByItsName) {
  std::string text = "Time,load\n";
  for (int minute = 0; minute < 60; ++minute) {
    if (minute % 9 != 4) text += std::to_string(60 * minute) + ",7\n";
  }
  const Output output = run(steps(file(text), 1));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  EXPECT_THAT(output.out, HasSubstr("\n1,7,7,7,7,"));
}

TEST_F(ForecastCommand, ReadsLinesOfJsonAsItReadsATable) {
  std::string csv = "time,host,load\n", json;
  for (int minute = 0; minute < 60; ++minute) {
    if (minute % 9 == 4) continue;
    const std::string at = std::to_string(60 * minute), value = std::to_string(minute % 5);
    csv += at + ",web," + value + "\n";
    json += R"({"time":)" + at + R"(,"host":"web","load":)" + value + "}\n";
  }
  const Output output = run(steps(file(json), 5));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  ForecastArguments of_csv = steps(file(csv), 5);
  of_csv.column = "load";
  EXPECT_EQ(output.out, run(of_csv).out);
  const Output wrong = run(steps(file("{\"load\":1}\n{\"load\":\"x\"}\n"), 1));
  EXPECT_THAT(wrong.complaints, HasSubstr("in.csv:2: column load is no number"));
}

TEST_F(ForecastCommand, NamesTheMemberThatSpokeInEachHalfAndHowItDid) {
  std::string text = "load\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(100 + 40 * (i % 4) + (i * i) % 7) + "\n";
  const Output output = run(steps(file(text), 8));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  std::istringstream lines(output.out);
  std::string line;
  std::getline(lines, line);
  std::vector<std::string> spoke;
  while (std::getline(lines, line)) {
    std::size_t field = 0;
    for (int i = 0; i < 5; ++i) field = line.find(',', field) + 1;
    spoke.push_back(line.substr(field));
  }
  ASSERT_EQ(spoke.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(spoke[i], spoke[i / 4 * 4]);
    char member[32] = "";
    double weight = 0, error = 0;
    ASSERT_EQ(std::sscanf(spoke[i].c_str(), "%31[a-z_],%lf,%lf", member, &weight, &error), 3)
        << spoke[i];
    EXPECT_GE(weight, 1. / 9);  // no less than the mean of nine
    EXPECT_GT(error, 0);
    EXPECT_LT(error, .1);
  }
}

TEST_F(ForecastCommand, LeavesTheErrorEmptyWhereNothingCouldBeTested) {
  std::string text = "1\n2\n3\n4\n5\n6\n7\n8\n";
  for (int i = 0; i < 100; ++i) text += "NA\n";
  const Output output = run(steps(file(text), 1));
  EXPECT_EQ(output.code, ExitCode::kDone) << output.complaints;
  EXPECT_THAT(output.out, ::testing::EndsWith(",\n"));
}

TEST_F(ForecastCommand, NamesFileLineAndColumnOfWhatIsWrong) {
  const auto complaint =
      [&](const std::string& text, const std::string& column = "", const std::string& time = "") {
        ForecastArguments arguments = steps(file(text), 3);
        arguments.column = column;
        arguments.time = time;
        const Output output = run(arguments);
        EXPECT_EQ(output.code, ExitCode::kFailed);
        return output.complaints.substr(output.complaints.find("in.csv") + 6);
      };
  EXPECT_EQ(complaint(""), ": is empty\n");
  EXPECT_EQ(complaint("load\n"), ": has a header and no rows\n");
  EXPECT_EQ(complaint("load\n1\nx\n"), ":3: column load is no number\n");
  EXPECT_EQ(complaint("load\n1e999\n"), ":2: column load is larger than a number can be\n");
  EXPECT_EQ(complaint("load\n1e301\n"), ":2: column load is larger than 1e300\n");
  EXPECT_EQ(complaint("a,b\n1,2\n"), ": has several columns; choose one with --column: a, b\n");
  EXPECT_EQ(complaint("a,b\n1,2\n", "c"), ": has no column c, but a, b\n");
  EXPECT_EQ(complaint("a,b\n1,2\n3\n", "a"), ":3: has fewer fields than the first line\n");
  EXPECT_EQ(complaint("load\n1\n2\nNA\n"), ": load has 2 values, 8 are needed\n");
  EXPECT_EQ(complaint("t,b\n2,2\n1,2\n", "b", "t"),
            ":3: column t is not after the time before it\n");
  EXPECT_EQ(complaint("t,b\n2,2\nx,2\n", "b", "t"),
            ":3: column t is no time: RFC 3339 or seconds since the epoch\n");
}

TEST_F(ForecastCommand, RefusesAWrongCommandLine) {
  const auto code = [&](auto change) {
    ForecastArguments arguments = steps(file(days(20)), 4);
    change(arguments);
    return run(arguments).code;
  };
  EXPECT_EQ(code([](auto& a) { a.horizon = 0; }), ExitCode::kUsage);
  EXPECT_EQ(code([](auto& a) { a.quantiles = {1.5}; }), ExitCode::kUsage);
  EXPECT_EQ(code([](auto& a) { a.seasons = {1}; }), ExitCode::kUsage);
  EXPECT_EQ(code([](auto& a) { a.seasons = {2, 3, 4}; }), ExitCode::kUsage);
  EXPECT_EQ(code([](auto& a) { a.seasons = {24, 168}; }), ExitCode::kDone);
  EXPECT_EQ(code([](auto& a) { a.seasons = {0}; }), ExitCode::kDone);
}

TEST_F(ForecastCommand, DrawsAndExplains) {
  ForecastArguments arguments = steps(file("load\n" + days(20)), 4);
  arguments.plot = (folder_ / "plot.svg").string();
  arguments.explain = true;
  const Output output = run(arguments);
  EXPECT_EQ(output.code, ExitCode::kDone);
  EXPECT_THAT(output.complaints, HasSubstr("a season of 4 points"));
  EXPECT_THAT(output.complaints, HasSubstr("lags_log"));
  std::ifstream plot(arguments.plot);
  std::stringstream svg;
  svg << plot.rdbuf();
  EXPECT_THAT(svg.str(), HasSubstr(">Forecast of load<"));
  EXPECT_THAT(svg.str(), HasSubstr(">80 % interval<"));
  arguments.plot = "/nowhere/plot.svg";
  EXPECT_EQ(run(arguments).code, ExitCode::kFailed);
}

}  // namespace
}  // namespace liminal::app
