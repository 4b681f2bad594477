#pragma once

#include <memory>

#include "server/gateway/ports.hpp"
#include "server/gateway/upstreams.hpp"

namespace liminal::gateway {

/// Asks for upstreams' addresses again while the gateway runs (`Upstreams::look_up_again`), on a
/// thread of its own, since a name server may take its time.
///
/// Thread-safe. The reporter must outlive it and hears nothing after its end; the end waits for a
/// name server for a second at most.
class NameWatch {
 public:
  /// Looks every `every` whether there is something to ask.
  explicit NameWatch(Reporter& reporter,
                     Resolve resolve = epoll::resolve,
                     Duration every = std::chrono::seconds{1});
  ~NameWatch();
  NameWatch(const NameWatch&) = delete;
  NameWatch& operator=(const NameWatch&) = delete;

  /// From now on these.
  void watch(std::shared_ptr<const Upstreams> upstreams);

 private:
  struct State;
  std::shared_ptr<State>
      state_;  ///< the thread's too: it may be kept waiting longer than this lives
};

}  // namespace liminal::gateway
