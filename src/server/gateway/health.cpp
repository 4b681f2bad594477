#include "server/gateway/health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "core/base/hash.hpp"
#include "core/wire/frame_writer.hpp"
#include "core/wire/handshake_key.hpp"
#include "core/wire/upgrade_request.hpp"
#include "core/wire/upgrade_response.hpp"

namespace liminal::gateway {
namespace {

using State = epoll::Transfer::State;
using Check = HealthOptions::Check;

/// More of an answer is not read: its head says it all.
constexpr std::size_t kAnswerBytesMax = 16 * 1024;

/// What a `Host` field names.
std::string authority(const Upstream& upstream) {
  return upstream.host().empty() ? "localhost" : upstream.target();
}

}  // namespace

/// The checks of one upstream.
class HealthChecks::Probe final : public epoll::Handler, public epoll::Retired, epoll::Timer {
 public:
  Probe(Thread& thread, std::shared_ptr<Upstream> upstream)
      : thread_(thread), upstream_(std::move(upstream)) {}

  void configure() {
    settings_ = thread_.settings;
    if (!armed() && stage_ == Stage::kWaiting) thread_.loop.arm(*this, Duration::zero());
  }
  void stop() {
    cancel();
    stream_.close();
    stage_ = Stage::kStopped;
  }
  [[nodiscard]] const Upstream* upstream() const { return upstream_.get(); }

  void on_ready(epoll::Ready) override {
    if (stage_ == Stage::kConnecting) return connected();
    if (stage_ == Stage::kGreeting) return greet();
    if (stage_ == Stage::kAnswer) read();
  }
  void on_timer() override {
    if (stage_ == Stage::kWaiting) return begin();
    settle(stage_ == Stage::kConnecting ? "no connection in time"
           : stage_ == Stage::kGreeting ? "no TLS handshake in time"
                                        : "no answer in time");
  }

 private:
  enum class Stage : std::uint8_t { kWaiting, kConnecting, kGreeting, kAnswer, kStopped };

  [[nodiscard]] const HealthOptions& options() const { return settings_->options.health; }

  void begin() {
    answer_.clear();
    reader_ = {};
    const auto address = upstream_->address();
    if (!address) return settle("its name is not known");
    Result<epoll::Socket> socket = epoll::connect(*address);
    if (!socket) return settle(epoll::system_words(socket.error().position));
    stream_ = epoll::Stream(std::move(*socket));
    if (!thread_.loop.add(stream_.socket(), *this)) return settle("not to be watched");
    stage_ = Stage::kConnecting;
    thread_.loop.arm(*this, options().timeout);
    thread_.loop.watch_writing(stream_.socket(), *this, true);
  }

  void connected() {
    const int error = stream_.socket().take_error();
    if (error != 0) return settle(epoll::system_words(static_cast<std::uint64_t>(error)));
    if (upstream_->ciphered()) {
      const auto& factory = settings_->ciphers.upstreams;
      auto cipher = factory ? factory->start(stream_.socket(), upstream_->host()) : nullptr;
      if (!cipher) return settle("TLS cannot begin");
      stream_.put_under(std::move(cipher));
    }
    stage_ = Stage::kGreeting;
    greet();
  }

  void greet() {
    const epoll::Transfer greeted = stream_.greet();
    if (greeted.state == State::kBlocked) return;
    if (greeted.state != State::kDone) return settle("TLS: " + stream_.problem());
    if (options().check == Check::kTcp) return settle({});
    const std::string request = ask();
    if (stream_.write(request).bytes != request.size()) return settle("no room for the request");
    stage_ = Stage::kAnswer;
    thread_.loop.watch_writing(stream_.socket(), *this, false);
  }

  [[nodiscard]] std::string ask() {
    const std::string& own = settings_->options.upstream_host;
    const std::string host = own.empty() ? authority(*upstream_) : own;
    if (options().check == Check::kHttp)
      return fmt::format(
          "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: liminal\r\nConnection: close\r\n\r\n",
          options().path,
          host);
    // Fresh enough to tell answers apart; there is nothing to hide.
    std::array<std::uint8_t, 16> random{};
    for (std::uint8_t& byte : random) byte = static_cast<std::uint8_t>(seed_ = mix64(seed_ + 1));
    key_ = wire::handshake_key(random);
    std::string request;
    wire::append_client_request(request, host, options().path, wire::text(key_), {});
    return request;
  }

