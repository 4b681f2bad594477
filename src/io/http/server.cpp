#include "io/http/server.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "io/http/framing.hpp"

namespace liminal::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

/// How long a refused client is listened to, so that it reads the answer before the connection
/// goes.
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kReadBytes = 4096;
/// How often a connection looks at its clock at least.
constexpr std::chrono::milliseconds kTickMax{1000};

struct Refusal {
  unsigned status;
  std::string_view detail;
};

/// A quarter of the shortest time that is given.
std::chrono::milliseconds tick_of(const Options& options) {
  const auto shortest = std::min({options.idle_timeout,
                                  options.receive_timeout,
                                  options.handler_timeout,
                                  options.send_timeout});
  return std::clamp(shortest / 4, std::chrono::milliseconds{1}, kTickMax);
}

/// What is answered to a request that could not be read; nothing when the client is simply gone.
std::optional<Refusal> refusal(error_code code) {
  using beast::http::error;
  if (code == error::body_limit) return Refusal{413, "the body is larger than is accepted"};
  if (code == error::header_limit || code == error::buffer_overflow)
    return Refusal{431, "the header fields are larger than is accepted"};
  if (code == error::bad_version) return Refusal{505, "HTTP/1.1 is spoken here"};
  if (code == error::end_of_stream || code == error::partial_message) return std::nullopt;
  if (code.category() == error_code(error::bad_method).category())
    return Refusal{400, "this is no HTTP request"};
  return std::nullopt;
}

}  // namespace

class Session;

struct Server::Core : std::enable_shared_from_this<Server::Core> {
  Core(const Options& o, Handler h, ErrorPage e)
      : options(o), handler(std::move(h)), error_page(std::move(e)) {}

  bool admit(const std::shared_ptr<Session>& session);
  void accept();
  void run();

  const Options options;
  const std::chrono::milliseconds tick = tick_of(options);
  const Handler handler;
  const ErrorPage error_page;
  std::atomic<bool> draining{false};
  std::mutex mutex;  // of what follows
  std::condition_variable closed;
  std::unordered_map<const Session*, std::weak_ptr<Session>> sessions;
  // Sessions that still hang in it use what stands above: it is destroyed before that.
  asio::io_context io;
  tcp::acceptor acceptor{asio::make_strand(io)};
  asio::steady_timer retry{acceptor.get_executor()};
  std::uint16_t port = 0;
  std::vector<std::thread> threads;
};

