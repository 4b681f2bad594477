#include "app/configuration/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace liminal::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(PrintedConfiguration, IsAFileThatGivesTheSameConfigurationAgain) {
  const Loaded first =
      load({.file_name = "a.toml",
            .file_text = "mode = 'enforce'\nupstreams = ['ws://a:1', 'unix:/b\"']\n"
                         "[alerts]\ncalm = '90 s'\n"
                         "[[detect.rules]]\ntype = 'message_flood'\nthreshold = 250\n"
                         "[[detect.rules]]\ntype = 'error_spike'\nremove = true\n",
            .environment = {},
            .flags = {}});
  ASSERT_THAT(first.problems, IsEmpty());
  const std::string printed = print(first);
  const Loaded second =
      load({.file_name = "b.toml", .file_text = printed, .environment = {}, .flags = {}});
  ASSERT_THAT(second.problems, IsEmpty()) << text(second.problems[0]);
  EXPECT_EQ(second.configuration.upstreams, first.configuration.upstreams);
  EXPECT_EQ(second.configuration.alerts.calm, std::chrono::seconds{90});
  EXPECT_EQ(second.configuration.detect.rules.size(), detect::default_rules().size() - 1);
  EXPECT_EQ(second.configuration.detect.rules[0].threshold, 250);
  EXPECT_EQ(second.configuration.detect.rules[0].mode, traffic::Mode::kEnforce);
  EXPECT_THAT(printed, HasSubstr("calm = \"90 s\"  # a.toml:4\n"));
}

/// Values alone: each line without what says where it comes from.
std::string values(const Loaded& loaded) {
  EXPECT_THAT(loaded.problems, IsEmpty());
  std::istringstream lines(print(loaded));
  std::string out;
  for (std::string line; std::getline(lines, line);)
    out += line.substr(0, line.find("  # ")) + '\n';
  return out;
}

Loaded load_with_mode(std::string file, const std::string& mode) {
  return load({.file_name = "a.toml",
               .file_text = std::move(file),
               .environment = {},
               .flags = {{"mode", mode, "--mode"}}});
}

TEST(PrintedConfiguration, StillFollowsTheGeneralModeWhenThatBecomesAnother) {
  const std::string own =
      "[limits]\nuser.bytes.mode = 'observe'\n[detect.ring]\nmode = 'shadow'\n"
      "[[detect.rules]]\ntype = 'error_spike'\nmode = 'shadow'\n";
  for (const std::string& file : {std::string(), own}) {
    const std::string printed = print(load_with_mode(file, "shadow"));
    const Loaded enforced = load_with_mode(printed, "enforce");
    EXPECT_EQ(values(enforced), values(load_with_mode(file, "enforce")));
    EXPECT_EQ(values(enforced), values(load_with_mode(print(enforced), "enforce")));
  }
  const std::string printed = print(load_with_mode(own, "shadow"));
  EXPECT_THAT(printed, HasSubstr("\nmode = \"shadow\"  # a.toml:4\n")) << "a mode of its own";
  const Loaded enforced = load_with_mode(printed, "enforce");
  EXPECT_EQ(enforced.configuration.limits.mode, traffic::Mode::kEnforce);
  EXPECT_EQ(enforced.configuration.detect.ring.mode, traffic::Mode::kShadow);
  for (const detect::RuleOptions& rule : enforced.configuration.detect.rules)
    EXPECT_EQ(rule.mode,
              rule.type == traffic::FindingType::kErrorSpike ? traffic::Mode::kShadow
                                                             : traffic::Mode::kEnforce)
        << traffic::info(rule.type).name;
}

TEST(PrintedConfiguration, ShowsNoSecret) {
  const Loaded loaded = load({.file_name = "a.toml",
                              .file_text = "[api]\ntoken = 'hunter2'\n",
                              .environment = {},
                              .flags = {}});
  EXPECT_THAT(print(loaded), Not(HasSubstr("hunter2")));
  EXPECT_THAT(print(loaded), HasSubstr("# token is set, and not shown  # a.toml:2\n"));
}

std::string documentation(const std::string& name) {
  std::ifstream file(LIMINAL_SOURCE "/docs/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Reference, IsTheOneInTheDocumentation) {
  EXPECT_EQ(documentation("configuration.md"), reference())
      << "write it again: liminal print-config --reference > docs/configuration.md";
}

TEST(Detections, OfTheDocumentationAreTheProgramsOwn) {
  const std::string written = documentation("detections.md");
  for (const traffic::FindingInfo& finding : traffic::finding_table()) {
    EXPECT_THAT(written,
                HasSubstr(fmt::format("| `{}` | {} | {} | {} |",
                                      finding.name,
                                      traffic::name(finding.severity),
                                      traffic::name(finding.action),
                                      finding.meaning)));
  }
}

}  // namespace
}  // namespace liminal::app
