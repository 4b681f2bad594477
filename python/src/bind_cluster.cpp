#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "backend.hpp"
#include "bind.hpp"
#include "cluster.hpp"
#include "engine.hpp"
#include "server/api/answers.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

nb::bytes as_bytes(const std::string& bytes) { return nb::bytes(bytes.data(), bytes.size()); }

std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

SteadyTime time_of(nb::handle timestamp) {
  return SteadyTime{event_time(timestamp).time_since_epoch()};
}

nb::bytes tick(Engine& engine, nb::handle timestamp, const std::vector<std::uint8_t>& owned) {
  const SteadyTime now = time_of(timestamp);
  std::vector<ShardId> shards;
  for (const std::uint8_t shard : owned) {
    if (shard >= kShards) raise_value("owned", "must be shards, 0 to 63");
    shards.push_back(ShardId{shard});
  }
  std::string told;
  {
    const nb::gil_scoped_release release;
    told = engine.tick(now, shards);
  }
  return as_bytes(told);
}

void absorb(Engine& engine, const nb::bytes& exchange) {
  Result<void> done;
  {
    const nb::gil_scoped_release release;
    done = engine.absorb(view(exchange));
  }
  if (!done) raise_error("exchange", done.error());
}

std::size_t track_encoded(Engine& engine, const nb::bytes& bytes) {
  std::size_t count = 0;
  Result<void> done;
  {
    const nb::gil_scoped_release release;
    const auto events = decode_events(view(bytes));
    if (events) {
      engine.track(*events);
      count = events->size();
    } else {
      done = tl::unexpected(events.error());
    }
  }
  if (!done) raise_error("events", done.error());
  return count;
}

nb::bytes advance(CommonsOwner& commons, nb::list told, nb::handle timestamp) {
  const SteadyTime now = time_of(timestamp);
  std::vector<std::string_view> bytes;
  for (const nb::handle one : told) bytes.push_back(view(nb::cast<nb::bytes>(one)));
  const Result<std::string> exchange = commons.advance(bytes, now);
  if (!exchange) raise_error("told", exchange.error());
  return as_bytes(*exchange);
}

void count_feedback(Engine& engine,
                    std::string_view type,
                    std::string_view verdict,
                    bool replaces) {
  const auto known = traffic::finding_by_name(type);
  const auto said = traffic::feedback_by_name(verdict);
  if (!known) raise_value("type", "is no kind of finding");
  if (!said) raise_value("verdict", "must be true_positive, false_positive or expected");
  engine.count_feedback({*known, *said, replaces});
}

nb::list take_words(Engine& engine) {
  nb::list out;
  for (const Engine::Word& word : engine.take_words())
    out.append(
        nb::make_tuple(traffic::info(word.type).name, traffic::name(word.verdict), word.replaces));
  return out;
}

nb::bytes crowd(Engine& engine) {
  return as_bytes(
      engine.look([](const engine::LocalEngine& local) { return encode_crowd(crowd_of(local)); }));
}

nb::bytes merge_crowds(nb::list parts, std::uint64_t limit) {
  std::optional<features::CrowdSummary> all;
  for (const nb::handle part : parts) {
    auto one = decode_crowd(view(nb::cast<nb::bytes>(part)));
    if (!one) raise_error("parts", one.error());
    if (all) {
      all->merge(*one);
    } else {
      all = std::move(*one);
    }
  }
  if (!all) raise_value("parts", "must be at least one");
  json::Writer out;
  api::write(*all, limit, out);
  return as_bytes(out.text());
}

std::uint64_t shard_hash(Engine& engine, std::uint8_t shard) {
  if (shard >= kShards) raise_value("shard", "must be 0 to 63");
  return engine.look(
      [&](const engine::LocalEngine& local) { return local.shard(ShardId{shard}).state_hash(); });
}

}  // namespace

void bind_cluster(nb::module_& module) {
  module.attr("SHARDS") = kShards;
  // Where alerts of gateways are, in the ids of alerts.
  module.attr("OF_GATEWAYS") = index(kOfGateways);
  module.def(
      "shard_of",
      [](std::string_view text) { return index(shard_of(traffic::Name(text).hash)); },
      "user_id"_a,
      "The virtual shard of a user, 0 to 63: the same on every machine.");
  module.def("tick",
             &tick,
             "engine"_a,
             "timestamp"_a,
             "owned"_a,
             "Begins a second of an engine that has some of the shards: what they tell, as bytes.");
  module.def("absorb",
             &absorb,
             "engine"_a,
             "exchange"_a,
             "Ends a second with what ``Commons.advance`` gave.");
  module.def("track_encoded",
             &track_encoded,
             "engine"_a,
             "events"_a,
             "Counts events in the bytes that ``Service.route_events`` gave. Returns how many.");
  module.def("count_feedback",
             &count_feedback,
             "engine"_a,
             "type"_a,
             "verdict"_a,
             "replaces"_a = false,
             "An operator's word on an alert of another engine. replaces: the opposite was said of "
             "the alert before, and no longer counts.");
  module.def(
      "take_words",
      &take_words,
      "engine"_a,
      "What operators said of alerts since the last call, that was news, as ``(type, "
      "verdict, replaces)``: what engines beside it are to count. Of an engine whose clock is "
      "``member``.");
  module.def(
      "material",
      [](Engine& engine) {
        std::string bytes;
        {
          const nb::gil_scoped_release release;
          bytes = engine.material();
        }
        return as_bytes(bytes);
      },
      "engine"_a,
      "Feature rows and alerts of an engine, as bytes that ``Service.learn_from`` takes.");
  module.def("crowd", &crowd, "engine"_a, "What goes on among all users of an engine, as bytes.");
  module.def("merge_crowds",
             &merge_crowds,
             "parts"_a,
             "limit"_a,
             "What ``crowd`` gave of several engines, as ``GET /ml/crowd`` answers.");
  module.def("shard_hash",
             &shard_hash,
             "engine"_a,
             "shard"_a,
             "Of one shard's state: equal for equal histories.");
  nb::class_<CommonsOwner>(
      module, "Commons", R"(What engines that share the shards learn together, once a second.

Each engine is made with ``clock="member"``, is given the events of its users, and every second's
``tick`` of all goes into ``advance``, whose answer each ``absorb``s: then every shard is in the state
that one engine for all would have.)")
      .def(
          "__init__",
          [](CommonsOwner* self, std::string_view profile) {
            const auto known = detect::profile_by_name(profile);
            if (!known) raise_value("profile", "must be chat, game or telemetry");
            new (self) CommonsOwner(*known);
          },
          "profile"_a = "chat")
      .def("advance",
           &advance,
           "told"_a,
           "timestamp"_a,
           "Learns what engines told of a second; who did not answer is left out.")
      .def_prop_ro("number", &CommonsOwner::number, "Seconds so far.")
      .def("state_hash", &CommonsOwner::state_hash)
      .def("save", [](const CommonsOwner& commons) { return as_bytes(commons.save()); })
      .def(
          "load",
          [](CommonsOwner& commons, const nb::bytes& bytes) {
            if (const auto read = commons.load(view(bytes)); !read)
              raise_error("bytes", read.error());
          },
          "bytes"_a);
}

}  // namespace liminal::python
