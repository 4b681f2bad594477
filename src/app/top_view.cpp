#include "app/top_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/printable.hpp"
#include "io/json/time_text.hpp"

namespace liminal::app {
namespace {

using nlohmann::json;

constexpr std::string_view kBold = "\x1b[1m", kDim = "\x1b[2m", kPlain = "\x1b[0m";

/// A value of an answer, and the fallback when an older or newer server does not send it.
template <class T>
T value(const json& object, const char* key, T otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    return otherwise;
  }
}

const json& part(const json& object, const char* key) {
  static const json kNone = json::object();
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

/// Cut or filled to a number of characters; a cut text ends with an ellipsis.
std::string fit(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    if (used + 1 == width && next < text.size()) {
      out += "…";
      ++used;
      break;
    }
    if (used == width) break;
    out += drives_terminal(text[i]) ? std::string("?") : std::string(text.substr(i, next - i));
    ++used;
    i = next;
  }
  return out + std::string(width - std::min(used, width), ' ');
}

std::string_view colour_of(const std::string& severity) {
  if (severity == "critical") return "\x1b[1;37;41m";
  if (severity == "high") return "\x1b[1;31m";
  if (severity == "medium") return "\x1b[33m";
  return "\x1b[36m";
}

std::string count_text(double count) {
  if (count >= 1e7) return fmt::format("{:.1f}M", count / 1e6);
  if (count >= 1e5) return fmt::format("{:.0f}k", count / 1e3);
  return fmt::format("{:.0f}", count);
}

std::string age_text(double s) {
  if (s < 0) s = 0;
  if (s < 100) return fmt::format("{:.0f}s", s);
  if (s < 6000) return fmt::format("{:.0f}m", s / 60);
  return fmt::format("{:.0f}h", s / 3600);
}

std::string number_text(double number) {
  return number >= 100 ? fmt::format("{:.0f}", number) : fmt::format("{:.1f}", number);
}

std::string salience_text(const json& object) {
  const double salience = value(object, "salience", -1.);
  return salience < 0 ? std::string() : fmt::format("{:.2f}", salience);
}

class Frame {
 public:
  Frame(std::size_t width, std::size_t height, bool colour)
      : width_(width), height_(height), colour_(colour) {}

  [[nodiscard]] std::size_t left() const { return height_ - lines_; }
  [[nodiscard]] std::size_t width() const { return width_; }