/// One connection. Everything runs on its strand; pending operations keep it alive.
///
/// How long something may take is looked at once a tick: timers that are set and cancelled with
/// every request would cost as much as its answer.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // Not private to Server for the sake of make_shared; `Core` is.
  template <class Core>
  Session(tcp::socket socket, std::shared_ptr<Core> core, const Core& settings)
      : options_(settings.options),
        tick_(settings.tick),
        handler_(settings.handler),
        error_page_(settings.error_page),
        draining_(settings.draining),
        core_(core),
        stream_(std::move(socket)),
        watch_(stream_.get_executor()) {
    error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    const tcp::endpoint peer = stream_.socket().remote_endpoint(ignored);
    peer_ = peer.address();
    if (peer_.is_v6() && peer_.to_v6().is_v4_mapped())
      peer_ = asio::ip::make_address_v4(asio::ip::v4_mapped, peer_.to_v6());
    forget_ = [weak = std::weak_ptr<Core>(core), this] {
      if (const auto alive = weak.lock()) {
        const std::lock_guard lock(alive->mutex);
        alive->sessions.erase(this);
        alive->closed.notify_all();
      }
    };
  }
  ~Session() { forget_(); }

  void start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      self->watch();
      self->await_request();
    });
  }

  /// Closes the connection if nothing is under way on it.
  void drain() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      if (self->idle_) self->close();
    });
  }

 private:
  using Parser = beast::http::request_parser<beast::http::string_body>;
  using Clock = std::chrono::steady_clock;

  /// What is begun now may take so long.
  void allow(Clock::duration time) { deadline_ = Clock::now() + time; }

  void watch() {
    watch_.expires_after(tick_);
    watch_.async_wait([self = shared_from_this()](error_code error) {
      if (error || !self->stream_.socket().is_open()) return;
      if (Clock::now() >= self->deadline_) self->expire();
      self->watch();
    });
  }

  void expire() {
    if (answered_) return close();
    answer(turn_, page({503, "no answer was found in time"}));
  }

  void await_request() {
    if (buffer_.size() > 0) return read_header();  // pipelined
    if (draining_) return close();
    idle_ = true;
    allow(options_.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t count) {
                              self->idle_ = false;
                              if (error) return self->close();
                              self->buffer_.commit(count);
                              self->read_header();
                            });
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
    parser_->body_limit(options_.body_bytes_max);
    allow(options_.receive_timeout);
    beast::http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
          if (error) return self->refuse(error);
          self->read_body();
        });
  }

  void read_body() {
    const auto expect = parser_->get().find(beast::http::field::expect);
    if (expect != parser_->get().end() && !parser_->is_done()) {
      if (!same_name({expect->value().data(), expect->value().size()}, "100-continue"))
        return refuse({417, "only 100-continue can be expected"});
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      return asio::async_write(stream_,
                               asio::buffer(kContinue),
                               [self = shared_from_this()](error_code error, std::size_t) {
                                 if (error) return self->close();
                                 self->read_rest();
                               });
    }
    read_rest();
  }

  void read_rest() {
    if (parser_->is_done()) return handle();
    beast::http::async_read(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
          if (error) return self->refuse(error);
          self->handle();
        });
  }

  void handle() {
    auto& message = parser_->get();
    if (message.version() >= 11 && message.count(beast::http::field::host) != 1)
      return refuse({400, "exactly one Host header field is required"});
    keep_alive_ = message.version() >= 11 && message.keep_alive();
    head_only_ = message.method() == beast::http::verb::head;
    Request request;
    request.method = message.method_string();
    request.target = message.target();
    for (const auto& field : message)
      request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    request.body = std::move(message.body());
    request.peer = peer_.to_string();
    request.peer_is_local = peer_.is_loopback();
    request.takes_pieces = message.version() >= 11 && !head_only_;
    answered_ = false;
    ++turn_;
    allow(options_.handler_timeout);
    handler_(std::move(request),
             [core = core_, weak = weak_from_this(), turn = turn_](Response response) {
               const auto alive = core.lock();  // first: the connection must die before the server
               const auto self = weak.lock();
               if (!alive || !self) return;
               asio::dispatch(self->stream_.get_executor(),
                              [self, turn, response = std::move(response)]() mutable {
                                self->answer(turn, std::move(response));
                              });
             });
  }

  void answer(std::uint64_t turn, Response response) {
    if (turn != turn_ || answered_) return;
    answered_ = true;
    keep_alive_ = keep_alive_ && !draining_;
    write(std::move(response));
  }

  void refuse(error_code error) {
    if (const auto words = refusal(error)) return refuse(*words);
    close();
  }

  void refuse(Refusal words) {
    keep_alive_ = false;
    head_only_ = false;
    write(page(words));
  }

  [[nodiscard]] Response page(Refusal words) const {
    std::string_view request_id;
    if (parser_) {
      const auto& fields = parser_->get();
      if (const auto found = fields.find("X-Request-Id"); found != fields.end())
        request_id = {found->value().data(), found->value().size()};
    }
    return error_page_(words.status, words.detail, request_id);
  }

  void write(Response response) {
    response_ = std::move(response);
    head_ = response_head(response_, keep_alive_);
    if (head_only_ || response_.status == 204 || response_.status == 304) response_.body.clear();
    if (!response_.rest) return send({}, Piece::Then::kEnd);
    head_ += chunk_head(response_.body.size());
    send(chunk_tail(response_.body.size(), Piece::Then::kMore), Piece::Then::kMore);
  }

  /// Sends head, body and tail, whose bytes must live on.
  void send(std::string_view tail, Piece::Then then) {
    const std::array<asio::const_buffer, 3> parts{
        asio::buffer(head_), asio::buffer(response_.body), asio::buffer(tail.data(), tail.size())};
    allow(options_.send_timeout);
    asio::async_write(
        stream_, parts, [self = shared_from_this(), then](error_code error, std::size_t) {
          if (error) return self->close();
          if (then == Piece::Then::kMore) return self->ask_for_more();
          self->end_answer(self->keep_alive_ && then == Piece::Then::kEnd);
        });
  }

  void ask_for_more() {
    allow(options_.handler_timeout);
    response_.rest([core = core_, weak = weak_from_this(), turn = ++turn_](Piece piece) {
      const auto alive = core.lock();  // first: the connection must die before the server
      const auto self = weak.lock();
      if (!alive || !self) return;
      asio::dispatch(self->stream_.get_executor(),
                     [self, turn, piece = std::move(piece)]() mutable {
                       self->write_piece(turn, std::move(piece));
                     });
    });
  }

  void write_piece(std::uint64_t turn, Piece piece) {
    if (turn != turn_) return;
    ++turn_;
    response_.body = std::move(piece.bytes);
    head_ = chunk_head(response_.body.size());
    send(chunk_tail(response_.body.size(), piece.then), piece.then);
  }

  void end_answer(bool go_on) {
    response_ = {};
    if (go_on) return await_request();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    allow(kLinger);
    linger();
  }

  /// Reads away what the client still sends: closing with unread bytes would reset the connection,
  /// and the client might never see the answer.
  void linger() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (error) return self->close();
                              self->linger();
                            });
  }

  void close() {
    error_code ignored;
    stream_.socket().close(ignored);
    watch_.cancel();
    ++turn_;  // what still comes is too late
    response_.rest = nullptr;
  }

  const Options& options_;
  const std::chrono::milliseconds tick_;
  const Handler& handler_;
  const ErrorPage& error_page_;
  const std::atomic<bool>& draining_;
  std::weak_ptr<void> core_;
  std::function<void()> forget_;
  beast::tcp_stream stream_;
  asio::steady_timer watch_;
  Clock::time_point deadline_ = Clock::time_point::max();
  asio::ip::address peer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Response response_;
  std::string head_;
  std::uint64_t turn_ = 0;
  bool idle_ = false;
  bool answered_ = true;
  bool keep_alive_ = false;
  bool head_only_ = false;
};

