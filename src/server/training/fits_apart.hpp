#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/learn/fit.hpp"
#include "server/training/fitting.hpp"

/// Fits that other processes carry out, as bytes: a source once, and for each fit a job there and
/// its fit back. Both sides are of the same version. The formats begin with a number that changes
/// with them; they are kept nowhere.
namespace liminal::training {

[[nodiscard]] std::string encode(const FitSource& source);
[[nodiscard]] std::string encode(const learn::FitJob& job);

/// A source as another process has it, prepared to be fitted to. One owner.
/// Memory: the table and what it is encoded to.
class FitsApart {
 public:
  /// `kMalformed` or `kTruncated` when the bytes are no source that could be searched.
  [[nodiscard]] static Result<FitsApart> prepare(std::string_view source);

  /// Carries out an encoded job, for at most `left_s`: the encoded fit. Errors: those of
  /// `learn::run_fit`, `kMalformed` or `kTruncated` for what is no job of this source.
  [[nodiscard]] Result<std::string> fit(std::string_view job, double left_s);

 private:
  explicit FitsApart(std::shared_ptr<const learn::Material> material)
      : material_(std::move(material)), fitter_(fitters_here()()) {}

  std::shared_ptr<const learn::Material> material_;
  learn::Fitter fitter_;
};

/// A fit of `job` that was carried out elsewhere. `kMalformed` or `kTruncated` for what can be none
/// of this job.
[[nodiscard]] Result<learn::Fit> decode_fit(std::string_view bytes,
                                            const learn::Material& material,
                                            const learn::FitJob& job);

}  // namespace liminal::training
