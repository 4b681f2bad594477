#include "io/onnxruntime/session.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "io/onnxruntime/ort_api.hpp"
#include "io/onnxruntime/shape.hpp"
#include "io/onnxruntime/status.hpp"

namespace liminal::onnxruntime {
namespace {

using Kind = Failure::Kind;

tl::unexpected<Failure> fail(Kind kind, std::string text) {
  return tl::unexpected(Failure{kind, std::move(text)});
}

/// Element types by their number in the library.
constexpr std::array<std::string_view, 14> kTypes{"undefined",
                                                  "float",
                                                  "uint8",
                                                  "int8",
                                                  "uint16",
                                                  "int16",
                                                  "int32",
                                                  "int64",
                                                  "string",
                                                  "bool",
                                                  "float16",
                                                  "double",
                                                  "uint32",
                                                  "uint64"};
constexpr int kFloat = 1;

std::string_view type_name(int type) {
  const auto i = static_cast<std::size_t>(type);
  return type >= 0 && i < kTypes.size() ? kTypes[i] : "other";
}

template <class T>
void append(const void* data, std::size_t count, std::vector<double>& to) {
  const auto* const values = static_cast<const T*>(data);
  std::transform(
      values, values + count, std::back_inserter(to), [](T x) { return static_cast<double>(x); });
}

/// False for types that are no plain numbers.
bool append(std::string_view type, const void* data, std::size_t count, std::vector<double>& to) {
  if (type == "float") return append<float>(data, count, to), true;
  if (type == "double") return append<double>(data, count, to), true;
  if (type == "int64") return append<std::int64_t>(data, count, to), true;
  if (type == "int32") return append<std::int32_t>(data, count, to), true;
  if (type == "uint8") return append<std::uint8_t>(data, count, to), true;
  if (type == "int8") return append<std::int8_t>(data, count, to), true;
  if (type == "bool") return append<bool>(data, count, to), true;
  return false;
}

bool is_number(std::string_view type) {
  std::vector<double> none;
  return append(type, nullptr, 0, none);
}

/// What the library allocated for us.
class Text {
 public:
  Text(const ort::Api& api, ort::Allocator* allocator) : api_(api), allocator_(allocator) {}
  ~Text() {
    if (text_ == nullptr) return;
    if (ort::Status* const status = api_.call<ort::AllocatorFree>(allocator_, text_))
      api_.call<ort::ReleaseStatus>(status);
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  [[nodiscard]] char** put() { return &text_; }
  [[nodiscard]] std::string value() const { return text_ == nullptr ? "" : text_; }

 private:
  const ort::Api& api_;
  ort::Allocator* allocator_;
  char* text_ = nullptr;
};

}  // namespace

class Session::Part {
 public:
  explicit Part(std::shared_ptr<const Library> library)
      : library_(std::move(library)), session_(api()), memory_(api()) {}

  Outcome<void> start(std::string_view model, const SessionOptions& options);
  Outcome<void> run_once(std::span<const float> values,
                         std::span<const std::int64_t> shape,
                         std::vector<Tensor>& results) const;

  [[nodiscard]] Outcome<std::vector<std::int64_t>> shape_for(std::size_t values,
                                                             std::size_t rows) const;
  /// Rows of one call: what the model fixes, or all.
  [[nodiscard]] std::size_t rows_a_call(std::size_t rows) const {
    const std::int64_t fixed = input_.shape.front();
    return fixed > 0 ? static_cast<std::size_t>(fixed) : rows;
  }

  [[nodiscard]] const Port& input() const { return input_; }
  [[nodiscard]] const std::vector<Port>& outputs() const { return outputs_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] const std::string& producer() const { return producer_; }

 private:
  using Options = Owned<ort::SessionOptions, ort::ReleaseSessionOptions>;

  [[nodiscard]] const ort::Api& api() const { return library_->api(); }
  [[nodiscard]] Outcome<void> check(ort::Status* status, Kind kind = Kind::kModel) const {
    return onnxruntime::check(api(), status, kind);
  }

