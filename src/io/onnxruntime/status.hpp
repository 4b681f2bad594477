#pragma once

#include <memory>
#include <string>

#include "io/onnxruntime/library.hpp"
#include "io/onnxruntime/ort_api.hpp"

namespace liminal::onnxruntime {

/// Takes a status that a call returned: nothing, or the library's own words.
[[nodiscard]] inline Outcome<void> check(const ort::Api& api,
                                         ort::Status* status,
                                         Failure::Kind kind) {
  if (status == nullptr) return {};
  std::string text = api.call<ort::GetErrorMessage>(status);
  api.call<ort::ReleaseStatus>(status);
  return tl::unexpected(Failure{kind, std::move(text)});
}

/// An object of the library, released by `Release`.
template <class Object, class Release>
class Owned {
 public:
  explicit Owned(const ort::Api& api) : api_(&api) {}
  ~Owned() {
    if (object_ != nullptr) api_->call<Release>(object_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  [[nodiscard]] Object* get() const { return object_; }
  /// Where a call puts the object.
  [[nodiscard]] Object** put() { return &object_; }

 private:
  const ort::Api* api_;
  Object* object_ = nullptr;
};

}  // namespace liminal::onnxruntime
