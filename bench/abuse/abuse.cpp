#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/base/hash.hpp"
#include "inject.hpp"
#include "judge.hpp"
#include "model.hpp"
#include "score.hpp"
#include "trace.hpp"

/// Measures how well abuse is found: bench/abuse/README.md has the method.
namespace {

using namespace liminal;
using namespace liminal::bench;

constexpr const char* kUsage = R"(bench_abuse [--data DIR] [--half tuning|reported|both] [--seeds N]
            [--part whole|rules|statistics|all] [--games N] [--mistakes] [--confidence]
            [--fits N] [--false N] [--chatter none|heartbeats|named|all]
            [--write DIR] [--alerts DIR] [--tolerance S]

  --data      folder of chat traces (default ../shared/data/chat)
  --games     number of game runs (default 3; 0: none)
  --fits      trains a model on the chat of the tuning half by so many fits, and judges the reported
              half by it too: alone, and with everything (default 0: no model)
  --false     held-out false alarms of the model per 1,000 user-hours that set its line (default .2)
  --chatter   with what clients say by themselves: heartbeats; and marks that somebody types, named as
              signals, or as contents like any (default none)
  --write     writes the injected traces, for `liminal replay` and for peers
  --alerts    scores alerts from files of that folder, NAME.ndjson.alerts each, instead of judging
  --tolerance seconds by which the clock of those alerts may be wrong (default 0)
)";

struct Arguments {
  std::filesystem::path data = "../shared/data/chat", write, alerts;
  std::string half = "both", part = "all";
  int seeds = 6, games = 3, fits = 0;
  double false_alarms = .2, tolerance_s = 0;
  bool mistakes = false, confidence = false;
  Chatter chatter = Chatter::kNone;
  std::string profile = "chat";
};

/// One trace with abuse in it.
struct Case {
  std::string name;
  Trace trace;
  std::vector<Injection> injections;
};

bool tuning(const std::string& name) { return (hash64(name) & 1) == 0; }

Case chat_case(const std::filesystem::path& file,
               const Trace& original,
               int seed,
               Chatter chatter) {
  constexpr int kPerTrace = 4;
  Case made{fmt::format("{}-{}.ndjson", file.stem().string(), seed), original, {}};
  Random random(hash64(made.name));
  enrich(made.trace, random);
  add_chatter(made.trace, chatter, random);
  const double end = made.trace.back().t;
  std::array<Abuse, kAbuses> kinds{};
  for (std::size_t i = 0; i < kAbuses; ++i) kinds[i] = static_cast<Abuse>(i);
  for (std::size_t i = kAbuses; i > 1; --i) std::swap(kinds[i - 1], kinds[random.below(i)]);
  for (int i = 0; i < kPerTrace; ++i) {
    auto injection = inject(made.trace, kinds[static_cast<std::size_t>(i)], end, random, i);
    if (injection) made.injections.push_back(std::move(*injection));
  }
  sort(made.trace);
  return made;
}

Case game_case(int seed) {
  constexpr int kPlayers = 40;
  constexpr double kSeconds = 2400;
  Case made{fmt::format("game-{}.ndjson", seed), {}, {}};
  Random random(hash64(made.name));
  made.trace = game(kPlayers, kSeconds, random);
  made.injections = inject_game(made.trace, .7 * kSeconds, random);
  sort(made.trace);
  return made;
}

/// Alerts of a peer or of `liminal replay`: the fields t, user or user_id, kind or type, score.
std::vector<AlertLine> read_alerts(const std::filesystem::path& file) {
  std::vector<AlertLine> alerts;
  std::ifstream in(file);
  const auto text = [](const std::string& line, std::string_view key) -> std::string {
    const auto at = line.find(key);
    if (at == std::string::npos) return {};
    const auto begin = at + key.size();
    return line.substr(begin, line.find('"', begin) - begin);
  };
  for (std::string line; std::getline(in, line);) {
    const auto at = line.find("\"t\":");
    if (at == std::string::npos) continue;
    AlertLine alert;
    alert.t = std::strtod(line.c_str() + at + 4, nullptr);
    alert.user = text(line, "\"user_id\":\"") + text(line, "\"user\":\"");
    alert.type = text(line, "\"type\":\"") + text(line, "\"kind\":\"");
    alert.detector = text(line, "\"detector\":\"");
    if (!alert.user.empty()) alerts.push_back(std::move(alert));
  }
  return alerts;
}

detect::Options detect_options(const Arguments& arguments) {
  detect::Options options;
  options.profile = detect::profile_by_name(arguments.profile).value_or(detect::Profile::kChat);
  return options;
}

/// What a model adds: alone, and beside everything else.
void run_model(const std::string& title,
               const std::vector<Case>& cases,
               const Arguments& arguments,
               const std::shared_ptr<const engine::Champion>& model) {
  const detect::Options options = detect_options(arguments);
  Score alone, together;
  for (const Case& each : cases) {
    std::vector<AlertLine> alerts = judge_by_model(each.trace, options, model);
    alone.mistakes.push_back(each.name);
    alone.add(each.trace, each.injections, alerts);
    for (AlertLine& alert : judge(each.trace, options, Part::kWhole))
      alerts.push_back(std::move(alert));
    together.add(each.trace, each.injections, alerts);
  }
  fmt::print("{} / model: {}\n{}", title, alone.line(), alone.table());
  if (arguments.mistakes)
    for (const std::string& mistake : alone.mistakes) fmt::print("    {}\n", mistake);
  fmt::print("{} / whole with model: {}\n{}", title, together.line(), together.table());
  std::fflush(stdout);
}