bool Server::Core::admit(const std::shared_ptr<Session>& session) {
  const std::lock_guard lock(mutex);
  if (sessions.size() >= options.connections_max) return false;
  sessions.emplace(session.get(), session);
  return true;
}

void Server::Core::accept() {
  acceptor.async_accept(asio::make_strand(io), [this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || draining) return;
    if (error) {  // out of descriptors, most likely: they come back
      retry.expires_after(std::chrono::milliseconds{100});
      return retry.async_wait([this](error_code cancelled) {
        if (!cancelled && !draining) accept();
      });
    }
    const auto session = std::make_shared<Session>(std::move(socket), shared_from_this(), *this);
    if (admit(session)) session->start();
    accept();
  });
}

void Server::Core::run() {
  // Signals are for the thread that waits for them, not for these.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned i = 0; i < options.threads; ++i) threads.emplace_back([this] { io.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Problems validate(const Options& options) {
  Problems problems;
  error_code error;
  asio::ip::make_address(options.host, error);
  if (error) problems.push_back({"host", "must be an IP address, as 127.0.0.1 or ::1"});
  if (options.threads < 1 || options.threads > 64)
    problems.push_back({"threads", "must be from 1 to 64"});
  if (options.header_bytes_max < 1024 || options.header_bytes_max > 1024 * 1024)
    problems.push_back({"header_bytes_max", "must be from 1 KiB to 1 MiB"});
  if (options.body_bytes_max < 1024 || options.body_bytes_max > 1024 * 1024 * 1024)
    problems.push_back({"body_bytes_max", "must be from 1 KiB to 1 GiB"});
  if (options.connections_max < 1) problems.push_back({"connections_max", "must be at least 1"});
  const std::pair<const char*, std::chrono::milliseconds> times[] = {
      {"idle_timeout", options.idle_timeout},
      {"receive_timeout", options.receive_timeout},
      {"handler_timeout", options.handler_timeout},
      {"send_timeout", options.send_timeout}};
  for (const auto& [key, time] : times) {
    if (time < std::chrono::milliseconds{1} || time > std::chrono::hours{24})
      problems.push_back({key, "must be from 1 ms to 24 h"});
  }
  return problems;
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<Server>> Server::start(const Options& options,
                                              Handler handler,
                                              ErrorPage error_page) {
  auto core = std::make_shared<Core>(options, std::move(handler), std::move(error_page));
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error) return failure(ErrorCode::kMalformed);
  const tcp::endpoint endpoint(address, options.port);
  core->acceptor.open(endpoint.protocol(), error);
  if (!error) core->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) core->acceptor.bind(endpoint, error);
  if (!error) core->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) core->port = core->acceptor.local_endpoint(error).port();
  if (error) return failure(ErrorCode::kIo, static_cast<std::uint64_t>(error.value()));
  core->accept();
  core->run();
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::~Server() { stop(std::chrono::milliseconds{0}); }

std::uint16_t Server::port() const { return core_->port; }

std::size_t Server::connections() const {
  const std::lock_guard lock(core_->mutex);
  return core_->sessions.size();
}

void Server::stop(std::chrono::milliseconds patience) {
  if (core_->threads.empty()) return;
  core_->draining = true;
  asio::post(core_->acceptor.get_executor(), [core = core_.get()] {
    error_code ignored;
    core->acceptor.close(ignored);
    core->retry.cancel();
  });
  std::vector<std::shared_ptr<Session>> open;
  {
    const std::lock_guard lock(core_->mutex);
    for (const auto& entry : core_->sessions) {
      if (auto session = entry.second.lock()) open.push_back(std::move(session));
    }
  }
  for (const auto& session : open) session->drain();
  open.clear();
  {
    std::unique_lock lock(core_->mutex);
    core_->closed.wait_for(lock, patience, [this] { return core_->sessions.empty(); });
  }
  core_->io.stop();
  for (std::thread& thread : core_->threads) thread.join();
  core_->threads.clear();
}

}  // namespace liminal::http
