#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/learn/registered.hpp"
#include "core/models/scorer.hpp"
#include "io/onnxruntime/session.hpp"

namespace liminal::registry {

/// Where ONNX Runtime is and what it computes with.
struct ForeignOptions {
  std::string library;  ///< its file; empty: where it usually is
  onnxruntime::Provider provider = onnxruntime::Provider::kCpu;
  int threads = 1;  ///< that compute one call of a model, 1 to 64; they sleep between calls
};

/// Computes what the core does not evaluate: ONNX Runtime, loaded when a model first needs it, and
/// a session of its own for each version. Thread-safe.
///
/// A model has one input of floats, rows × values. Its answer is, of its outputs of numbers: for
/// classes the second of two floats a row; else (and for values and anomalies) the first that has
/// one value a row, floats before other numbers; for clusters the first whole number, or the least
/// of several distances. The facts "output" and "column" of its metadata choose otherwise.
class ForeignRuntime {
 public:
  explicit ForeignRuntime(ForeignOptions options) : options_(std::move(options)) {}

  /// Whether there is an ONNX Runtime that computes with the provider, which else `open` says for
  /// each model.
  [[nodiscard]] learn::Asked<void> ready() const;

  /// A model of a file, asked for rows of `metadata.features`. It is tried on a few rows first.
  /// kUnavailable when ONNX Runtime is not there, naming what to install; kConflict when it takes
  /// other rows; kUnsupported for what cannot be served or computed.
  [[nodiscard]] learn::Asked<std::shared_ptr<const models::Scorer>> open(
      std::string_view file, models::Metadata metadata) const;

 private:
  [[nodiscard]] learn::Asked<std::shared_ptr<const onnxruntime::Library>> library() const;

  const ForeignOptions options_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const onnxruntime::Library> library_;
};

/// A file that somebody brought, as the next version of a model: what the core evaluates is taken
/// as it is, everything else is described and left to `runtime`. Features that the file does not
/// name are the definition's, in its order. Refused as `ForeignRuntime::open` says, or kMalformed.
[[nodiscard]] learn::Asked<learn::TrainedModel> bring(const learn::ModelDefinition& definition,
                                                      std::string_view file,
                                                      const learn::Bringing& bringing,
                                                      const ForeignRuntime& runtime);

}  // namespace liminal::registry
