#include <fmt/format.h>

#include "app/configuration/choices.hpp"
#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"

namespace liminal::app {
namespace {

using C = Configuration;
using Settings = std::vector<Setting>;

constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats{"text", "json"};

void add_general(Settings& all) {
  all.push_back({.key = "listen",
                 .slot = [](C& c) -> Slot { return &c.listen; },
                 .help = "Where WebSocket clients connect: HOST:PORT. Port 0 picks a free one.",
                 .change = Change::kRestart,
                 .flag = "--listen",
                 .placeholder = "HOST:PORT"});
  all.push_back({.key = "upstreams",
                 .slot = [](C& c) -> Slot { return &c.upstreams; },
                 .help =
                     "The servers behind the gateway: ws://HOST:PORT, "
                     "wss://HOST:PORT or unix:/PATH. Without one the built-in channel hub answers.",
                 .flag = "--upstream",
                 .placeholder = "URL"});
  all.push_back({.key = "data",
                 .slot = [](C& c) -> Slot { return &c.data; },
                 .help = "The folder of everything that survives a restart. It is made when it "
                         "is missing.",
                 .change = Change::kRestart,
                 .flag = "--data",
                 .placeholder = "DIR"});
  all.push_back({.key = "mode",
                 .slot = [](C& c) -> Slot { return choice(c.mode, kModes); },
                 .help = "How far every rule, statistic and policy without a mode of its own is "
                         "trusted: observe counts, shadow also says what it would have done, "
                         "enforce does it.",
                 .flag = "--mode",
                 .placeholder = "MODE"});
  all.push_back({.key = "shards",
                 .slot = [](C& c) -> Slot { return &c.shards; },
                 .help = "Threads that share the 64 shards of users; 0 is one a CPU. The answers "
                         "do not depend on it.",
                 .low = 0,
                 .high = 64,
                 .change = Change::kRestart,
                 .flag = "--shards",
                 .placeholder = "N"});
  all.push_back({.key = "time_scale",
                 .slot = [](C& c) -> Slot { return &c.time_scale; },
                 .help = "How many times as fast as life the engine's time runs: for "
                         "demonstrations and tests.",
                 .low = 0.001,
                 .high = 100'000,
                 .change = Change::kRestart,
                 .flag = "--time-scale",
                 .placeholder = "N"});
}

void add_api(Settings& all) {
  all.push_back({.key = "api.address",
                 .slot = [](C& c) -> Slot { return &c.api.address; },
                 .help = "Where the HTTP API listens: HOST:PORT. Port 0 picks a free one. Anywhere "
                         "but on the loopback address it needs a token.",
                 .change = Change::kRestart,
                 .flag = "--api",
                 .placeholder = "HOST:PORT"});
  all.push_back({.key = "api.token",
                 .slot = [](C& c) -> Slot { return &c.api.token; },
                 .help = "The bearer token that calls which change something must carry, and "
                         "every call from elsewhere than this machine.",
                 .secret = true});
  all.push_back({.key = "api.token_file",
                 .slot = [](C& c) -> Slot { return &c.api.token_file; },
                 .help = "A file whose first line is the token, instead of `api.token`."});
  all.push_back({.key = "api.hosts",
                 .slot = [](C& c) -> Slot { return &c.api.hosts; },
                 .help =
                     "Names by which this machine's clients call the API, without a port. A "
                     "request without the token that is addressed (Host) to any other name than "
                     "these, localhost or an address is refused: a page of a stranger, shown "
                     "by a browser on this machine, could have pointed its own name here and "
                     "read what the API tells.",
                 .change = Change::kRestart});
  all.push_back({.key = "api.trust_proxy",
                 .slot = [](C& c) -> Slot { return &c.api.trust_proxy; },
                 .help = "What a proxy on this machine passes on (X-Forwarded-For, Forwarded, "
                         "X-Real-IP or Via say so) counts as asked on this machine, where reading "
                         "needs no token: for a proxy that lets in nobody else.",
                 .change = Change::kRestart});
  all.push_back({.key = "api.requests_per_second",
                 .slot = [](C& c) -> Slot { return &c.api.requests_per_second; },
                 .help = "Requests of one client address a second, as a lasting rate; 0: no limit.",
                 .low = 0,
                 .high = 1e9,
                 .change = Change::kRestart});
  all.push_back({.key = "api.requests_burst",
                 .slot = [](C& c) -> Slot { return &c.api.requests_burst; },
                 .help = "Requests of one client address that may come at once after a pause.",
                 .low = 1,
                 .high = 4e9,
                 .change = Change::kRestart});
}

void add_outside(Settings& all) {
  all.push_back({.key = "cluster.engine",
                 .slot = [](C& c) -> Slot { return &c.cluster.engine; },
                 .help =
                     "Where models are trained beside here: local, or ray=http://HOST:PORT (or "
                     "https) of the application on a Ray cluster. Feature rows, metric streams, "
                     "alerts and feedback are sent there, its champions and feedback taken over, "
                     "and trainings by ray carried out there; messages are decided here, whatever "
                     "the cluster does (docs/scale.md).",
                 .change = Change::kRestart,
                 .flag = "--engine",
                 .placeholder = "ENGINE"});
  all.push_back({.key = "cluster.token",
                 .slot = [](C& c) -> Slot { return &c.cluster.token; },
                 .help = "The bearer token of the cluster's API.",
                 .change = Change::kRestart,
                 .secret = true});
  all.push_back({.key = "cluster.name",
                 .slot = [](C& c) -> Slot { return &c.cluster.name; },
                 .help = "How this gateway is called there: its sources of metrics begin with it. "
                         "Another one for each gateway.",
                 .change = Change::kRestart});
  all.push_back({.key = "cluster.limits",
                 .slot = [](C& c) -> Slot { return &c.cluster.limits; },
                 .help =
                     "Whether limits that are set on the cluster, its policies and overrides, hold "
                     "here too whenever they become others there. The mode stays this "
                     "gateway's (docs/scale.md).",
                 .change = Change::kRestart});
  all.push_back({.key = "webhook.url",
                 .slot = [](C& c) -> Slot { return &c.webhook.url; },
                 .help = "Where alerts are posted to; empty: nowhere.",
                 .change = Change::kRestart});
  all.push_back({.key = "webhook.secret",
                 .slot = [](C& c) -> Slot { return &c.webhook.secret; },
                 .help = "Signs what is posted.",
                 .change = Change::kRestart,
                 .secret = true});
  all.push_back({.key = "webhook.min_severity",
                 .slot = [](C& c) -> Slot { return choice(c.webhook.min_severity, kSeverities); },
                 .help = "The mildest alert that is posted.",
                 .change = Change::kRestart});
  all.push_back({.key = "log.level",
                 .slot = [](C& c) -> Slot { return choice(c.log.level, kLogLevels); },
                 .help = "The mildest line that is written."});
  all.push_back({.key = "log.format",
                 .slot = [](C& c) -> Slot { return choice(c.log.format, kLogFormats); },
                 .help = "text is key=value, json is an object a line."});
}

void add_models(Settings& all) {
  all.push_back({.key = "models.folder",
                 .slot = [](C& c) -> Slot { return &c.models.folder; },
                 .help = "The folder of CSV and NDJSON files that models may be trained from; "
                         "empty: \"training\" in the data directory.",
                 .change = Change::kRestart});
  all.push_back({.key = "models.definitions",
                 .slot = [](C& c) -> Slot { return &c.models.definitions; },
                 .help = "Models beside the first three, one a text: "
                         "\"NAME TASK TARGET FEATURE,FEATURE\". TASK is classification, "
                         "regression, clustering or anomaly; the last two have the target -.",
                 .change = Change::kRestart});
  all.push_back({.key = "models.workers",
                 .slot = [](C& c) -> Slot { return &c.models.workers; },
                 .help = "Threads that train at a time, of low priority.",
                 .low = 1,
                 .high = 64,
                 .change = Change::kRestart});
  all.push_back({.key = "models.onnxruntime",
                 .slot = [](C& c) -> Slot { return &c.models.onnxruntime; },
                 .help =
                     "The file of ONNX Runtime (1.17 or later), which computes models of others; "
                     "empty: beside the program, then where the system's linker looks.",
                 .change = Change::kRestart});
  all.push_back({.key = "models.provider",
                 .slot = [](C& c) -> Slot {
                   return choice_of<onnxruntime::Provider, 3>(c.models.provider,
                                                              &onnxruntime::name);
                 },
                 .help = "What ONNX Runtime computes with; the library must offer it.",
                 .change = Change::kRestart});
  all.push_back({.key = "models.threads",
                 .slot = [](C& c) -> Slot { return &c.models.threads; },
                 .help = "Threads of ONNX Runtime that compute one call of a model; each version "
                         "has its own, and they sleep between calls.",
                 .low = 1,
                 .high = 64,
                 .change = Change::kRestart});
  all.push_back({.key = "models.row_budget",
                 .slot = [](C& c) -> Slot { return &c.models.row_budget; },
                 .help = "What a model may take for one row that becomes champion by itself where "
                         "it is asked for messages; the search prefers what takes less.",
                 .low = 1e-7,
                 .high = 1,
                 .change = Change::kRestart});
  all.push_back({.key = "models.memory_max",
                 .slot = [](C& c) -> Slot { return &c.models.memory_max; },
                 .help = "The memory that such a model may take.",
                 .low = 1024,
                 .high = 1 << 30,
                 .unit = Unit::kBytes,
                 .change = Change::kRestart});
  all.push_back({.key = "models.rows_bytes_max",
                 .slot = [](C& c) -> Slot { return &c.models.rows_bytes_max; },
                 .help = "The largest table that is read from a file to train from: rows × "
                         "features × 4 bytes. A training takes some six times as much.",
                 .low = 1 << 20,
                 .high = 1LL << 36,
                 .unit = Unit::kBytes,
                 .change = Change::kRestart});
  all.push_back({.key = "models.versions_kept",
                 .slot = [](C& c) -> Slot { return &c.models.versions_kept; },
                 .help = "How many of the newest versions of a model are kept. Beyond them stay "
                         "champion and challenger, what was last champion, whom these and the kept "
                         "ones were measured against, and versions of experiments.",
                 .low = 2,
                 .high = 100'000,
                 .change = Change::kRestart});
  all.push_back({.key = "models.kenning",
                 .slot = [](C& c) -> Slot { return &c.models.kenning; },
                 .help =
                     "Kenning's program, for the trainer of that name: a path, or a name in PATH. "
                     "Empty: there is none.",
                 .change = Change::kRestart});
}

/// Upper bound of every time of it.
constexpr double kYear_s = 366 * 86'400.;

void add_learning_times(Settings& all) {
  all.push_back({.key = "learning.every",
                 .slot = [](C& c) -> Slot { return &c.learning.when.every; },
                 .help = "How long after its last training a model is trained anew; 0: never by "
                         "the clock.",
                 .low = 0,
                 .high = kYear_s});
  all.push_back({.key = "learning.daily_at",
                 .slot = [](C& c) -> Slot { return &c.learning.daily_at; },
                 .help = "Instead of `learning.every`: the time of the day, HH:MM in UTC."});
  all.push_back({.key = "learning.rest",
                 .slot = [](C& c) -> Slot { return &c.learning.when.rest; },
                 .help = "The shortest time between a training and one for another reason than "
                         "the clock. It doubles with each such training that brings no new "
                         "champion, up to `learning.retry_max`.",
                 .low = 0,
                 .high = kYear_s});
  all.push_back({.key = "learning.retry",
                 .slot = [](C& c) -> Slot { return &c.learning.when.retry; },
                 .help = "How long after a training that failed or was refused it is tried again. "
                         "It doubles with each failure, up to `learning.retry_max`.",
                 .low = 1,
                 .high = kYear_s});
  all.push_back({.key = "learning.retry_max",
                 .slot = [](C& c) -> Slot { return &c.learning.when.retry_max; },
                 .help = "The longest that `learning.rest` and `learning.retry` become.",
                 .low = 1,
                 .high = kYear_s});
  all.push_back({.key = "learning.budget",
                 .slot = [](C& c) -> Slot { return &c.learning.budget; },
                 .help = "The time that a training may take that begins by itself.",
                 .low = 1,
                 .high = 6 * 3600});
}

void add_learning(Settings& all) {
  all.push_back({.key = "learning.mode",
                 .slot = [](C& c) -> Slot { return mode_or_inherited(c.learning.mode); },
                 .help = "Whether models are trained anew by themselves: observe says when they "
                         "would be, shadow trains challengers, enforce lets the gate make a better "
                         "one champion. inherit: `mode`."});
  all.push_back({.key = "learning.drift",
                 .slot = [](C& c) -> Slot { return &c.learning.when.drift; },
                 .help = "Whether to train when features or scores are no longer what the "
                         "champion was trained on."});
  all.push_back({.key = "learning.decay",
                 .slot = [](C& c) -> Slot { return &c.learning.when.decay; },
                 .help = "Whether to train when the champion's errors have grown, where the truth "
                         "comes to be known."});
  all.push_back({.key = "learning.feedback",
                 .slot = [](C& c) -> Slot { return &c.learning.when.feedback; },
                 .help = "How many new judgements of alerts are a reason to train; 0: they are "
                         "none.",
                 .low = 0,
                 .high = 100'000});
  add_learning_times(all);
  all.push_back({.key = "learning.leave_out_incidents",
                 .slot = [](C& c) -> Slot { return &c.learning.leave_out_incidents; },
                 .help = "Whether rows and minutes that confirmed alerts spoilt are left out of "
                         "trainings that begin by themselves."});
}

}  // namespace

void add_program_settings(Settings& all) {
  add_general(all);
  add_api(all);
  add_outside(all);
  add_models(all);
  add_learning(all);
}

}  // namespace liminal::app
