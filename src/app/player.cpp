#include "app/player.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "core/wire/frame_writer.hpp"
#include "core/wire/handshake_key.hpp"
#include "core/wire/message_reader.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"

namespace liminal::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWaitingBytesMax = 1 << 20;
constexpr Duration kReportInterval = 100ms;
constexpr Duration kLeaveTime = 3s;
/// When nobody was let in so far and so many failed, there is no server to play to.
constexpr std::uint64_t kFailuresMax = 20;
/// What a server may send in one message before the client gives up on it.
constexpr wire::FrameLimits kLimits{.message_bytes_max = 64U << 20U, .fragments_max = 1U << 20U};

}  // namespace

/// One connection, from its beginning to its end.
class Player::Client : public epoll::Handler, public epoll::Retired {
 public:
  explicit Client(Player& player) : player_(player) {}

  [[nodiscard]] bool ended() const { return state_ == State::kEnded; }

  void connect(const traffic::Event& event) {
    auto socket = epoll::connect(player_.options_.target);
    if (!socket) return end(player_.counts_.failed);
    socket_ = std::move(*socket);
    std::array<std::uint8_t, 16> nonce{};
    for (std::uint8_t& byte : nonce) byte = static_cast<std::uint8_t>(player_.random_.bits());
    nonce_ = wire::handshake_key(nonce);
    std::vector<wire::Field> fields{{"X-User-Id", event.user.text}};
    if (!event.address.empty()) fields.push_back({"X-Forwarded-For", event.address.text});
    wire::append_client_request(
        out_, player_.options_.host, player_.options_.path, wire::text(nonce_), fields);
    if (!player_.loop_.add(socket_, *this)) return end(player_.counts_.failed);
    player_.loop_.watch_writing(socket_, *this, true);
  }

  void send(std::string_view message) {
    if (state_ == State::kEnded || waiting_.size() + out_.size() > kWaitingBytesMax) {
      ++player_.counts_.unsent;
      return;
    }
    ++player_.counts_.messages;
    wire::append_frame(
        state_ == State::kOpen ? out_ : waiting_, wire::Opcode::kText, message, mask());
    if (state_ == State::kOpen) flush();
  }

  /// Says goodbye when everything is sent; `ended` follows.
  void leave() {
    leaving_ = true;
    if (state_ == State::kEnded) return player_.ended(*this);
    if (state_ != State::kOpen || closing_) return;
    closing_ = true;
    wire::append_close(out_, wire::CloseCode::kNormal, {}, mask());
    flush();
  }

  void on_ready(epoll::Ready ready) override {
    if (state_ == State::kEnded) return;
    if (state_ == State::kConnecting && (ready.writable || ready.ended)) {
      if (socket_.take_error() != 0) return end(player_.counts_.failed);
      if (ready.writable) {
        socket_.send_at_once();
        state_ = State::kUpgrading;
      }
    }
    if (state_ != State::kConnecting && ready.writable) flush();
    if (state_ != State::kEnded && (ready.readable || ready.ended)) read();
  }

 private:
  enum class State { kConnecting, kUpgrading, kOpen, kEnded };

  wire::Mask mask() {
    return wire::Mask::from_bits(static_cast<std::uint32_t>(player_.random_.bits()));
  }

  void flush() {
    while (!out_.empty()) {
      const epoll::Transfer sent = socket_.write(out_);
      if (sent.state == epoll::Transfer::State::kBlocked) {
        player_.loop_.watch_writing(socket_, *this, true);
        return;
      }
      if (sent.state != epoll::Transfer::State::kDone) return end(player_.counts_.failed);
      out_.erase(0, sent.bytes);
    }
  }

  void read() {
    std::array<char, 16 * 1024> bytes;
    for (;;) {
      const epoll::Transfer got = socket_.read(bytes);
      if (got.state == epoll::Transfer::State::kBlocked) return;
      if (got.state != epoll::Transfer::State::kDone)
        return end(closing_ ? ignored_ : player_.counts_.failed);
      if (state_ == State::kOpen)
        take({bytes.data(), got.bytes});
      else
        upgrade({bytes.data(), got.bytes});
      if (state_ == State::kEnded) return;
      if (got.bytes < bytes.size()) return;
    }
  }

  void upgrade(std::string_view bytes) {
    head_.append(bytes);
    const auto answer = response_.read(
        head_, {.key = wire::text(nonce_), .subprotocols = {}, .extensions = false}, {});
    if (!answer) return end(player_.counts_.refused);
    if (!*answer) return;
    if (!(*answer)->switched()) return end(player_.counts_.refused);
    state_ = State::kOpen;
    ++player_.counts_.opened;
    const std::string rest = head_.substr((*answer)->head_bytes);
    head_ = {};
    out_ += waiting_;
    waiting_ = {};
    flush();
    if (state_ == State::kOpen && !rest.empty()) take(rest);
    if (state_ == State::kOpen && leaving_) leave();
  }

