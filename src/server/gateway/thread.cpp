#include "server/gateway/thread.hpp"

#include "server/gateway/connection.hpp"

namespace liminal::gateway {

Thread::Thread(epoll::Loop& l, Engine& e, LocalService* s, Census& c)
    : loop(l), engine(e), service(s), census(c) {}

Thread::~Thread() = default;

}  // namespace liminal::gateway