  void read() {
    for (;;) {
      const epoll::Transfer got = stream_.read(thread_.buffer);
      if (got.state == State::kBlocked) return;
      if (got.state != State::kDone) return settle("hung up before its answer");
      answer_.append(thread_.buffer.data(), got.bytes);
      options().check == Check::kHttp ? judge_http() : judge_upgrade();
      if (stage_ != Stage::kAnswer) return;
      if (answer_.size() > kAnswerBytesMax) return settle("an answer without end");
    }
  }

  /// Any answer from 200 to 399 will do.
  void judge_http() {
    if (answer_.find("\r\n") == std::string::npos) return;
    const bool http = answer_.rfind("HTTP/1.", 0) == 0 && answer_.size() >= 12;
    if (!http) return settle("an answer that is no HTTP");
    const std::string status = answer_.substr(9, 3);
    settle(status[0] == '2' || status[0] == '3' ? "" : "status " + status);
  }

  void judge_upgrade() {
    const auto answer =
        reader_.read(answer_, {wire::text(key_), {}, false}, settings_->options.head);
    if (!answer) return settle(std::string(wire::name(answer.error())));
    if (!*answer) return;
    if (!(*answer)->switched()) return settle(fmt::format("status {}", (*answer)->status));
    std::string goodbye;
    wire::append_close(goodbye, wire::CloseCode::kNormal, {}, wire::Mask::from_bits(1));
    (void)stream_.write(goodbye);
    settle({});
  }

  /// `why` it is not well; empty when it is.
  void settle(const std::string& why) {
    stream_.close();
    stage_ = Stage::kWaiting;
    thread_.loop.arm(*this, options().interval);
    const bool well = why.empty();
    if (!well) upstream_->doubt();
    // What speaks against the present belief counts in a row.
    against_ = well == upstream_->up() ? 0 : against_ + 1;
    if (against_ < (well ? options().up_after : options().down_after)) return;
    if (well == upstream_->up()) return;
    against_ = 0;
    upstream_->set_up(well);
    if (well) upstream_->succeeded();
    if (thread_.reporter != nullptr)
      thread_.reporter->upstream_changed(upstream_->name(), well, why);
  }

  Thread& thread_;
  const std::shared_ptr<Upstream> upstream_;
  std::shared_ptr<const Settings> settings_;
  epoll::Stream stream_;
  std::string answer_;
  std::array<char, wire::kKeyChars> key_{};
  wire::UpgradeResponseReader reader_;
  std::uint64_t seed_ = 0;
  std::uint32_t against_ = 0;
  Stage stage_ = Stage::kWaiting;
};

HealthChecks::HealthChecks(Thread& thread) : thread_(thread) {}
HealthChecks::~HealthChecks() = default;

void HealthChecks::configure() {
  const Settings& settings = *thread_.settings;
  std::vector<std::unique_ptr<Probe>> before = std::exchange(probes_, {});
  if (settings.upstreams) {
    for (const std::shared_ptr<Upstream>& upstream : settings.upstreams->all()) {
      if (settings.options.health.check == Check::kNone) {
        upstream->set_up(true);  // nobody would ever say so
        continue;
      }
      const auto same = std::find_if(before.begin(), before.end(), [&](const auto& probe) {
        return probe && probe->upstream() == upstream.get();
      });
      probes_.push_back(same == before.end() ? std::make_unique<Probe>(thread_, upstream)
                                             : std::move(*same));
      probes_.back()->configure();
    }
  }
  for (std::unique_ptr<Probe>& probe : before) {
    if (!probe) continue;
    probe->stop();
    thread_.loop.retire(std::move(probe));
  }
}

void HealthChecks::stop() {
  for (std::unique_ptr<Probe>& probe : probes_) {
    probe->stop();
    thread_.loop.retire(std::move(probe));
  }
  probes_.clear();
}

}  // namespace liminal::gateway
