#include "server/gateway/outbox.hpp"

namespace liminal::gateway {

using State = epoll::Transfer::State;

void Gather::spill() {
  if (in_spill_) return;
  spilled_.assign(range_);
  in_spill_ = true;
}

void Gather::add(std::string_view piece) {
  if (piece.empty()) return;
  if (!in_spill_ && range_.empty()) {
    range_ = piece;
    return;
  }
  if (!in_spill_ && range_.data() + range_.size() == piece.data()) {
    range_ = {range_.data(), range_.size() + piece.size()};
    return;
  }
  add_copy(piece);
}

void Gather::add_copy(std::string_view piece) {
  spill();
  spilled_.append(piece);
  range_ = spilled_;
}

void Gather::clear() {
  range_ = {};
  spilled_.clear();
  in_spill_ = false;
}

bool Outbox::send(const epoll::Stream& stream, std::string_view bytes) {
  if (bytes.empty()) return true;
  if (!pending_) {
    const epoll::Transfer sent = stream.write(bytes);
    if (sent.state == State::kFailed) return false;
    if (sent.bytes == bytes.size()) return true;
    bytes.remove_prefix(sent.bytes);
  }
  queue(bytes);
  return true;
}

void Outbox::queue(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!pending_) pending_ = std::make_unique<Pending>();
  pending_->bytes.append(bytes);
}

bool Outbox::flush(const epoll::Stream& stream) {
  while (pending_) {
    const epoll::Transfer sent =
        stream.write(std::string_view(pending_->bytes).substr(pending_->sent));
    if (sent.state == State::kFailed) return false;
    if (sent.state == State::kBlocked) break;
    pending_->sent += sent.bytes;
    if (pending_->sent == pending_->bytes.size()) {
      pending_.reset();
      break;
    }
  }
  // What was sent is let go once it is the larger part, so that each byte moves at most once.
  if (pending_ && pending_->sent > pending_->bytes.size() / 2) {
    pending_->bytes.erase(0, pending_->sent);
    pending_->sent = 0;
  }
  return true;
}

}  // namespace liminal::gateway
