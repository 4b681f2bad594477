#include "io/epoll/mailbox.hpp"

namespace liminal::epoll {

Mailbox::Put Mailbox::put(Task task) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= capacity_) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return Put::kFull;
  }
  return append(std::move(task));
}

Mailbox::Put Mailbox::put_reserved(Task task) {
  const std::lock_guard lock(mutex_);
  return append(std::move(task));
}

Mailbox::Put Mailbox::append(Task task) {
  waiting_.push_back(std::move(task));
  return waiting_.size() == 1 ? Put::kFirst : Put::kMore;
}

void Mailbox::take(std::vector<Task>& into) {
  into.clear();
  const std::lock_guard lock(mutex_);
  into.swap(waiting_);
}

}  // namespace liminal::epoll
