#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace liminal::onnxruntime {

namespace ort {
class Api;
struct Env;
}  // namespace ort

/// What went wrong, for a person.
struct Failure {
  enum class Kind : std::uint8_t {
    kAbsent,    ///< there is no library
    kVersion,   ///< it is none, or too old
    kProvider,  ///< it does not offer the execution provider
    kModel,     ///< it refuses the model, or the model is not of the form that is served
    kInput,     ///< the rows do not fit the model
    kRun,       ///< it failed to compute
  };
  Kind kind = Kind::kRun;
  std::string text;
  friend bool operator==(const Failure&, const Failure&) = default;
};

template <class T>
using Outcome = tl::expected<T, Failure>;

/// What computes.
enum class Provider : std::uint8_t { kCpu, kCuda, kTensorRt };

/// "cpu", "cuda", "tensorrt", as the configuration calls them.
[[nodiscard]] std::string_view name(Provider provider);
[[nodiscard]] std::optional<Provider> provider_by_name(std::string_view name);

/// ONNX Runtime, loaded while the program runs. Loaded once, it stays in memory until the program
/// ends: its threads may outlive its last session.
/// Thread rule: any thread.
class Library {
 public:
  /// Loads a library of version 1.17 or later. Fails with `kAbsent` or `kVersion`.
  [[nodiscard]] static Outcome<std::shared_ptr<const Library>> open(const std::string& path);

  /// The first of `usual_paths` that is there, or what was looked for in `kAbsent`.
  [[nodiscard]] static Outcome<std::shared_ptr<const Library>> open_usual();

  /// Where it is looked for when nothing is configured: beside the installed program
  /// (../lib/liminal), where tools/install puts it (build/lib), where the system's linker looks.
  [[nodiscard]] static std::vector<std::string> usual_paths();

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The execution providers that it offers; at least the CPU.
  [[nodiscard]] std::span<const Provider> providers() const { return providers_; }
  /// Fails with `kProvider`, and says which it offers, when this is none of them.
  [[nodiscard]] Outcome<void> offers(Provider provider) const;

  /// For `Session`.
  [[nodiscard]] const ort::Api& api() const { return *api_; }
  [[nodiscard]] const ort::Env* env() const { return env_; }

 private:
  Library();
  Outcome<void> start(const std::string& path);
  Outcome<void> read_providers();

  std::string path_;
  std::string version_;
  std::unique_ptr<ort::Api> api_;
  ort::Env* env_ = nullptr;
  std::vector<Provider> providers_;
};

}  // namespace liminal::onnxruntime
