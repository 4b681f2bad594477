#include "server/player/client.hpp"

#include <utility>

#include "core/wire/frame_writer.hpp"
#include "core/wire/upgrade_request.hpp"

namespace liminal::player {
namespace {

constexpr Duration kOpeningTime = std::chrono::seconds{20};
constexpr Duration kClosingTime = std::chrono::seconds{3};
constexpr wire::HeadLimits kHeadLimits{.bytes_max = 16 * 1024, .target_bytes_max = 4096};
constexpr std::size_t kReadBytes = 16 * 1024;

std::array<char, wire::kKeyChars> random_key(Random& random) {
  std::array<std::uint8_t, 16> bytes;
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.bits());
  return wire::handshake_key(bytes);
}

}  // namespace

Client::Client(epoll::Loop& loop, ClientOwner& owner, std::uint64_t random)
    : loop_(loop),
      owner_(owner),
      random_(random),
      key_(random_key(random_)),
      reader_(wire::Sender::kServer, {}) {}

bool Client::start(const Target& target, std::span<const wire::Field> fields) {
  Result<epoll::Socket> socket = epoll::connect(target.address);
  if (!socket) {
    end_ = End::kUnreachable;
    state_ = State::kClosed;
    return false;
  }
  stream_ = epoll::Stream(std::move(*socket));
  if (target.ciphered) {
    cipher_ = target.cipher;
    name_ = target.name;
  }
  wire::append_client_request(out_, target.host, target.path, wire::text(key_), fields);
  if (!loop_.add(stream_.socket(), *this) || (target.ciphered && !cipher_)) {
    end_ = End::kUnreachable;
    state_ = State::kClosed;
    stream_.close();
    return false;
  }
  state_ = State::kConnecting;
  wants_writing_ = true;
  loop_.watch_writing(stream_.socket(), *this, true);
  loop_.arm(deadline_, kOpeningTime);
  return true;
}

wire::Mask Client::next_mask() {
  return wire::Mask::from_bits(static_cast<std::uint32_t>(random_.bits()));
}

bool Client::send(std::string_view text) {
  if (goodbye_ || state_ == State::kClosed) return false;
  if (out_.size() - sent_ + early_.size() + text.size() > kWaitingBytesMax) return false;
  wire::append_frame(
      state_ == State::kOpen ? out_ : early_, wire::Opcode::kText, text, next_mask());
  if (state_ == State::kOpen && !wants_writing_) flush();
  return true;
}

void Client::close(wire::CloseCode code) {
  if (goodbye_ || state_ == State::kClosed) return;
  say_goodbye(code);
  if (state_ == State::kClosing && !wants_writing_) flush();
}

void Client::say_goodbye(wire::CloseCode code) {
  goodbye_ = true;
  wire::append_close(state_ == State::kOpen ? out_ : early_, code, {}, next_mask());
  if (state_ != State::kOpen) return;
  state_ = State::kClosing;
  loop_.arm(deadline_, kClosingTime);
}

void Client::on_ready(epoll::Ready ready) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kConnecting) {
    connect_further(ready);
  } else if (state_ == State::kGreeting) {
    greet();
  } else if (ready.writable && wants_writing_) {
    flush();
  }
  if (state_ > State::kGreeting && state_ != State::kClosed) read();
}

void Client::connect_further(epoll::Ready ready) {
  if (!ready.writable && !ready.ended) return;
  if (stream_.socket().take_error() != 0) return end(End::kUnreachable);
  state_ = State::kGreeting;
  if (const CipherMaker make = std::exchange(cipher_, {})) {
    auto cipher = make(stream_.socket(), name_);
    if (!cipher) return end(End::kUntrusted);
    stream_.put_under(std::move(cipher));
  }
  greet();
}

void Client::greet() {
  const epoll::Transfer greeted = stream_.greet();
  if (greeted.state == epoll::Transfer::State::kBlocked) return;
  if (greeted.state != epoll::Transfer::State::kDone) return end(End::kUntrusted);
  state_ = State::kUpgrading;
  flush();
}

void Client::read() {
  std::array<char, kReadBytes> buffer;
  while (state_ != State::kClosed) {
    const epoll::Transfer got = stream_.read(buffer);
    switch (got.state) {
      case epoll::Transfer::State::kBlocked:
        return;
      case epoll::Transfer::State::kDone:
        take({buffer.data(), got.bytes});
        break;
      case epoll::Transfer::State::kEnd:
      case epoll::Transfer::State::kFailed:
        return end(state_ == State::kConnecting ? End::kUnreachable : End::kBroken);
    }
  }
}

void Client::take(std::string_view bytes) {
  if (state_ == State::kUpgrading) {
    take_answer(bytes);
  } else {
    take_frames(bytes);
  }
}

void Client::take_answer(std::string_view bytes) {
  head_.append(bytes);
  const auto answer = answer_.read(head_, {wire::text(key_), {}, false}, kHeadLimits);
  if (!answer) return end(End::kNotWebSocket);
  if (!*answer) return;
  status_ = (*answer)->status;
  if (!(*answer)->switched()) return end(End::kRefused);
  const std::string rest = head_.substr((*answer)->head_bytes);
  head_ = {};
  opened();
  if (state_ != State::kClosed) take_frames(rest);
}

void Client::opened() {
  state_ = goodbye_ ? State::kClosing : State::kOpen;
  if (goodbye_) {
    loop_.arm(deadline_, kClosingTime);
  } else {
    deadline_.cancel();
  }
  out_.append(early_);
  early_ = {};
  owner_.opened(*this);
  if (!wants_writing_) flush();
}

void Client::take_frames(std::string_view bytes) {
  while (state_ != State::kClosed) {
    const auto message = reader_.next(bytes);
    if (!message) break;
    take_message(*message);
  }
  if (state_ != State::kClosed && reader_.failed()) end(End::kNotWebSocket);
}

void Client::take_message(const wire::Message& message) {
  switch (message.opcode) {
    case wire::Opcode::kPing:
      if (goodbye_ || out_.size() - sent_ > kWaitingBytesMax) return;
      wire::append_frame(out_, wire::Opcode::kPong, message.payload, next_mask());
      if (!wants_writing_) flush();
      return;
    case wire::Opcode::kClose: {
      close_code_ = wire::read_close(message.payload).code;
      if (!goodbye_) say_goodbye(close_code_);
      // Best effort: whoever says goodbye first has nothing left to hear.
      if (!wants_writing_) flush();
      if (state_ != State::kClosed) end(End::kClosed);
      return;
    }
    case wire::Opcode::kText:
    case wire::Opcode::kBinary:
      return owner_.received(*this, message);
    default:
      return;
  }
}

void Client::flush() {
  while (sent_ < out_.size()) {
    const epoll::Transfer done = stream_.write(std::string_view(out_).substr(sent_));
    if (done.state != epoll::Transfer::State::kDone) {
      // A broken connection shows when it is read, after what the server has still said.
      break;
    }
    sent_ += done.bytes;
  }
  const bool more = sent_ < out_.size();
  if (!more) {
    out_.clear();
    sent_ = 0;
  }
  if (more == wants_writing_) return;
  wants_writing_ = more;
  loop_.watch_writing(stream_.socket(), *this, more);
}

void Client::end(End why) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  end_ = why;
  deadline_.cancel();
  problem_ = stream_.problem();
  stream_.close();
  owner_.closed(*this);
}

}  // namespace liminal::player