  void line(std::string_view text, std::string_view style = {}) {
    if (left() == 0) return;
    if (lines_++ > 0) text_ += '\n';
    if (colour_ && !style.empty()) text_ += style;
    std::string fitted = fit(text, width_);
    while (!fitted.empty() && fitted.back() == ' ') fitted.pop_back();
    text_ += fitted;
    if (colour_ && !style.empty()) text_ += kPlain;
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::size_t width_, height_, lines_ = 0;
  bool colour_;
  std::string text_;
};

void show_status(const json& status, Frame& frame) {
  const json& traffic = part(status, "traffic");
  frame.line(fmt::format("Liminal {}   {}   up {}   engine time {}",
                         value<std::string>(status, "version", "?"),
                         value<std::string>(status, "mode", "?"),
                         age_text(value(status, "uptime_s", 0.)),
                         value<std::string>(status, "time", "?")),
             kBold);
  frame.line(
      fmt::format("{} users active   {} connections   {} events ({}/s)   {} alerts open   {} MiB",
                  count_text(value(part(status, "feature_extractor"), "active_users", 0.)),
                  count_text(value(traffic, "connections", 0.)),
                  count_text(value(traffic, "events_total", 0.)),
                  number_text(value(traffic, "events_per_second", 0.)),
                  count_text(value(part(status, "anomaly_detector"), "open_alerts", 0.)),
                  count_text(value(part(status, "memory"), "resident_bytes", 0.) / (1 << 20))));
}

bool is_open(const json& what) { return value<std::string>(what, "status", "open") == "open"; }

void show_incidents(const json& incidents,
                    std::optional<EventTime> now,
                    std::size_t most,
                    Frame& frame) {
  if (incidents.empty() || most == 0) return;
  frame.line("");
  frame.line(
      fmt::format(
          "{} {:>6} {:>5} {:>5}  {}", fit("SALIENCE", 8), "ALERTS", "USERS", "AGE", "INCIDENT"),
      kDim);
  std::size_t shown = 0;
  for (const json& incident : incidents) {
    if (shown++ == most) break;
    const auto seen = liminal::json::parse_time(value<std::string>(incident, "last_seen", ""));
    frame.line(fmt::format("{} {:>6} {:>5} {:>5}  {}",
                           fit(salience_text(incident), 8),
                           count_text(value(incident, "members", 0.)),
                           count_text(value(incident, "entities_count", 0.)),
                           seen && now ? age_text(seconds(*now - *seen)) : "",
                           value<std::string>(incident, "title", "")),
               is_open(incident) ? std::string_view{} : kDim);
  }
}

/// As they come, those that are open first.
std::vector<const json*> open_first(const json& alerts) {
  std::vector<const json*> order;
  for (const json& alert : alerts) order.push_back(&alert);
  std::stable_partition(
      order.begin(), order.end(), [](const json* alert) { return is_open(*alert); });
  return order;
}

void show_alerts(const json& alerts, std::optional<EventTime> now, std::size_t most, Frame& frame) {
  frame.line("");
  frame.line(fmt::format("{} {} {} {:>8} {:>6} {:>6} {:>5}  {}",
                         fit("SEVERITY", 8),
                         fit("ALERT", 22),
                         fit("USER", 20),
                         "SALIENCE",
                         "SCORE",
                         "COUNT",
                         "AGE",
                         "WHY"),
             kDim);
  std::size_t shown = 0;
  for (const json* one : open_first(alerts)) {
    const json& alert = *one;
    if (shown++ == most) break;
    const auto seen = liminal::json::parse_time(value<std::string>(alert, "last_seen", ""));
    const auto severity = value<std::string>(alert, "severity", "?");
    frame.line(fmt::format("{} {} {} {:>8} {:>6} {:>6} {:>5}  {}",
                           fit(severity, 8),
                           fit(value<std::string>(alert, "type", "?"), 22),
                           fit(value<std::string>(alert, "user_id", "?"), 20),
                           salience_text(alert),
                           number_text(value(alert, "score", 0.)),
                           count_text(value(alert, "count", 0.)),
                           seen && now ? age_text(seconds(*now - *seen)) : "",
                           value<std::string>(alert, "explanation", "")),
               is_open(alert) ? colour_of(severity) : kDim);
  }
  if (shown == 0) frame.line("none so far");
}

void show_users(const json& users, Frame& frame) {
  frame.line("");
  frame.line(fmt::format("{} {} {:>8} {:>7} {:>7} {:>5} {:>8} {:>6}  {}",
                         fit("USER", 20),
                         fit("ADDRESS", 16),
                         "MSG/MIN",
                         "ERRORS",
                         "REFUSED",
                         "CONN",
                         "LIMIT/S",
                         "SCORE",
                         "ALERTS"),
             kDim);
  for (const json& user : users) {
    const auto severity = value<std::string>(user, "worst_severity", "");
    const double limit = value(user, "messages_per_second_max", -1.);
    const double open = value(user, "open_alerts", 0.);
    frame.line(fmt::format("{} {} {:>8} {:>6.0f}% {:>7} {:>5} {:>8} {:>6}  {}",
                           fit(value<std::string>(user, "user_id", "?"), 20),
                           fit(value<std::string>(user, "ip_address", ""), 16),
                           number_text(value(user, "messages_per_minute", 0.)),
                           100 * value(user, "error_rate", 0.),
                           count_text(value(user, "rate_limit_violations", 0.)),
                           count_text(value(user, "open_connections", 0.)),
                           limit < 0 ? std::string("none") : number_text(limit),
                           number_text(value(user, "score", 0.)),
                           open > 0 ? fmt::format("{} {}", count_text(open), severity) : ""),
               severity.empty() ? std::string_view{} : colour_of(severity));
    if (frame.left() == 0) return;
  }
}

}  // namespace

std::string render_top(const json& status,
                       const json& alerts,
                       const json& incidents,
                       const json& users,
                       std::size_t width,
                       std::size_t height,
                       bool colour) {
  Frame frame(width, height, colour);
  show_status(status, frame);
  const auto now = liminal::json::parse_time(value<std::string>(status, "time", ""));
  const json& stories = part(incidents, "incidents");
  show_incidents(stories, now, frame.left() > 20 ? 3 : 0, frame);
  const json& list = part(alerts, "alerts");
  // Half of what is left is for alerts, less when there are fewer.
  const std::size_t room = frame.left() > 8 ? (frame.left() - 4) / 2 : 2;
  show_alerts(list, now, std::min(room, std::max<std::size_t>(list.size(), 1)), frame);
  show_users(part(users, "users"), frame);
  return frame.take();
}

}  // namespace liminal::app
