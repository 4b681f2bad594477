#include "io/onnxruntime/library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <utility>

#include "io/onnxruntime/ort_api.hpp"
#include "io/onnxruntime/status.hpp"

namespace liminal::onnxruntime {
namespace {

struct Named {
  Provider provider;
  std::string_view name;  ///< in the configuration
  std::string_view full;  ///< in the library
};
constexpr std::array kProviders{
    Named{Provider::kCpu, "cpu", "CPUExecutionProvider"},
    Named{Provider::kCuda, "cuda", "CUDAExecutionProvider"},
    Named{Provider::kTensorRt, "tensorrt", "TensorrtExecutionProvider"},
};

tl::unexpected<Failure> fail(Failure::Kind kind, std::string text) {
  return tl::unexpected(Failure{kind, std::move(text)});
}

bool recent_enough(std::string_view version) {
  int major = 0;
  int minor = 0;
  const char* const end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  return second.ec == std::errc{} && major == 1 && minor >= ort::kMinorVersionMin;
}

}  // namespace

std::string_view name(Provider provider) {
  return kProviders[static_cast<std::size_t>(provider)].name;
}

std::optional<Provider> provider_by_name(std::string_view name) {
  for (const Named& one : kProviders) {
    if (one.name == name) return one.provider;
  }
  return std::nullopt;
}

Library::Library() = default;

Library::~Library() {
  if (env_ != nullptr) api_->call<ort::ReleaseEnv>(env_);
}

Outcome<std::shared_ptr<const Library>> Library::open(const std::string& path) {
  std::shared_ptr<Library> library(new Library);
  if (auto started = library->start(path); !started) return tl::unexpected(started.error());
  return library;
}

Outcome<std::shared_ptr<const Library>> Library::open_usual() {
  std::string tried;
  for (const std::string& path : usual_paths()) {
    auto library = open(path);
    if (library || library.error().kind != Failure::Kind::kAbsent) return library;
    tried += (tried.empty() ? "" : ", ") + path;
  }
  return fail(Failure::Kind::kAbsent,
              "there is no ONNX Runtime (tools/install gets it); looked for " + tried);
}

std::vector<std::string> Library::usual_paths() {
  std::vector<std::string> paths;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const std::filesystem::path folder = program.parent_path();
    paths.push_back((folder / "../lib/liminal/libonnxruntime.so").lexically_normal().string());
    paths.push_back((folder / "../../lib/libonnxruntime.so").lexically_normal().string());
  }
  paths.emplace_back("libonnxruntime.so.1");
  return paths;
}

Outcome<void> Library::offers(Provider provider) const {
  if (std::find(providers_.begin(), providers_.end(), provider) != providers_.end()) return {};
  std::string names;
  for (const Provider one : providers_)
    names += (names.empty() ? "" : ", ") + std::string(name(one));
  return fail(Failure::Kind::kProvider,
              "ONNX Runtime " + version_ + " (" + path_ + ") does not offer " +
                  std::string(name(provider)) + ", only: " + names);
}

Outcome<void> Library::start(const std::string& path) {
  path_ = path;
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    // A file that is there but cannot be loaded is another matter than none.
    std::error_code error;
    const bool there = std::filesystem::exists(path, error);
    return fail(there ? Failure::Kind::kVersion : Failure::Kind::kAbsent,
                "ONNX Runtime cannot be loaded: " + std::string(dlerror()));
  }
  using GetBase = const ort::ApiBase*();
  auto* const get_base = reinterpret_cast<GetBase*>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) return fail(Failure::Kind::kVersion, path + " is no ONNX Runtime");
  const ort::ApiBase* const base = get_base();
  version_ = base->get_version();
  if (!recent_enough(version_)) {
    return fail(Failure::Kind::kVersion,
                path + " is ONNX Runtime " + version_ + "; 1.17 or later is needed");
  }
  const void* const* const table = base->get_api(ort::kApiVersion);
  if (table == nullptr)
    return fail(Failure::Kind::kVersion, path + " does not offer API version 17");
  api_ = std::make_unique<ort::Api>(table);
  ort::Status* const status = api_->call<ort::CreateEnv>(ort::kLogFatal, "liminal", &env_);
  if (auto created = check(*api_, status, Failure::Kind::kRun); !created) return created;
  return read_providers();
}

Outcome<void> Library::read_providers() {
  char** names = nullptr;
  int count = 0;
  ort::Status* const status = api_->call<ort::GetAvailableProviders>(&names, &count);
  if (auto found = check(*api_, status, Failure::Kind::kRun); !found) return found;
  for (int i = 0; i < count; ++i) {
    for (const Named& one : kProviders) {
      if (one.full == names[i]) providers_.push_back(one.provider);
    }
  }
  return check(
      *api_, api_->call<ort::ReleaseAvailableProviders>(names, count), Failure::Kind::kRun);
}

}  // namespace liminal::onnxruntime
