#include "io/json/time_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace liminal::json {
namespace {

/// Takes what the text begins with; after the first failure `ok` stays false.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    int value = 0;
    if (rest.size() < count) return fail();
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + count, value);
    if (error != std::errc{} || end != rest.data() + count || rest.front() == '-') return fail();
    rest.remove_prefix(count);
    return value;
  }

  char any_of(std::string_view characters) {
    if (rest.empty() || characters.find(rest.front()) == std::string_view::npos) {
      return static_cast<char>(fail());
    }
    const char taken = rest.front();
    rest.remove_prefix(1);
    return taken;
  }

  Duration fraction() {
    Duration::rep nanoseconds = 0, unit = 100'000'000;
    std::size_t count = 0;
    for (; count < rest.size() && rest[count] >= '0' && rest[count] <= '9'; ++count) {
      nanoseconds += unit * (rest[count] - '0');
      unit /= 10;
    }
    if (count == 0) fail();
    rest.remove_prefix(count);
    return Duration{nanoseconds};
  }

  int fail() {
    ok = false;
    return 0;
  }
};

}  // namespace

std::optional<EventTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  Cursor in{text};
  const year y{in.digits(4)};
  in.any_of("-");
  const month m{static_cast<unsigned>(in.digits(2))};
  in.any_of("-");
  const day d{static_cast<unsigned>(in.digits(2))};
  in.any_of("Tt ");
  const int hour = in.digits(2);
  in.any_of(":");
  const int minute = in.digits(2);
  in.any_of(":");
  const int second = in.digits(2);
  Duration fraction{};
  if (in.ok && !in.rest.empty() && in.rest.front() == '.') {
    in.rest.remove_prefix(1);
    fraction = in.fraction();
  }
  minutes offset{};
  if (const char zone = in.any_of("Zz+-"); zone == '+' || zone == '-') {
    const int hours = in.digits(2);
    in.any_of(":");
    const int rest = in.digits(2);
    if (hours > 23 || rest > 59) in.fail();
    offset = minutes{(zone == '-' ? -1 : 1) * (hours * 60 + rest)};
  }
  const year_month_day date{y, m, d};
  if (!in.ok || !in.rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  const std::chrono::seconds since = sys_days{date}.time_since_epoch() + hours{hour} +
                                     minutes{minute} + std::chrono::seconds{second} - offset;
  if (since.count() < 0 || since.count() > kSecondsMax) return std::nullopt;
  return EventTime{Duration{since} + fraction};
}

std::string format_time(SteadyTime time) {
  using namespace std::chrono;
  const auto ms = floor<milliseconds>(time.time_since_epoch());
  const auto whole_days = floor<days>(ms);
  const year_month_day date{sys_days{whole_days}};
  const hh_mm_ss<milliseconds> clock{ms - whole_days};
  char buffer[32];
  const int size = std::snprintf(buffer,
                                 sizeof buffer,
                                 "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                                 std::clamp(static_cast<int>(date.year()), 0, 9999),
                                 static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()),
                                 static_cast<int>(clock.hours().count()),
                                 static_cast<int>(clock.minutes().count()),
                                 static_cast<int>(clock.seconds().count()),
                                 static_cast<int>(clock.subseconds().count()));
  return {buffer, static_cast<std::size_t>(size)};
}

}  // namespace liminal::json
