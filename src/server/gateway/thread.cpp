#include "server/gateway/thread.hpp"

#include <span>

#include "server/gateway/connection.hpp"

namespace liminal::gateway {
namespace {

std::unique_ptr<wire::JsonPeek> peek_at(const std::string& path) {
  if (path.empty()) return nullptr;
  return std::make_unique<wire::JsonPeek>(std::span<const std::string>(&path, 1));
}

std::string_view look(wire::JsonPeek* peek, std::string_view message) {
  // Whatever is no object or array has no places to look at.
  constexpr std::string_view kBeginnings = "{[ \t\r\n";
  if (peek == nullptr || message.empty() || kBeginnings.find(message.front()) == kBeginnings.npos)
    return {};
  return peek->look(message)[0];
}

}  // namespace

Thread::Thread(epoll::Loop& l, Engine& e, LocalService* s, Census& c)
    : loop(l), engine(e), service(s), census(c) {}

Thread::~Thread() = default;

void Thread::configure(std::shared_ptr<const Settings> what) {
  settings = std::move(what);
  channel_peek = peek_at(options().channel_path);
  error_peek = peek_at(options().error_path);
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

std::string_view Thread::channel_of(std::string_view message) {
  return look(channel_peek.get(), message);
}

std::string_view Thread::error_of(std::string_view message) {
  return look(error_peek.get(), message);
}

}  // namespace liminal::gateway
