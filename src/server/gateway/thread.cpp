#include "server/gateway/thread.hpp"

#include <algorithm>
#include <span>

#include "server/gateway/connection.hpp"

namespace liminal::gateway {
namespace {

/// Looks at those paths that are not empty.
std::unique_ptr<wire::JsonPeek> peek_at(std::vector<std::string> paths) {
  std::erase(paths, "");
  return paths.empty() ? nullptr : std::make_unique<wire::JsonPeek>(paths);
}

std::span<const std::string_view> look(wire::JsonPeek* peek, std::string_view message) {
  // Whatever is no object or array has no places to look at.
  constexpr std::string_view kBeginnings = "{[ \t\r\n";
  if (peek == nullptr || message.empty() || kBeginnings.find(message.front()) == kBeginnings.npos)
    return {};
  return peek->look(message);
}

}  // namespace

Thread::Thread(epoll::Loop& l, Engine& e, LocalService* s, Census& c)
    : loop(l), engine(e), service(s), census(c) {}

Thread::~Thread() = default;

void Thread::configure(std::shared_ptr<const Settings> what) {
  settings = std::move(what);
  message_peek = peek_at({options().channel_path, options().signal_path});
  error_peek = peek_at({options().error_path});
}

void Thread::count(MessageType type, Direction direction) {
  counters.messages[static_cast<std::size_t>(direction)][static_cast<std::size_t>(type)].add();
  ++untimed;
}

void Thread::time_messages() {
  constexpr std::uint32_t kMessagesPerTiming = 64;
  if (untimed < kMessagesPerTiming) return;
  untimed = 0;
  message_seconds.observe(loop.read_clock() - loop.now());
}

Thread::Said Thread::said_in(std::string_view message) {
  std::span<const std::string_view> found = look(message_peek.get(), message);
  Said said;
  if (found.empty()) return said;
  if (!options().channel_path.empty()) {
    said.channel = found.front();
    found = found.subspan(1);
  }
  const auto& signals = options().signal_values;
  said.signal = !found.empty() && message.size() <= Options::kSignalBytesMax &&
                std::find(signals.begin(), signals.end(), found.front()) != signals.end();
  return said;
}

std::string_view Thread::error_of(std::string_view message) {
  const std::span<const std::string_view> found = look(error_peek.get(), message);
  return found.empty() ? std::string_view() : found.front();
}

}  // namespace liminal::gateway
