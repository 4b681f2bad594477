#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/onnxruntime/library.hpp"

namespace liminal::onnxruntime {

struct SessionOptions {
  Provider provider = Provider::kCpu;
  /// Threads that compute one call, 1 to 64; they sleep between calls.
  int threads = 1;
};

/// An input or output of a model.
struct Port {
  std::string name;
  std::string type;                 ///< "float", "int64", …; "other" when it is no tensor
  std::vector<std::int64_t> shape;  ///< −1 where the model leaves it open
};

/// An output's values for all rows.
struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< the first axis counts the rows
  std::vector<double> values;       ///< row-major, of whatever type the model gives
};

/// One model, ready to compute rows of floats.
///
/// Served are models with one input of floats, whose first axis counts rows; NaN is passed on as it
/// is. Outputs that are no tensors of numbers (ZipMap's) are left out.
/// Thread rule: any number of threads may run it at once.
class Session {
 public:
  /// Fails with `kProvider` (naming what the library offers) or `kModel`.
  [[nodiscard]] static Outcome<Session> create(std::shared_ptr<const Library> library,
                                               std::string_view model,
                                               const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] const Port& input() const;
  [[nodiscard]] const std::vector<Port>& outputs() const;
  /// The model's metadata_props.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  [[nodiscard]] const std::string& producer() const;
  /// Values a row; 0 when the model leaves it open.
  [[nodiscard]] std::size_t columns() const;

  /// Computes `rows` rows. A model whose first axis is fixed is run for so many rows at a time;
  /// they must come out even. Fails with `kInput` or `kRun`.
  [[nodiscard]] Outcome<std::vector<Tensor>> run(std::span<const float> values,
                                                 std::size_t rows) const;

 private:
  class Part;
  explicit Session(std::unique_ptr<Part> part);
  std::unique_ptr<Part> part_;
};

}  // namespace liminal::onnxruntime
