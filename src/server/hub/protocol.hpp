#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "core/base/time.hpp"

namespace liminal::hub {

/// What a client of the built-in hub asks for. One JSON object a text message:
///
///     {"type": "subscribe" | "unsubscribe", "channel": C}
///     {"type": "publish" | "broadcast", "channel": C, "content": any JSON value}
///     {"type": "ping"}
///
/// A channel is a text of 1 to 256 bytes. `publish` and `broadcast` are the same, two words that
/// clients of such hubs use: every member of the channel gets the message, the sender too when it
/// is one. Further keys are ignored, so that clients may carry ids of their own.
struct Request {
  enum class Kind : std::uint8_t { kSubscribe, kUnsubscribe, kPublish, kPing };
  Kind kind = Kind::kPing;
  std::string channel;
  std::string content;  ///< of `kPublish`: JSON
};

/// What is wrong with a request, in words for the person who wrote the client.
using RequestResult = tl::expected<Request, std::string_view>;

/// Reads requests. Keeps its parser's memory (some times the largest message) for the next one.
/// No call throws on what it reads.
class RequestReader {
 public:
  RequestReader();
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  [[nodiscard]] RequestResult read(std::string_view message);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

/// The answers, each as one whole frame of a server, ready to be sent.
[[nodiscard]] std::string subscribed(std::string_view channel);
[[nodiscard]] std::string unsubscribed(std::string_view channel);
[[nodiscard]] std::string pong();
[[nodiscard]] std::string error(std::string_view text);
/// `{"type":"message","channel","content","sender","timestamp"}`; `content` is JSON.
[[nodiscard]] std::string message(std::string_view channel,
                                  std::string_view content,
                                  std::string_view sender,
                                  EventTime time);

}  // namespace liminal::hub
