#include "tracking.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>

#include "io/json/event_reader.hpp"

namespace liminal::python {
namespace {

using traffic::EventKind;

struct KindName {
  std::string_view name;
  EventKind kind;
  bool error = false;
};
constexpr std::array<KindName, 7> kKinds{{{"message", EventKind::kMessage},
                                          {"connect", EventKind::kConnect},
                                          {"disconnect", EventKind::kDisconnect},
                                          {"subscribe", EventKind::kSubscribe},
                                          {"error", EventKind::kMessage, true},
                                          {"rate_limited", EventKind::kRateLimited},
                                          {"failed", EventKind::kFailed}}};

/// Beyond the longest window of a user's features, either way.
constexpr Duration kFarFromNow = std::chrono::hours{1};

/// Warns of recorded traffic that is told to an engine which lives by the machine's clock: it would
/// count, and show in no window. `first` and `last`: of a call's events. `frames`: up to the
/// caller's. Throws where warnings are errors.
void warn_of_other_times(const Engine& engine, EventTime first, EventTime last, int frames = 1) {
  if (engine.clock() != Clock::kSystem) return;
  const EventTime now{engine.now().time_since_epoch()};
  if (last >= now - kFarFromNow && first <= now + kFarFromNow) return;
  const nb::gil_scoped_acquire interpreter;
  const char* words =
      "what happened more than an hour from now shows in no window of this engine, which lives by "
      "the"
      " machine's clock: recorded traffic is for FeatureExtractor(clock=\"events\")";
  if (PyErr_WarnEx(PyExc_UserWarning, words, frames) != 0) throw nb::python_error();
}

/// Text that is neither empty nor too long; it borrows from its object.
std::optional<traffic::Name> name_of(nb::handle text, std::size_t bytes_max) {
  std::string_view words;
  if (!nb::try_cast(text, words) || words.empty() || words.size() > bytes_max) return std::nullopt;
  return traffic::Name(words);
}

/// An event of one call, with the texts that it borrows.
class CalledEvent {
 public:
  CalledEvent(const Engine& engine,
              nb::handle user,
              nb::handle message_size,
              nb::handle channels,
              nb::handle ip_address,
              nb::handle kind,
              nb::handle timestamp,
              nb::handle error,
              nb::handle content_hash) {
    const auto user_name = name_of(user, traffic::kUserBytesMax);
    if (!user_name) raise_value("user_id", "must be text of 1 to 128 bytes");
    event_.user = *user_name;
    event_.bytes = static_cast<std::uint32_t>(
        whole_number(message_size, 0, std::numeric_limits<std::uint32_t>::max(), "message_size"));
    if (!ip_address.is_none()) {
      const auto address = name_of(ip_address, traffic::kAddressBytesMax);
      if (!address) raise_value("ip_address", "must be text of 1 to 64 bytes");
      event_.address = *address;
    }
    set_kind(kind, truth(error));
    if (!channels.is_none()) set_channels(channels);
    if (!content_hash.is_none()) set_hash(content_hash);
    set_time(engine, timestamp);
  }

  [[nodiscard]] const traffic::Event& event() const { return event_; }

 private:
  /// Of Python or NumPy, or 0 or 1, as in a batch.
  static bool truth(nb::handle error) {
    const int said = PyObject_IsTrue(error.ptr());
    if (said < 0) throw nb::python_error();
    return said != 0;
  }

  void set_kind(nb::handle kind, bool error) {
    std::string_view word;
    const bool is_text = nb::try_cast(kind, word);
    for (const KindName& known : kKinds) {
      if (!is_text || known.name != word) continue;
      event_.kind = known.kind;
      event_.error = error || known.error;
      return;
    }
    raise_value("kind",
                "must be message, error, connect,"
                " disconnect, subscribe, rate_limited or failed");
  }

  void add_channel(nb::handle text) {
    const auto channel = name_of(text, traffic::kChannelBytesMax);
    if (!channel || count_ == names_.size())
      raise_value("channels", "must be text of 1 to 256 bytes, or up to 64 of them");
    names_[count_++] = *channel;
  }

  void set_channels(nb::handle channels) {
    if (PyUnicode_Check(channels.ptr())) {
      add_channel(channels);
    } else if (PySequence_Check(channels.ptr()) != 0) {
      for (const nb::handle channel : channels) add_channel(channel);
    } else {
      raise_value("channels", "must be text of 1 to 256 bytes, or up to 64 of them");
    }
    event_.channels = {names_.data(), count_};
  }

  void set_hash(nb::handle content_hash) {
    if (PyLong_Check(content_hash.ptr())) {
      event_.content_hash = PyLong_AsUnsignedLongLongMask(content_hash.ptr());
      return;
    }
    std::string_view text;
    if (!nb::try_cast(content_hash, text) || text.empty())
      raise_value("content_hash", "must be a whole number of 64 bits or text that is not empty");
    event_.content_hash = hash64(text);
  }

  void set_time(const Engine& engine, nb::handle timestamp) {
    if (!timestamp.is_none()) {
      event_.time = event_time(timestamp);
      warn_of_other_times(engine, event_.time, event_.time);
    } else if (engine.clock() == Clock::kEvents) {
      raise_value("timestamp", "is needed: this engine's time is that of its events");
    } else {
      event_.time = EventTime{engine.now().time_since_epoch()};
    }
  }

