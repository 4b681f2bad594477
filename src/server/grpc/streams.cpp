#include "server/grpc/streams.hpp"

namespace liminal::grpc {
namespace {

::grpc::Status stopping() { return {::grpc::StatusCode::UNAVAILABLE, "the server is stopping"}; }

}  // namespace

Streams::Streams(std::size_t streams_max, std::chrono::milliseconds refresh)
    : streams_max_(streams_max), refresh_(refresh), thread_([this] { run(); }) {}

Streams::~Streams() {
  close();
  thread_.join();
}

::grpc::Status Streams::add(const std::shared_ptr<Stream>& stream) {
  const std::lock_guard lock(mutex_);
  if (closed_) return stopping();
  if (open_.size() >= streams_max_)
    return {::grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open"};
  open_.insert(stream);
  return ::grpc::Status::OK;
}

void Streams::remove(const std::shared_ptr<Stream>& stream) {
  const std::lock_guard lock(mutex_);
  open_.erase(stream);
}

std::size_t Streams::size() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::vector<std::shared_ptr<Stream>> Streams::all() const {
  const std::lock_guard lock(mutex_);
  return {open_.begin(), open_.end()};
}

void Streams::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  closing_.notify_all();
  for (const auto& stream : all()) stream->end(stopping());
}

void Streams::run() {
  std::unique_lock lock(mutex_);
  while (!closing_.wait_for(lock, refresh_, [this] { return closed_; })) {
    lock.unlock();
    for (const auto& stream : all()) stream->refresh();
    lock.lock();
  }
}

}  // namespace liminal::grpc
