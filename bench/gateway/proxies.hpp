#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace liminal::bench {

/// A proxy in a process of its own, pinned to one CPU.
class Proxy {
 public:
  Proxy() = default;
  Proxy(std::string name, pid_t pid, std::string address)
      : name_(std::move(name)), pid_(pid), address_(std::move(address)) {}
  Proxy(Proxy&& other) noexcept;
  Proxy& operator=(Proxy&& other) noexcept;
  ~Proxy();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  /// CPU time of all its threads so far, nanoseconds (the scheduler's account).
  [[nodiscard]] std::uint64_t cpu_ns() const;
  /// Resident memory that is its own, bytes.
  [[nodiscard]] std::uint64_t memory_bytes() const;

 private:
  std::string name_;
  pid_t pid_ = -1;
  std::string address_;
};

/// Starts Liminal's gateway with its engine (features, limits, detection; shadow mode) on one
/// thread, in front of `upstream` ("ws://…" or "unix:…").
[[nodiscard]] Proxy start_liminal(const std::string& name, const std::string& upstream, int cpu);

/// The peers, as their manuals set them up for WebSockets. No name when one is not installed.
[[nodiscard]] Proxy start_nginx(const std::string& upstream_address, int cpu, std::uint16_t port);
[[nodiscard]] Proxy start_haproxy(const std::string& upstream_address, int cpu, std::uint16_t port);

void pin_to(int cpu);

}  // namespace liminal::bench