  Outcome<void> set_options(const SessionOptions& options, Options& to) const;
  Outcome<void> add_provider(Provider provider, Options& to) const;
  Outcome<void> read_ports();
  template <class GetName, class GetType>
  Outcome<Port> read_port(std::size_t i) const;
  Outcome<void> read_tensor(const ort::TensorInfo* info,
                            std::string& type,
                            std::vector<std::int64_t>& shape) const;
  Outcome<void> read_metadata();
  Outcome<void> read_entry(const ort::Metadata* metadata, const char* key);
  Outcome<void> take(ort::Value* value, Tensor& result) const;

  std::shared_ptr<const Library> library_;
  Owned<ort::Session, ort::ReleaseSession> session_;
  Owned<ort::MemoryInfo, ort::ReleaseMemoryInfo> memory_;
  ort::Allocator* allocator_ = nullptr;  ///< the library's own
  Port input_;
  std::vector<Port> outputs_;
  std::vector<std::size_t> numbers_;  ///< which outputs are asked for
  std::map<std::string, std::string> metadata_;
  std::string producer_;
};

Outcome<void> Session::Part::add_provider(Provider provider, Options& to) const {
  if (auto offered = library_->offers(provider); !offered) return offered;
  if (provider == Provider::kCpu) return {};
  if (provider == Provider::kCuda) {
    Owned<ort::CudaOptions, ort::ReleaseCudaOptions> options(api());
    if (auto made = check(api().call<ort::CreateCudaOptions>(options.put()), Kind::kProvider);
        !made)
      return made;
    return check(api().call<ort::AppendCuda>(to.get(), options.get()), Kind::kProvider);
  }
  Owned<ort::TensorRtOptions, ort::ReleaseTensorRtOptions> options(api());
  if (auto made = check(api().call<ort::CreateTensorRtOptions>(options.put()), Kind::kProvider);
      !made)
    return made;
  return check(api().call<ort::AppendTensorRt>(to.get(), options.get()), Kind::kProvider);
}

Outcome<void> Session::Part::set_options(const SessionOptions& options, Options& to) const {
  const int threads = std::clamp(options.threads, 1, 64);
  if (auto done = check(api().call<ort::CreateSessionOptions>(to.put())); !done) return done;
  if (auto done = check(api().call<ort::SetIntraOpNumThreads>(to.get(), threads)); !done)
    return done;
  if (auto done = check(api().call<ort::SetInterOpNumThreads>(to.get(), 1)); !done) return done;
  if (auto done = check(
          api().call<ort::AddSessionConfigEntry>(to.get(), "session.intra_op.allow_spinning", "0"));
      !done)
    return done;
  return add_provider(options.provider, to);
}

Outcome<void> Session::Part::start(std::string_view model, const SessionOptions& options) {
  Options made(api());
  if (auto done = set_options(options, made); !done) return done;
  if (auto done = check(api().call<ort::CreateSessionFromArray>(
          library_->env(),
          static_cast<const void*>(model.data()),
          model.size(),
          static_cast<const ort::SessionOptions*>(made.get()),
          session_.put()));
      !done)
    return done;
  if (auto done = check(api().call<ort::CreateCpuMemoryInfo>(
          ort::kDeviceAllocator, ort::kDefaultMemory, memory_.put()));
      !done)
    return done;
  if (auto done = check(api().call<ort::GetAllocatorWithDefaultOptions>(&allocator_)); !done)
    return done;
  if (auto done = read_ports(); !done) return done;
  return read_metadata();
}

Outcome<void> Session::Part::read_tensor(const ort::TensorInfo* info,
                                         std::string& type,
                                         std::vector<std::int64_t>& shape) const {
  int element = 0;
  if (auto done = check(api().call<ort::GetTensorElementType>(info, &element)); !done) return done;
  type = type_name(element);
  std::size_t axes = 0;
  if (auto done = check(api().call<ort::GetDimensionsCount>(info, &axes)); !done) return done;
  shape.resize(axes);
  return check(api().call<ort::GetDimensions>(info, shape.data(), axes));
}

template <class GetName, class GetType>
Outcome<Port> Session::Part::read_port(std::size_t i) const {
  Port port;
  Text text(api(), allocator_);
  if (auto done = check(api().call<GetName>(session_.get(), i, allocator_, text.put())); !done)
    return tl::unexpected(done.error());
  port.name = text.value();
  Owned<ort::TypeInfo, ort::ReleaseTypeInfo> type(api());
  if (auto done = check(api().call<GetType>(session_.get(), i, type.put())); !done)
    return tl::unexpected(done.error());
  const ort::TensorInfo* info = nullptr;  // the type's own
  if (auto done = check(api().call<ort::CastTypeInfoToTensorInfo>(type.get(), &info)); !done)
    return tl::unexpected(done.error());
  port.type = "other";
  if (info == nullptr) return port;
  if (auto done = read_tensor(info, port.type, port.shape); !done)
    return tl::unexpected(done.error());
  return port;
}

Outcome<void> Session::Part::read_ports() {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  if (auto done = check(api().call<ort::SessionGetInputCount>(session_.get(), &inputs)); !done)
    return done;
  if (auto done = check(api().call<ort::SessionGetOutputCount>(session_.get(), &outputs)); !done)
    return done;
  if (inputs != 1)
    return fail(Kind::kModel, "the model has " + std::to_string(inputs) + " inputs, not one");
  auto input = read_port<ort::SessionGetInputName, ort::SessionGetInputTypeInfo>(0);
  if (!input) return tl::unexpected(input.error());
  input_ = *std::move(input);
  if (input_.type != "float" || input_.shape.size() < 2)
    return fail(Kind::kModel, "input " + input_.name + " is not of floats, rows × values");
  for (std::size_t i = 0; i < outputs; ++i) {
    auto output = read_port<ort::SessionGetOutputName, ort::SessionGetOutputTypeInfo>(i);
    if (!output) return tl::unexpected(output.error());
    if (is_number(output->type)) numbers_.push_back(i);
    outputs_.push_back(*std::move(output));
  }
  if (numbers_.empty()) return fail(Kind::kModel, "the model has no output of numbers");
  return {};
}

Outcome<void> Session::Part::read_entry(const ort::Metadata* metadata, const char* key) {
  Text value(api(), allocator_);
  auto done = check(api().call<ort::ModelMetadataLookupCustomMetadataMap>(
      metadata, allocator_, key, value.put()));
  if (done) metadata_.emplace(key, value.value());
  return done;
}

Outcome<void> Session::Part::read_metadata() {
  Owned<ort::Metadata, ort::ReleaseModelMetadata> metadata(api());
  if (auto done = check(api().call<ort::SessionGetModelMetadata>(session_.get(), metadata.put()));
      !done)
    return done;
  Text producer(api(), allocator_);
  if (auto done = check(api().call<ort::ModelMetadataGetProducerName>(
          metadata.get(), allocator_, producer.put()));
      !done)
    return done;
  producer_ = producer.value();
  char** keys = nullptr;
  std::int64_t count = 0;
  if (auto done = check(api().call<ort::ModelMetadataGetCustomMetadataMapKeys>(
          metadata.get(), allocator_, &keys, &count));
      !done)
    return done;
  Outcome<void> result;
  for (std::int64_t i = 0; i < count; ++i) {
    Text key(api(), allocator_);
    *key.put() = keys[i];
    if (result) result = read_entry(metadata.get(), keys[i]);
  }
  if (keys != nullptr) {
    if (auto freed = check(api().call<ort::AllocatorFree>(allocator_, static_cast<void*>(keys)));
        !freed)
      return freed;
  }
  return result;
}

Outcome<std::vector<std::int64_t>> Session::Part::shape_for(std::size_t values,
                                                            std::size_t rows) const {
  const std::size_t call = rows_a_call(rows);
  if (rows == 0 || values % rows != 0 || rows % call != 0) {
    return fail(Kind::kInput,
                std::to_string(values) + " values are not " + std::to_string(rows) +
                    " rows in calls of " + std::to_string(call));
  }
  std::vector<std::int64_t> shape = input_.shape;
  shape.front() = static_cast<std::int64_t>(call);
  const auto open = std::count(shape.begin() + 1, shape.end(), -1);
  const std::size_t a_row = values / rows;
  const std::size_t wanted = values_of(std::span(shape).subspan(1), 1).value_or(0);
  if (wanted == 0 || open > 1 || (open == 0 && wanted != a_row) ||
      (open == 1 && a_row % wanted != 0)) {
    return fail(Kind::kInput, "the model does not take " + std::to_string(a_row) + " values a row");
  }
  std::replace(
      shape.begin() + 1, shape.end(), std::int64_t{-1}, static_cast<std::int64_t>(a_row / wanted));
  return shape;
}

Outcome<void> Session::Part::take(ort::Value* value, Tensor& result) const {
  Owned<ort::TensorInfo, ort::ReleaseTensorTypeAndShapeInfo> info(api());
  if (auto done = check(api().call<ort::GetTensorTypeAndShape>(value, info.put()), Kind::kRun);
      !done)
    return done;
  std::string type;
  std::vector<std::int64_t> shape;
  if (auto done = read_tensor(info.get(), type, shape); !done) return done;
  const std::optional<std::size_t> count = values_of(shape, 0);
  if (!count) return fail(Kind::kRun, "output " + result.name + " has too many values");
  void* data = nullptr;
  if (auto done = check(api().call<ort::GetTensorMutableData>(value, &data), Kind::kRun); !done)
    return done;
  if (!append(type, data, *count, result.values))
    return fail(Kind::kRun, "output " + result.name + " is of " + type);
  if (result.shape.empty()) {
    result.shape = std::move(shape);
  } else if (!shape.empty()) {
    result.shape.front() += shape.front();
  }
  return {};
}

Outcome<void> Session::Part::run_once(std::span<const float> values,
                                      std::span<const std::int64_t> shape,
                                      std::vector<Tensor>& results) const {
  Owned<ort::Value, ort::ReleaseValue> input(api());
  // The library does not write to an input.
  auto* const data = const_cast<float*>(values.data());
  if (auto done = check(api().call<ort::CreateTensorWithData>(memory_.get(),
                                                              static_cast<void*>(data),
                                                              values.size_bytes(),
                                                              shape.data(),
                                                              shape.size(),
                                                              kFloat,
                                                              input.put()),
                        Kind::kInput);
      !done)
    return done;
  const char* const input_name = input_.name.c_str();
  std::vector<const char*> names;
  for (const std::size_t i : numbers_) names.push_back(outputs_[i].name.c_str());
  std::vector<ort::Value*> made(names.size(), nullptr);
  const ort::Value* const inputs = input.get();
  auto done = check(api().call<ort::Run>(session_.get(),
                                         static_cast<const ort::RunOptions*>(nullptr),
                                         &input_name,
                                         &inputs,
                                         std::size_t{1},
                                         names.data(),
                                         names.size(),
                                         made.data()),
                    Kind::kRun);
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (done && made[i] != nullptr) done = take(made[i], results[i]);
    if (made[i] != nullptr) api().call<ort::ReleaseValue>(made[i]);
  }
  return done;
}

Outcome<Session> Session::create(std::shared_ptr<const Library> library,
                                 std::string_view model,
                                 const SessionOptions& options) {
  auto part = std::make_unique<Part>(std::move(library));
  if (auto started = part->start(model, options); !started) return tl::unexpected(started.error());
  return Session(std::move(part));
}

Session::Session(std::unique_ptr<Part> part) : part_(std::move(part)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

const Port& Session::input() const { return part_->input(); }
const std::vector<Port>& Session::outputs() const { return part_->outputs(); }
const std::map<std::string, std::string>& Session::metadata() const { return part_->metadata(); }
const std::string& Session::producer() const { return part_->producer(); }

std::size_t Session::columns() const {
  return values_of(std::span(input().shape).subspan(1), 0).value_or(0);
}

Outcome<std::vector<Tensor>> Session::run(std::span<const float> values, std::size_t rows) const {
  const auto shape = part_->shape_for(values.size(), rows);
  if (!shape) return tl::unexpected(shape.error());
  std::vector<Tensor> results;
  for (const Port& output : outputs()) {
    if (is_number(output.type)) results.push_back({output.name, {}, {}});
  }
  const std::size_t call = part_->rows_a_call(rows);
  const std::size_t step = values.size() / rows * call;
  for (std::size_t at = 0; at < values.size(); at += step) {
    if (auto done = part_->run_once(values.subspan(at, step), *shape, results); !done)
      return tl::unexpected(done.error());
  }
  return results;
}

}  // namespace liminal::onnxruntime
