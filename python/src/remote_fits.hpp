#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "convert.hpp"
#include "server/training/begin.hpp"
#include "server/training/fitting.hpp"

namespace liminal::python {

/// Fits that a callable of Python has carried out, where it likes: `place(source)` is given the
/// bytes of a search's source as an array, and gives `fit(job, left_s, stopped)`, which gives the
/// bytes of a fit, or None when `stopped()`; `place.at_once()` says how many may run at a time.
/// `fit` is called by several threads at once. `place.spread` begins a distributed training
/// (remote_spread.hpp). Thread-safe; may be used and let go without the
/// interpreter.
class RemoteFits {
 public:
  explicit RemoteFits(nb::object place);

  [[nodiscard]] std::uint32_t at_once() const;
  [[nodiscard]] training::Fitting fitting() const;
  /// What was raised last; empty: nothing.
  [[nodiscard]] std::string complaint() const;
  /// The same as a place for trainings, which may outlive this.
  [[nodiscard]] std::shared_ptr<const training::Cluster> cluster() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace liminal::python
