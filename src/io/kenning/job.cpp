#include "io/kenning/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "io/kenning/process_group.hpp"

namespace liminal::kenning {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{20};
constexpr std::string_view kOutputFile = "kenning.log";
constexpr std::size_t kLastBytes = 600;

tl::unexpected<Failure> fail(Failure::Kind kind, std::string text) {
  return tl::unexpected(Failure{kind, std::move(text)});
}

std::string joined(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems)
    text += (text.empty() ? "" : "; ") + problem.key + " " + problem.text;
  return text;
}

bool write(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return static_cast<bool>(file);
}

std::optional<std::string> read(const fs::path& path, std::size_t bytes_max) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > bytes_max || error)
    return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in || bytes.size() > bytes_max) return std::nullopt;
  return bytes;
}

/// The last of what was printed, on one line.
std::string last_words(const fs::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return "";
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg()));
  in.seekg(static_cast<std::streamoff>(size - std::min(size, kLastBytes)));
  std::string words;
  for (const char c : std::string{std::istreambuf_iterator<char>(in), {}}) {
    const bool blank = c <= ' ' || c > '~';
    if (!blank) {
      words += c;
    } else if (!words.empty() && words.back() != ' ') {
      words += ' ';
    }
  }
  return words;
}

bool prepare_folder(const fs::path& folder, const Series& series, const Scenario& scenario) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error || !fs::create_directories(folder, error)) return false;
  fs::permissions(folder, fs::perms::owner_all, error);
  return !error && write(folder / kRowsFile, csv_of(series)) &&
         write(folder / kPlatformsFile, "{}\n") && write(folder / kScenarioFile, yaml_of(scenario));
}

/// How the program's time ended.
struct Ended {
  int exit_code = 0;
  bool cancelled = false, out_of_time = false, too_loud = false;
};

Ended wait_for_end(ProcessGroup& group, const JobOptions& options, const Watch& watch) {
  const auto limit = std::chrono::duration<double>(std::chrono::minutes(options.scenario.minutes));
  const auto begun = options.now();
  const fs::path output = fs::path(options.folder) / kOutputFile;
  Ended ended;
  while (!group.ended()) {
    const auto passed = std::chrono::duration<double>(options.now() - begun);
    std::error_code error;
    const std::uintmax_t printed = fs::file_size(output, error);
    ended.too_loud = !error && printed > kOutputBytesMax;
    ended.out_of_time = passed > limit + options.beyond;
    ended.cancelled = watch.cancelled();
    if (ended.too_loud || ended.out_of_time || ended.cancelled) break;
    watch.tell(std::min(1., passed / limit));
    std::this_thread::sleep_for(kLook);
  }
  // Even when it ended by itself: a server of its log may be left.
  ended.exit_code = group.end(options.patience);
  return ended;
}

Found collect(const fs::path& results, const Scenario& scenario) {
  Found found;
  for (std::uint32_t number = 0; number < scenario.models_max; ++number) {
    auto bytes = read(results / model_file(number), kModelBytesMax);
    if (bytes && !bytes->empty()) found.candidates.push_back({number, std::move(*bytes)});
  }
  if (const auto text = read(results / kStatisticsFile, kStatisticsBytesMax)) {
    if (auto statistics = read_statistics(*text)) found.statistics = std::move(*statistics);
  }
  return found;
}

std::string why_nothing(const Found& found, const Ended& ended, const fs::path& output) {
  std::string text = "Kenning found no model";
  if (ended.out_of_time) {
    text += " and did not end in time";
  } else if (ended.too_loud) {
    text += " and printed without end";
  } else if (ended.exit_code < 0) {
    text += fmt::format(" and was ended by signal {}", -ended.exit_code);
  } else {
    text += fmt::format(", exit code {}", ended.exit_code);
  }
  if (found.statistics)
    text += fmt::format("; of {} that it tried {} were trained, {} crashed and {} ran out of time",
                        found.statistics->generated,
                        found.statistics->successful,
                        found.statistics->crashed,
                        found.statistics->timed_out);
  if (const std::string words = last_words(output); !words.empty())
    text += "; its last words: " + words;
  return text;
}

}  // namespace

tl::expected<Found, Failure> run(const Series& series,
                                 const JobOptions& options,
                                 const Watch& watch) {
  if (const Problems problems = validate(options.scenario); !problems.empty())
    return fail(Failure::Kind::kScenario, joined(problems));
  if (const Problems problems = validate(series); !problems.empty())
    return fail(Failure::Kind::kRows, joined(problems));
  const auto program = find_program(options.program);
  if (!program)
    return fail(Failure::Kind::kAbsent, "there is no program \"" + options.program + "\"");
  const fs::path folder = options.folder;
  end_left_behind(options.folder);
  if (!prepare_folder(folder, series, options.scenario))
    return fail(Failure::Kind::kFolder, "the folder " + options.folder + " cannot be written");
  if (watch.cancelled()) return fail(Failure::Kind::kCancelled, "cancelled");
  // The program's folder becomes the job's: what was found by a relative path would be lost.
  auto group = ProcessGroup::begin({fs::absolute(*program).string(),
                                    "automl",
                                    "optimize",
                                    "--cfg",
                                    std::string(kScenarioFile),
                                    "--allow-failures"},
                                   options.folder,
                                   std::string(kOutputFile));
  if (!group) return fail(Failure::Kind::kAbsent, group.error());
  const Ended ended = wait_for_end(*group, options, watch);
  end_left_behind(options.folder);
  if (ended.cancelled) return fail(Failure::Kind::kCancelled, "cancelled");
  Found found = collect(folder / kResultsFolder, options.scenario);
  if (found.candidates.empty())
    return fail(Failure::Kind::kNothing, why_nothing(found, ended, folder / kOutputFile));
  found.exit_code = ended.exit_code;
  found.out_of_time = ended.out_of_time;
  return found;
}

}  // namespace liminal::kenning
