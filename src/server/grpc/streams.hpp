#pragma once

#include <externalscaler.grpc.pb.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <vector>

namespace liminal::grpc {

/// One open stream, whatever it carries.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Sends what is new, if anything is and nothing is being sent. Any thread.
  virtual void refresh() = 0;
  /// Ends it once what is being sent was sent. Any thread.
  virtual void end(const ::grpc::Status& status) = 0;
};

/// The open streams, bounded, and the thread that refreshes them.
class Streams {
 public:
  Streams(std::size_t streams_max, std::chrono::milliseconds refresh);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// OK; RESOURCE_EXHAUSTED when there are too many, UNAVAILABLE when no more are taken.
  [[nodiscard]] ::grpc::Status add(const std::shared_ptr<Stream>& stream);
  void remove(const std::shared_ptr<Stream>& stream);
  [[nodiscard]] std::size_t size() const;

  /// Takes no more, and ends those that are open.
  void close();

 private:
  [[nodiscard]] std::vector<std::shared_ptr<Stream>> all() const;
  void run();

  const std::size_t streams_max_;
  const std::chrono::milliseconds refresh_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable closing_;
  std::unordered_set<std::shared_ptr<Stream>> open_;
  bool closed_ = false;
  std::thread thread_;
};

/// A stream that sends a message at once and whenever it is another one.
template <class Message>
class MessageStream final : public ::grpc::ServerWriteReactor<Message>,
                            public Stream,
                            public std::enable_shared_from_this<MessageStream<Message>> {
 public:
  /// The present message; or nothing, when it is as the one before it.
  using Next = std::function<std::optional<Message>()>;

  /// Makes one; gRPC owns it until it is done. `opened` is told whether it was taken; one that was
  /// not ends with that.
  template <class Opened>
  static MessageStream* open(Streams& streams, Next next, Opened opened) {
    const auto stream = std::make_shared<MessageStream>(streams, std::move(next));
    stream->alive_ = stream;
    const ::grpc::Status taken = streams.add(stream);
    opened(taken);
    if (taken.ok()) {
      stream->refresh();
    } else {
      stream->end(taken);
    }
    return stream.get();
  }

  MessageStream(Streams& streams, Next next) : streams_(streams), next_(std::move(next)) {}

  void refresh() override {
    const std::lock_guard lock(mutex_);
    if (writing_ || ending_) return;
    std::optional<Message> next = next_();
    if (!next) return;
    message_ = std::move(*next);
    writing_ = true;
    this->StartWrite(&message_);
  }

  void end(const ::grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    ending_ = status;
    if (!writing_) this->Finish(status);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ending_) return this->Finish(*ending_);
    if (ok) return;
    ending_ = ::grpc::Status::CANCELLED;
    this->Finish(*ending_);
  }

  void OnCancel() override { end(::grpc::Status::CANCELLED); }

  void OnDone() override {
    const auto self = this->shared_from_this();
    streams_.remove(self);
    alive_.reset();
  }

 private:
  Streams& streams_;
  const Next next_;
  std::shared_ptr<MessageStream> alive_;  ///< itself, until gRPC is done with it
  std::mutex mutex_;                      // of what follows
  Message message_;
  bool writing_ = false;
  std::optional<::grpc::Status> ending_;
};

}  // namespace liminal::grpc