  void take(std::string_view bytes) {
    while (const auto message = reader_.next(bytes)) {
      switch (message->opcode) {
        case wire::Opcode::kPing:
          wire::append_frame(out_, wire::Opcode::kPong, message->payload, mask());
          flush();
          break;
        case wire::Opcode::kClose:
          // The echo of our own, or the server's wish.
          return end(closing_ ? ignored_ : player_.counts_.closed);
        case wire::Opcode::kPong:
          break;
        default:
          ++player_.counts_.answers;
      }
      if (state_ == State::kEnded) return;
    }
    if (reader_.failed()) end(player_.counts_.failed);
  }

  void end(std::uint64_t& counter) {
    if (state_ == State::kEnded) return;
    ++counter;
    state_ = State::kEnded;
    socket_.close();
    player_.ended(*this);  // and with the end of the turn this object
  }

  Player& player_;
  epoll::Socket socket_;
  std::array<char, wire::kKeyChars> nonce_{};
  wire::UpgradeResponseReader response_;
  wire::MessageReader reader_{wire::Sender::kServer, kLimits};
  std::string head_;     ///< of the answer, until it is whole
  std::string waiting_;  ///< frames until the connection is open
  std::string out_;      ///< bytes that the socket did not take yet
  State state_ = State::kConnecting;
  bool leaving_ = false, closing_ = false;
  std::uint64_t ignored_ = 0;
};

Player::Player(PlayOptions options) : options_(std::move(options)) {}
Player::~Player() = default;

PlayCounts Player::run(EventSource& source,
                       const std::function<void(const PlayCounts&)>& report,
                       const std::function<bool()>& stopped) {
  start_ = std::chrono::steady_clock::now();
  std::optional<EventTime> first;
  while (const auto event = source.next()) {
    if (!first) first = event->time;
    counts_.position = event->time - *first;
    if (!wait_until(from_seconds(seconds(counts_.position) / options_.speed), report, stopped))
      break;
    play(*event);
    if (counts_.opened == 0 && counts_.failed + counts_.refused >= kFailuresMax) break;
  }
  leave_all();
  counts_.behind = Duration::zero();
  report(counts_);
  return counts_;
}

/// Serves the connections until it is time. False when it was stopped.
bool Player::wait_until(Duration due,
                        const std::function<void(const PlayCounts&)>& report,
                        const std::function<bool()>& stopped) {
  for (;;) {
    const Duration now = elapsed();
    counts_.behind = std::max(now - due, Duration::zero());
    if (now - reported_ >= kReportInterval) {
      reported_ = now;
      counts_.open = clients_.size();
      report(counts_);
      if (stopped()) return false;
      loop_.run_once(Duration::zero());  // also when behind
    }
    if (now >= due) return true;
    loop_.run_once(std::min(due - now, kReportInterval));
  }
}

Player::Key Player::key_of(const traffic::Event& event) {
  if (event.connection != 0) return mix64(event.connection);
  return mix64(event.user.hash ^ std::rotl(event.address.hash, 17));
}

void Player::play(const traffic::Event& event) {
  ++counts_.events;
  const Key key = key_of(event);
  const auto found = clients_.find(key);
  if (event.kind == traffic::EventKind::kDisconnect) {
    if (found == clients_.end()) return;
    std::unique_ptr<Client> client = std::move(found->second);
    clients_.erase(found);
    Client& going = *client;
    leaving_.emplace(&going, std::move(client));
    going.leave();
    return;
  }
  const bool anew = event.kind == traffic::EventKind::kConnect || found == clients_.end() ||
                    found->second->ended();
  Client& client = anew ? open(key, event) : *found->second;
  if (const auto message = play_message(event, options_.format, counts_.events))
    client.send(*message);
}

Player::Client& Player::open(Key key, const traffic::Event& event) {
  std::unique_ptr<Client>& place = clients_[key];
  if (place) {
    Client& old = *place;
    leaving_.emplace(&old, std::move(place));
    old.leave();
  }
  place = std::make_unique<Client>(*this);
  Client& client = *place;
  client.connect(event);
  return client;
}

/// The connection is over. One that ended by itself stays until its user, with the next message,
/// connects again; one that was left goes.
void Player::ended(Client& client) {
  const auto leaving = leaving_.find(&client);
  if (leaving == leaving_.end()) return;
  loop_.retire(std::move(leaving->second));
  leaving_.erase(leaving);
}

void Player::leave_all() {
  for (auto& [key, client] : clients_) leaving_.emplace(client.get(), std::move(client));
  clients_.clear();
  std::vector<Client*> all;
  for (const auto& [client, owner] : leaving_) all.push_back(client);
  for (Client* client : all) {
    if (leaving_.count(client) != 0) client->leave();
  }
  const Duration end = elapsed() + kLeaveTime;
  while (!leaving_.empty() && elapsed() < end) loop_.run_once(50ms);
  counts_.open = leaving_.size();
}

Duration Player::elapsed() const { return std::chrono::steady_clock::now() - start_; }

}  // namespace liminal::app
