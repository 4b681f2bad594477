#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liminal::http {

/// Names compare without regard to case; a response's are written as they are given.
struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

/// The value of the first header of that name; nothing when there is none.
[[nodiscard]] std::optional<std::string_view> find_header(const std::vector<Header>& headers,
                                                          std::string_view name);

/// The same text, whatever the case of its ASCII letters.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);

/// The media type of a Content-Type without its parameters.
[[nodiscard]] std::string_view media_type(std::string_view content_type);
/// One of its parameters, without quotes; nothing when it is not there.
[[nodiscard]] std::optional<std::string_view> media_parameter(std::string_view content_type,
                                                              std::string_view name);

/// One request as it was received, with its body whole.
struct Request {
  std::string method;  ///< "GET"
  std::string target;  ///< "/ml/users/a%20b?verbose", not decoded
  std::vector<Header> headers;
  std::string body;
  std::string peer;            ///< the client's address as text
  bool peer_is_local = false;  ///< it is a loopback address
  bool takes_pieces = false;   ///< the answer may have a `rest`

  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
};

/// A part of a body that is made while the one before it is sent.
struct Piece {
  /// What comes after it. kBroken: nothing, though the body is not whole; the connection is closed
  /// before the end that chunked coding has, so that nobody takes it for the whole.
  enum class Then : std::uint8_t { kMore, kEnd, kBroken };
  std::string bytes;
  Then then = Then::kMore;
};

/// Asks for the next piece; must not block. `give` is called once, from any thread, now or later.
using NextPiece = std::function<void(std::function<void(Piece)> give)>;

/// What is answered. The server adds Content-Length or Transfer-Encoding, Date and Connection. The
/// body of an answer to HEAD is not sent, its length is; 204 and 304 have neither.
struct Response {
  unsigned status = 200;
  std::vector<Header> headers;
  std::string body;
  /// What follows `body`, for who takes pieces: asked for one when the one before is sent, and let
  /// go after the last one, or when nobody is there any more to send them to.
  NextPiece rest{};

  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
    return find_header(headers, name);
  }
};

/// "Not Found"; "Unknown" for a status that has no name.
[[nodiscard]] std::string_view reason_phrase(unsigned status);

/// A path and query, taken apart. The query is decoded, `+` is a blank; the path is not, because an
/// escaped slash must not split it: decode its segments.
struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};

/// Nothing for what is no origin-form target ("/…") and for a bad escape in the query.
[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

/// A segment of a path or a value of a query: everything but what RFC 3986 calls unreserved becomes
/// %XX.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Decodes %XX; nothing for a bad escape or an escaped zero byte.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text,
                                                        bool plus_is_blank = false);

}  // namespace liminal::http
