#pragma once

#include <cstddef>
#include <cstdint>

/// What Liminal uses of ONNX Runtime's C interface, declared by its binary form, because Debian has
/// no package of its header: places in the table of functions, which is only ever appended to, and
/// their types. A test compares the places with the official header where there is one.
namespace liminal::onnxruntime::ort {

struct Env;
struct Status;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct TypeInfo;
struct TensorInfo;
struct Allocator;
struct Metadata;
struct CudaOptions;
struct TensorRtOptions;

/// The version of the table that is asked for: libraries from 1.17 on have it.
inline constexpr std::uint32_t kApiVersion = 17;
inline constexpr int kMinorVersionMin = 17;

/// The library's one exported symbol, `OrtGetApiBase`, returns this.
struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

/// One function of the table.
template <std::size_t kPlace, class Type>
struct Function {
  static constexpr std::size_t place = kPlace;
  using type = Type;
};

using GetErrorMessage = Function<2, const char*(const Status*)>;
using CreateEnv = Function<3, Status*(int log_level, const char* name, Env**)>;
using CreateSessionFromArray =
    Function<8, Status*(const Env*, const void*, std::size_t, const SessionOptions*, Session**)>;
using Run = Function<9,
                     Status*(Session*,
                             const RunOptions*,
                             const char* const* input_names,
                             const Value* const* inputs,
                             std::size_t input_count,
                             const char* const* output_names,
                             std::size_t output_count,
                             Value** outputs)>;
using CreateSessionOptions = Function<10, Status*(SessionOptions**)>;
using SetIntraOpNumThreads = Function<24, Status*(SessionOptions*, int)>;
using SetInterOpNumThreads = Function<25, Status*(SessionOptions*, int)>;
using SessionGetInputCount = Function<30, Status*(const Session*, std::size_t*)>;
using SessionGetOutputCount = Function<31, Status*(const Session*, std::size_t*)>;
using SessionGetInputTypeInfo = Function<33, Status*(const Session*, std::size_t, TypeInfo**)>;
using SessionGetOutputTypeInfo = Function<34, Status*(const Session*, std::size_t, TypeInfo**)>;
using SessionGetInputName =
    Function<36, Status*(const Session*, std::size_t, Allocator*, char** name)>;
using SessionGetOutputName =
    Function<37, Status*(const Session*, std::size_t, Allocator*, char** name)>;
using CreateTensorWithData = Function<49,
                                      Status*(const MemoryInfo*,
                                              void* data,
                                              std::size_t bytes,
                                              const std::int64_t* shape,
                                              std::size_t axes,
                                              int element_type,
                                              Value**)>;
using GetTensorMutableData = Function<51, Status*(Value*, void**)>;
using CastTypeInfoToTensorInfo = Function<55, Status*(const TypeInfo*, const TensorInfo**)>;
using GetTensorElementType = Function<60, Status*(const TensorInfo*, int*)>;
using GetDimensionsCount = Function<61, Status*(const TensorInfo*, std::size_t*)>;
using GetDimensions = Function<62, Status*(const TensorInfo*, std::int64_t*, std::size_t)>;
using GetTensorTypeAndShape = Function<65, Status*(const Value*, TensorInfo**)>;
using CreateCpuMemoryInfo = Function<69, Status*(int allocator, int memory, MemoryInfo**)>;
using AllocatorFree = Function<76, Status*(Allocator*, void*)>;
using GetAllocatorWithDefaultOptions = Function<78, Status*(Allocator**)>;
using ReleaseEnv = Function<92, void(Env*)>;
using ReleaseStatus = Function<93, void(Status*)>;
using ReleaseMemoryInfo = Function<94, void(MemoryInfo*)>;
using ReleaseSession = Function<95, void(Session*)>;
using ReleaseValue = Function<96, void(Value*)>;
using ReleaseTypeInfo = Function<98, void(TypeInfo*)>;
using ReleaseTensorTypeAndShapeInfo = Function<99, void(TensorInfo*)>;
using ReleaseSessionOptions = Function<100, void(SessionOptions*)>;
using SessionGetModelMetadata = Function<111, Status*(const Session*, Metadata**)>;
using ModelMetadataGetProducerName = Function<112, Status*(const Metadata*, Allocator*, char**)>;
using ModelMetadataLookupCustomMetadataMap =
    Function<116, Status*(const Metadata*, Allocator*, const char* key, char** value)>;
using ReleaseModelMetadata = Function<118, void(Metadata*)>;
using ModelMetadataGetCustomMetadataMapKeys =
    Function<123, Status*(const Metadata*, Allocator*, char*** keys, std::int64_t* count)>;
using GetAvailableProviders = Function<125, Status*(char*** names, int* count)>;
using ReleaseAvailableProviders = Function<126, Status*(char** names, int count)>;
using AddSessionConfigEntry =
    Function<130, Status*(SessionOptions*, const char* key, const char* value)>;
using AppendTensorRt = Function<170, Status*(SessionOptions*, const TensorRtOptions*)>;
using CreateTensorRtOptions = Function<171, Status*(TensorRtOptions**)>;
using ReleaseTensorRtOptions = Function<174, void(TensorRtOptions*)>;
using AppendCuda = Function<204, Status*(SessionOptions*, const CudaOptions*)>;
using CreateCudaOptions = Function<205, Status*(CudaOptions**)>;
using ReleaseCudaOptions = Function<208, void(CudaOptions*)>;

// Values of the enumerations that are used.
inline constexpr int kLogFatal = 4;
inline constexpr int kDeviceAllocator = 0;
inline constexpr int kDefaultMemory = 0;

/// The table, called by what is wanted: `api.call<Run>(session, …)`.
class Api {
 public:
  Api() = default;
  explicit Api(const void* const* table) : table_(table) {}

  template <class F, class... Arguments>
  auto call(Arguments... arguments) const {
    // The table holds functions, all with the same representation (POSIX's dlsym relies on it too).
    return reinterpret_cast<typename F::type*>(const_cast<void*>(table_[F::place]))(arguments...);
  }

 private:
  const void* const* table_ = nullptr;
};

}  // namespace liminal::onnxruntime::ort
