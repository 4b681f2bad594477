#include "server/training/report_page.hpp"

#include <gmock/gmock.h>

namespace liminal::training {
namespace {

using testing::HasSubstr;
using testing::Not;

learn::ModelVersion version(std::string report) {
  learn::ModelVersion made;
  made.model = "anomaly_detection";
  made.number = 3;
  made.trainer = "builtin";
  made.job = 12;
  made.created = SteadyTime{std::chrono::seconds{1'800'000'000}};
  made.report = std::move(report);
  return made;
}

TEST(ReportPage, ShowsWhatTheReportSays) {
  const std::string page = report_page(version(R"({
    "data": {"source": "store", "rows": 60000, "notes": ["12 rows without <user>"]},
    "split": {"how": "later rows of other users", "trained_rows": 700, "held_out_rows": 300},
    "held_out": {"roc_auc": 0.98765432, "brier": 0.01},
    "champion": {"roc_auc": 0.9},
    "importance": {"error_rate": 0.2},
    "calibration": [{"rows": 10, "predicted": 0.1, "observed": 0.2}],
    "curves": {"roc": [[0, 0], [0, 1], [1, 1]], "precision_recall": [[0.5, 1], [1, 0.5]]},
    "gate": {"better": true, "reasons": ["AUC 0.9 to 0.988"]},
    "leaderboard": [{"recipe": "boosted trees", "score": 0.99, "fits": 5, "cost_s": 1.5}]
  })"));
  EXPECT_THAT(page, HasSubstr("Training of anomaly_detection, version 3"));
  EXPECT_THAT(page, HasSubstr("Trained by builtin in job 12, published 2027-01-15T08:00:00.000Z"));
  EXPECT_THAT(page, HasSubstr("Better than what it was compared with"));
  EXPECT_THAT(page, HasSubstr("<tr><td>roc auc</td><td class=n>0.98765</td><td class=n>0.9</td>"));
  EXPECT_THAT(page, HasSubstr("On 300 rows that nothing was fitted to or chosen by (later rows"));
  EXPECT_THAT(page, HasSubstr("60000"));
  EXPECT_THAT(page, HasSubstr("12 rows without &lt;user&gt;"));
  for (const char* plot : {"ROC", "Precision and recall", "Calibration", "boosted trees"})
    EXPECT_THAT(page, HasSubstr(plot));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

TEST(ReportPage, ShowsWhatItHasNoPlaceForAsItIs) {
  const std::string page =
      report_page(version(R"({"scenario": {"epochs": 5, "nets": ["VAE", "CNN"]}})"));
  EXPECT_THAT(page, HasSubstr("<h2>scenario</h2>"));
  EXPECT_THAT(page, HasSubstr("<li>epochs: 5</li>"));
  EXPECT_THAT(page, HasSubstr("<li>VAE</li>"));
}

TEST(ReportPage, IsAPageWhateverTheReportIs) {
  for (const char* report : {"",
                             "[]",
                             "no json",
                             R"({"held_out": 3, "gate": [], "data": null})",
                             R"({"curves": {"roc": [[1], 2]}, "leaderboard": [7]})"}) {
    const std::string page = report_page(version(report));
    EXPECT_THAT(page, testing::StartsWith("<!doctype html>")) << report;
    EXPECT_THAT(page, testing::EndsWith("</html>\n")) << report;
  }
}

}  // namespace
}  // namespace liminal::training
