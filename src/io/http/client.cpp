#include "io/http/client.hpp"

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <utility>

namespace liminal::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t kHeaderBytesMax = 16 * 1024;

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Message = beast::http::request<beast::http::string_body>;

Error error_of(error_code code) {
  using beast::http::error;
  if (code == error::body_limit || code == error::header_limit || code == error::buffer_overflow)
    return {ErrorCode::kTooLarge, 0};
  const bool ended = code == error::end_of_stream || code == error::partial_message;
  const bool grammar = code.category() == error_code(error::bad_method).category();
  if (grammar && !ended) return {ErrorCode::kMalformed, 0};
  return {ErrorCode::kUnavailable, static_cast<std::uint64_t>(code.value())};
}

/// "[::1]:8080" for a Host field.
std::string authority(const Url& url) {
  const bool address6 = url.host.find(':') != std::string::npos;
  const std::string host = address6 ? "[" + url.host + "]" : url.host;
  return url.port == (url.tls ? "443" : "80") ? host : host + ":" + url.port;
}

/// One request and its answer over one connection. Its steps call each other until one fails.
template <class Stream>
class Exchange {
 public:
  Exchange(asio::io_context& io, Stream stream, Message message, const ClientOptions& options)
      : resolver_(io), stream_(std::move(stream)), message_(std::move(message)) {
    beast::get_lowest_layer(stream_).expires_after(options.timeout);
    parser_.header_limit(kHeaderBytesMax);
    parser_.body_limit(options.body_bytes_max);
  }

  void start(const Url& url) {
    resolver_.async_resolve(url.host, url.port, [this](error_code error, const auto& endpoints) {
      if (error) return finish(error);
      beast::get_lowest_layer(stream_).async_connect(
          endpoints, [this](error_code failed, const tcp::endpoint&) { connected(failed); });
    });
  }

  [[nodiscard]] Result<Response> result() { return std::move(result_); }

 private:
  void connected(error_code error) {
    if (error) return finish(error);
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.async_handshake(ssl::stream_base::client, [this](error_code failed) {
        if (failed) return finish(failed);
        write();
      });
    } else {
      write();
    }
  }

  void write() {
    beast::http::async_write(stream_, message_, [this](error_code error, std::size_t) {
      if (error) return finish(error);
      beast::http::async_read(
          stream_, buffer_, parser_, [this](error_code failed, std::size_t) { finish(failed); });
    });
  }

  /// The connection is closed without ceremony: the answer is there, or nothing is to be saved.
  void finish(error_code error) {
    if (error) {
      result_ = tl::unexpected(error_of(error));
    } else {
      Response response;
      response.status = parser_.get().result_int();
      for (const auto& field : parser_.get())
        response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
      response.body = std::move(parser_.get().body());
      result_ = std::move(response);
    }
    beast::get_lowest_layer(stream_).close();
  }

  tcp::resolver resolver_;
  Stream stream_;
  Message message_;
  beast::flat_buffer buffer_;
  beast::http::response_parser<beast::http::string_body> parser_;
  Result<Response> result_ = failure(ErrorCode::kUnavailable);  // of who was cancelled
};

Message make_message(const std::string& method,
                     const Url& url,
                     const std::vector<Header>& headers,
                     std::string body) {
  Message message;
  message.version(11);
  message.method_string(method);
  message.target(url.target);
  message.set(beast::http::field::host, authority(url));
  message.set(beast::http::field::user_agent, "liminal");
  message.set(beast::http::field::connection, "close");
  for (const Header& header : headers) message.set(header.name, header.value);
  message.body() = std::move(body);
  message.prepare_payload();
  return message;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  unsigned port = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    port = port * 10 + static_cast<unsigned>(digit - '0');
  }
  return port >= 1 && port <= 65535;
}

}  // namespace

struct Client::Core {
  explicit Core(ClientOptions o) : options(std::move(o)) {
    error_code error;
    tls.set_verify_mode(ssl::verify_peer, error);
    if (options.ca_file.empty()) {
      tls.set_default_verify_paths(error);
    } else {
      tls.load_verify_file(options.ca_file, error);  // unreadable: nobody is trusted
    }
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  }

  template <class Stream>
  Result<Response> run(Stream stream, const Url& url, Message message) {
    Exchange<Stream> exchange(io, std::move(stream), std::move(message), options);
    exchange.start(url);
    io.run();
    // Of who was cancelled, handlers may be left, which would outlive the exchange.
    return exchange.result();
  }

  ClientOptions options;
  ssl::context tls{ssl::context::tls_client};
  std::atomic<bool> cancelled{false};
  asio::io_context io{1};
};

Client::Client(ClientOptions options) : core_(std::make_unique<Core>(std::move(options))) {}
Client::~Client() = default;

Result<Response> Client::send(const std::string& method,
                              const Url& url,
                              const std::vector<Header>& headers,
                              std::string body) {
  core_->io.restart();
  // Read after `restart`: a `cancel` before it is seen here, one after it stops `run`.
  if (core_->cancelled) return failure(ErrorCode::kUnavailable);
  Message message = make_message(method, url, headers, std::move(body));
  if (!url.tls) return core_->run(PlainStream(core_->io), url, std::move(message));
  TlsStream stream(core_->io, core_->tls);
  stream.set_verify_callback(ssl::host_name_verification(url.host));
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  return core_->run(std::move(stream), url, std::move(message));
}

void Client::cancel() {
  core_->cancelled = true;
  core_->io.stop();
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
      return std::nullopt;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  text = text.substr(0, text.find('#'));
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view place = text.substr(0, end);
  if (end < text.size()) url.target = (text[end] == '?' ? "/" : "") + std::string(text.substr(end));
  if (place.find('@') != std::string_view::npos) return std::nullopt;

  std::string_view after_host;
  if (place.starts_with('[')) {
    const std::size_t close = place.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    url.host = place.substr(1, close - 1);
    after_host = place.substr(close + 1);
  } else {
    const std::size_t colon = std::min(place.find(':'), place.size());
    url.host = place.substr(0, colon);
    after_host = place.substr(colon);
  }
  if (url.host.empty()) return std::nullopt;
  url.port = url.tls ? "443" : "80";
  if (after_host.empty()) return url;
  if (after_host.front() != ':' || !is_port(after_host.substr(1))) return std::nullopt;
  url.port = after_host.substr(1);
  return url;
}

}  // namespace liminal::http