  traffic::Event event_;
  std::array<traffic::Name, traffic::kChannelsMax> names_;
  std::size_t count_ = 0;
};

}  // namespace

traffic::Verdict track(Engine& engine,
                       nb::handle user,
                       nb::handle message_size,
                       nb::handle channels,
                       nb::handle ip_address,
                       nb::handle kind,
                       nb::handle timestamp,
                       nb::handle error,
                       nb::handle content_hash) {
  return engine.track(
      CalledEvent(
          engine, user, message_size, channels, ip_address, kind, timestamp, error, content_hash)
          .event());
}

namespace {

template <class T>
const T* column_of(const MaybeColumn<T>& column, std::size_t count, const char* field) {
  if (!column) return nullptr;
  if (column->shape(0) != count)
    raise_value(field, "must have a value for each of " + std::to_string(count) + " events");
  return column->data();
}

std::vector<traffic::Name> names_of(const std::vector<std::string>& texts) {
  std::vector<traffic::Name> names;
  names.reserve(texts.size());
  for (const std::string& text : texts) names.emplace_back(text);
  return names;
}

}  // namespace

/// Texts as places in a list of the different ones, in the order of their first use; None is -1.
nb::tuple encode(nb::sequence texts) {
  std::unordered_map<std::string_view, std::int32_t> places;
  std::vector<std::int32_t> codes;
  codes.reserve(nb::len(texts));
  nb::list distinct;
  for (const nb::handle text : texts) {
    if (text.is_none()) {
      codes.push_back(-1);
      continue;
    }
    std::string_view words;
    if (!nb::try_cast(text, words))
      raise_value("row " + std::to_string(codes.size()), "must be text or None");
    // The text is kept by the list: the view lives as long as its object.
    const auto [at, added] = places.try_emplace(words, static_cast<std::int32_t>(places.size()));
    if (added) distinct.append(text);
    codes.push_back(at->second);
  }
  return nb::make_tuple(distinct, to_array(std::move(codes)));
}

nb::tuple track_columns(Engine& engine,
                        const std::vector<std::string>& users,
                        const Column<std::int32_t>& user,
                        const MaybeColumn<double>& timestamp,
                        const MaybeColumn<std::uint8_t>& kind,
                        const MaybeColumn<std::uint32_t>& message_size,
                        const MaybeColumn<std::uint8_t>& error,
                        const std::vector<std::string>& addresses,
                        const MaybeColumn<std::int32_t>& address,
                        const std::vector<std::string>& channels,
                        const MaybeColumn<std::int32_t>& channel,
                        const MaybeColumn<std::uint64_t>& content_hash) {
  EventColumns columns;
  const std::size_t count = user.shape(0);
  columns.count = count;
  columns.user = user.data();
  columns.time_s = column_of(timestamp, count, "timestamp");
  columns.kind = column_of(kind, count, "kind");
  columns.bytes = column_of(message_size, count, "message_size");
  columns.error = column_of(error, count, "error");
  columns.address = column_of(address, count, "ip_address");
  columns.channel = column_of(channel, count, "channel");
  columns.content_hash = column_of(content_hash, count, "content_hash");
  if (columns.time_s == nullptr && engine.clock() == Clock::kEvents)
    raise_value("timestamp", "is needed: this engine's time is that of its events");
  std::vector<std::uint8_t> decisions(count), shadows(count);
  std::optional<ColumnProblem> wrong;
  {
    nb::gil_scoped_release release;
    const auto user_names = names_of(users), address_names = names_of(addresses),
               channel_names = names_of(channels);
    columns.users = user_names;
    columns.addresses = address_names;
    columns.channels = channel_names;
    wrong = validate(columns);
    if (!wrong) {
      if (columns.time_s != nullptr && count > 0) {
        const auto [first, last] = std::minmax_element(columns.time_s, columns.time_s + count);
        warn_of_other_times(engine, event_time(*first), event_time(*last), 2);
      }
      engine.track(columns, decisions.data(), shadows.data());
    }
  }
  if (wrong) raise_value(wrong->column + "[" + std::to_string(wrong->row) + "]", wrong->text);
  return nb::make_tuple(to_array(std::move(decisions)), to_array(std::move(shadows)));
}

/// Events as `POST /ml/events` takes them: all good lines count, and nobody waits for verdicts.
nb::dict track_ndjson(Engine& engine, std::string_view lines) {
  std::vector<traffic::StoredEvent> events;
  std::vector<std::pair<std::uint64_t, std::string>> rejected;
  std::string whole;
  {
    nb::gil_scoped_release release;
    json::EventReader reader;
    std::optional<EventTime> now;
    if (engine.clock() == Clock::kSystem) now = EventTime{engine.now().time_since_epoch()};
    const auto read =
        reader.read_all(lines, now, [&](std::uint64_t line, const json::EventResult& result) {
          if (result) {
            events.push_back(traffic::StoredEvent::report_of(*result));
          } else {
            rejected.emplace_back(line, text(result.error()));
          }
        });
    if (!read) {
      whole = text(read.error());
    } else {
      if (!events.empty()) {
        const auto earlier = [](const traffic::StoredEvent& a, const traffic::StoredEvent& b) {
          return a.view().time < b.view().time;
        };
        const auto [first, last] = std::minmax_element(events.begin(), events.end(), earlier);
        warn_of_other_times(engine, first->view().time, last->view().time);
      }
      engine.track(events);
    }
  }
  if (!whole.empty()) raise_value("events", whole);
  nb::list named;
  for (const auto& [line, reason] : rejected) {
    nb::dict one;
    one["line"] = line;
    one["reason"] = reason;
    named.append(one);
  }
  nb::dict report;
  report["accepted"] = events.size();
  report["rejected"] = named;
  report["rejected_count"] = rejected.size();
  return report;
}

}  // namespace liminal::python