Lesson learn_from(const std::vector<Case>& cases, const Arguments& arguments) {
  Lessons lessons;
  for (const Case& each : cases)
    lessons.add(each.trace,
                each.injections,
                detect_options(arguments),
                hash64(each.name.substr(0, each.name.rfind('-'))));
  Lesson lesson =
      train(lessons, static_cast<std::uint32_t>(arguments.fits), arguments.false_alarms);
  fmt::print("model of the tuning half: {}", lesson.words);
  std::fflush(stdout);
  return lesson;
}

void run(const std::string& title, const std::vector<Case>& cases, const Arguments& arguments) {
  if (!arguments.write.empty()) {
    for (const Case& each : cases) write_trace(arguments.write / each.name, each.trace);
    return;
  }
  struct Variant {
    const char* name;
    Part part;
  };
  for (const Variant variant : {Variant{"whole", Part::kWhole},
                                Variant{"rules", Part::kRules},
                                Variant{"statistics", Part::kStatistics}}) {
    if (arguments.part != "all" && arguments.part != variant.name) continue;
    Score score(arguments.tolerance_s);
    const detect::Options options = detect_options(arguments);
    for (const Case& each : cases) {
      score.mistakes.push_back(each.name);
      score.add(each.trace,
                each.injections,
                arguments.alerts.empty() ? judge(each.trace, options, variant.part)
                                         : read_alerts(arguments.alerts / (each.name + ".alerts")));
    }
    fmt::print("{} / {}: {}\n", title, variant.name, score.line());
    if (variant.part != Part::kRules) fmt::print("{}", score.table());
    if (arguments.mistakes)
      for (const std::string& mistake : score.mistakes) fmt::print("    {}\n", mistake);
    if (arguments.confidence) fmt::print("{}", score.confidence());
    std::fflush(stdout);
    if (!arguments.alerts.empty()) break;
  }
}

bool parse(int count, char** values, Arguments& to) {
  for (int i = 1; i < count; ++i) {
    const std::string flag = values[i];
    if (flag == "--mistakes") {
      to.mistakes = true;
      continue;
    }
    if (flag == "--confidence") {
      to.confidence = true;
      continue;
    }
    if (i + 1 == count) return false;
    const std::string value = values[++i];
    if (flag == "--chatter") {
      constexpr std::array<std::string_view, 4> kNames{"none", "heartbeats", "named", "all"};
      const auto found = std::find(kNames.begin(), kNames.end(), value);
      if (found == kNames.end()) return false;
      to.chatter = static_cast<Chatter>(found - kNames.begin());
    } else if (flag == "--data")
      to.data = value;
    else if (flag == "--half")
      to.half = value;
    else if (flag == "--part")
      to.part = value;
    else if (flag == "--seeds")
      to.seeds = std::atoi(value.c_str());
    else if (flag == "--games")
      to.games = std::atoi(value.c_str());
    else if (flag == "--fits")
      to.fits = std::atoi(value.c_str());
    else if (flag == "--false")
      to.false_alarms = std::atof(value.c_str());
    else if (flag == "--write")
      to.write = value;
    else if (flag == "--alerts")
      to.alerts = value;
    else if (flag == "--tolerance")
      to.tolerance_s = std::atof(value.c_str());
    else if (flag == "--profile")
      to.profile = value;
    else
      return false;
  }
  return true;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  if (!parse(count, values, arguments)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  if (!std::filesystem::is_directory(arguments.data)) {
    fmt::print("{} is not there: chat is skipped\n", arguments.data.string());
  } else {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(arguments.data))
      if (entry.path().extension() == ".ndjson") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::shared_ptr<const engine::Champion> model;
    for (const std::string half : {"tuning", "reported"}) {
      const bool wanted = arguments.half == "both" || arguments.half == half;
      const bool teaches = arguments.fits > 0 && half == "tuning";
      if (!wanted && !teaches) continue;
      std::vector<Case> cases;
      for (const auto& file : files) {
        if (tuning(file.stem().string()) != (half == "tuning")) continue;
        const auto trace = read_trace(file);
        if (!trace) {
          fmt::print(stderr, "{}: not a trace\n", file.string());
          return 1;
        }
        for (int seed = 0; seed < arguments.seeds; ++seed)
          cases.push_back(chat_case(file, *trace, seed, arguments.chatter));
      }
      if (teaches) model = learn_from(cases, arguments).champion;
      if (wanted) run("chat, " + half + " half", cases, arguments);
      if (wanted && model != nullptr && half == "reported")
        run_model("chat, " + half + " half", cases, arguments, model);
    }
  }
  if (arguments.games > 0) {
    // Odd runs are for tuning.
    for (const std::string half : {"tuning", "reported"}) {
      if (arguments.half != "both" && arguments.half != half) continue;
      std::vector<Case> cases;
      for (int i = 0; i < arguments.games; ++i)
        cases.push_back(game_case(2 * i + (half == "tuning" ? 1 : 0)));
      run("games, " + half + " runs", cases, arguments);
    }
  }
  return 0;
}
