#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/epoll/stream.hpp"

namespace liminal::gateway {

/// Collects what is to be sent out of one read. Pieces that stand together in memory stay where
/// they are; only others are copied.
class Gather {
 public:
  void add(std::string_view piece);
  /// For a piece that will not stay where it is.
  void add_copy(std::string_view piece);
  [[nodiscard]] std::string_view bytes() const { return range_; }
  void clear();

 private:
  void spill();
  std::string_view range_;
  std::string spilled_;
  bool in_spill_ = false;
};

/// What waits for a socket that has no room. Empty, it is one null pointer.
class Outbox {
 public:
  /// Sends at once what goes, keeps the rest. False when the connection is broken.
  [[nodiscard]] bool send(const epoll::Stream& stream, std::string_view bytes);
  /// Keeps without sending.
  void queue(std::string_view bytes);
  /// Sends what waits, as far as there is room. False when the connection is broken.
  [[nodiscard]] bool flush(const epoll::Stream& stream);

  [[nodiscard]] std::size_t waiting() const {
    return pending_ ? pending_->bytes.size() - pending_->sent : 0;
  }
  [[nodiscard]] bool empty() const { return pending_ == nullptr; }
  void clear() { pending_.reset(); }

 private:
  struct Pending {
    std::string bytes;
    std::size_t sent = 0;
  };
  std::unique_ptr<Pending> pending_;
};

}  // namespace liminal::gateway
