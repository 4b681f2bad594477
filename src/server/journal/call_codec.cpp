#include "server/journal/call_codec.hpp"

#include <utility>

#include "core/traffic/codec.hpp"
#include "core/traffic/event.hpp"

namespace liminal::journal {
namespace {

using namespace engine;

struct Encode {
  std::uint64_t settings_hash;
  Writer& out;

  void operator()(const UseSettings&) const { out.put(settings_hash); }
  void operator()(const SetOverride& call) const { traffic::save(call.decision, out); }
  void operator()(const RemoveOverride& call) const { out.put_text(call.user); }
  void operator()(const RemoveOverrides&) const {}
  void operator()(const GiveFeedback& call) const {
    out.put_varint(call.alert_number);
    out.put(call.verdict);
  }
  void operator()(const CountFeedback& call) const {
    out.put(call.type);
    out.put(call.verdict);
  }
  void operator()(const CleanUp& call) const { out.put(call.age_max.count()); }
  void operator()(const Adopt& call) const { traffic::save(call.alert, out); }
  void operator()(const Resume& call) const {
    out.put_varint(call.base);
    out.put_varint(call.first);
    out.put(nanoseconds(call.now));
    out.put(settings_hash);
  }
  void operator()(const UseChampion& call) const {
    engine::save(call.champion, out);
    out.put(call.fault.has_value());
    if (!call.fault) return;
    out.put(call.fault->kind);
    out.put_varint(call.fault->version);
    out.put(call.fault->row_seconds);
    out.put(call.fault->row_seconds_budget);
  }
  void operator()(const TakeAnswer& call) const {
    const Answer& answer = call.answer;
    out.put_varint(answer.version);
    out.put(answer.user);
    out.put(nanoseconds(answer.time));
    out.put(answer.score);
    out.put(static_cast<std::uint8_t>(answer.why.size()));
    for (const traffic::Evidence& line : answer.why) {
      out.put(line.signal);
      out.put(line.observed);
      out.put(line.contribution);
    }
  }
};

template <class T>
bool get_below(Reader& in, T& value, std::size_t bound) {
  const auto raw = in.get<std::uint8_t>();
  if (raw >= bound) return false;
  value = T{raw};
  return true;
}

constexpr std::size_t kVerdicts = 4;
constexpr std::size_t kFaults = 3;

struct Decode {
  Reader& in;
  const SettingsByHash& settings;

  bool operator()(UseSettings& call) const {
    call.settings = settings(in.get<std::uint64_t>());
    return true;
  }
  bool operator()(SetOverride& call) const { return traffic::load(call.decision, in); }
  bool operator()(RemoveOverride& call) const {
    call.user = in.get_text();
    return true;
  }
  bool operator()(RemoveOverrides&) const { return true; }
  bool operator()(GiveFeedback& call) const {
    call.alert_number = in.get_varint();
    return get_below(in, call.verdict, kVerdicts);
  }
  bool operator()(CountFeedback& call) const {
    return get_below(in, call.type, traffic::kFindingTypes) &&
           get_below(in, call.verdict, kVerdicts);
  }
  bool operator()(CleanUp& call) const {
    call.age_max = Duration{in.get<Duration::rep>()};
    return true;
  }
  bool operator()(Adopt& call) const { return traffic::load(call.alert, in); }
  bool operator()(Resume& call) const {
    call.base = in.get_varint();
    call.first = in.get_varint();
    call.now = SteadyTime{Duration{in.get<Duration::rep>()}};
    call.settings = settings(in.get<std::uint64_t>());
    return true;
  }
  bool operator()(UseChampion& call) const {
    if (!engine::load(call.champion, in)) return false;
    if (in.get<std::uint8_t>() == 0) return true;
    ModelFault& fault = call.fault.emplace();
    if (!get_below(in, fault.kind, kFaults)) return false;
    fault.version = static_cast<std::uint32_t>(in.get_varint());
    in.get(fault.row_seconds);
    in.get(fault.row_seconds_budget);
    return true;
  }
  bool operator()(TakeAnswer& call) const {
    Answer& answer = call.answer;
    answer.version = static_cast<std::uint32_t>(in.get_varint());
    in.get(answer.user);
    answer.time = SteadyTime{Duration{in.get<Duration::rep>()}};
    in.get(answer.score);
    for (std::size_t left = in.get<std::uint8_t>(); left > 0 && in.ok(); --left) {
      traffic::Signal feature{};
      if (!get_below(in, feature, traffic::kSignals)) return false;
      const auto observed = in.get<float>();
      answer.why.push_back(part_of_score(feature, observed, in.get<float>()));
    }
    return true;
  }
};

/// The alternative with this number, with nothing in it.
template <std::size_t... I>
bool make(std::size_t which, Call& call, std::index_sequence<I...>) {
  return ((which == I && (call.emplace<I>(), true)) || ...);
}

}  // namespace

void encode_call(const Call& call, std::uint64_t settings_hash, Writer& out) {
  out.put(static_cast<std::uint8_t>(call.index()));
  std::visit(Encode{settings_hash, out}, call);
}

bool decode_call(Reader& in, Call& call, const SettingsByHash& settings) {
  const std::size_t which = in.get<std::uint8_t>();
  if (!make(which, call, std::make_index_sequence<std::variant_size_v<Call>>())) return false;
  return std::visit(Decode{in, settings}, call) && in.ok();
}

}  // namespace liminal::journal
