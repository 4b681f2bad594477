#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/wire/frame_parser.hpp"
#include "io/epoll/loop.hpp"
#include "io/epoll/socket.hpp"

namespace liminal::bench {

/// A server that echoes every message, on the loop of the load.
class EchoServer {
 public:
  EchoServer(epoll::Loop& loop, const std::string& at);
  ~EchoServer();
  [[nodiscard]] std::string address() const { return listener_.local().text(); }
  /// Connections that have not ended.
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  struct Session;
  struct Door;
  epoll::Loop& loop_;
  epoll::Listener listener_;
  std::unique_ptr<Door> door_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::size_t open_ = 0;
};

struct LoadShape {
  std::size_t connections = 1000;
  std::size_t payload_bytes = 64;
  std::size_t in_flight = 1;  ///< messages of each connection
};

/// Clients that send the next message as soon as the last one has come back, or when told to.
class Load {
 public:
  /// Connects all of them; `ok` tells whether all were let in.
  Load(epoll::Loop& loop, const std::string& address, const LoadShape& shape);
  ~Load();

  [[nodiscard]] bool ok() const { return ok_; }
  void begin();
  /// Lets the next client in turn send one message, whatever is under way.
  void send_next();
  /// How long each message since `begin_timing` took to come back, in µs.
  [[nodiscard]] const std::vector<double>& latencies_us() const { return latencies_us_; }
  void begin_timing() { latencies_us_.clear(); }
  [[nodiscard]] std::uint64_t round_trips() const { return round_trips_; }

 private:
  struct Client;
  epoll::Loop& loop_;
  std::string frame_;
  std::size_t in_flight_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t open_ = 0;
  std::uint64_t round_trips_ = 0;
  bool ok_ = false;
  bool running_ = false;
  std::size_t turn_ = 0;
  std::vector<double> latencies_us_;
};

}  // namespace liminal::bench
