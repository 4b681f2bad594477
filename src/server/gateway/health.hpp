#pragma once

#include <memory>
#include <vector>

#include "server/gateway/thread.hpp"

namespace liminal::gateway {

/// Asks upstreams again and again whether they are well (`HealthOptions`), and keeps those that are
/// not out of the choice. An upstream counts as well until its checks say otherwise.
///
/// One for all threads, on one of them, whose loop it uses: it never blocks, and at most one check
/// of an upstream is under way. Connections that an upstream has are not touched by what is found.
class HealthChecks {
 public:
  explicit HealthChecks(Thread& thread);
  ~HealthChecks();
  HealthChecks(const HealthChecks&) = delete;
  HealthChecks& operator=(const HealthChecks&) = delete;

  /// From now on as the thread's settings say; what is known of upstreams that stay is kept.
  void configure();
  void stop();

 private:
  class Probe;
  Thread& thread_;
  std::vector<std::unique_ptr<Probe>> probes_;
};

}  // namespace liminal::gateway
