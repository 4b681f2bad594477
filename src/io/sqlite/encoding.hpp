#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/traffic/finding.hpp"
#include "core/traffic/schema.hpp"

namespace liminal::sqlite {

/// A finding as the `first` and `worst` columns of `alerts` hold it (docs/formats/store.md).
[[nodiscard]] std::string encode(const traffic::Finding& finding);

/// Errors: kTruncated, kUnsupported (a newer version), kOutOfRange (a number without a meaning).
[[nodiscard]] Result<traffic::Finding> decode_finding(std::string_view bytes);

/// Features as a blob: one little-endian binary32 after the other, in the schema's order.
[[nodiscard]] std::string encode(const traffic::Features& features);

/// How the blobs of an older (or newer) feature schema map to this program's: by name. A feature
/// that they do not have reads as 0, one that this program does not know is left out.
class FeatureMapping {
 public:
  /// `names`: one feature name a line, in the order of the blob.
  [[nodiscard]] static FeatureMapping by_names(std::string_view names);

  [[nodiscard]] Result<traffic::Features> decode(std::string_view bytes) const;

 private:
  std::vector<int> targets_;  ///< position in the blob → feature, or -1
};

/// This program's feature names as `by_names` reads them.
[[nodiscard]] std::string feature_names();

}  // namespace liminal::sqlite
