#include "io/onnxruntime/ort_api.hpp"

#include <gtest/gtest.h>

#ifdef LIMINAL_ONNXRUNTIME_HEADER
#include <onnxruntime_c_api.h>
#endif

namespace liminal::onnxruntime {
namespace {

#ifdef LIMINAL_ONNXRUNTIME_HEADER

#define EXPECT_PLACE(ours, official)                                         \
  EXPECT_EQ(ort::ours::place, offsetof(::OrtApi, official) / sizeof(void*)); \
  EXPECT_EQ(sizeof(ort::ours::type*), sizeof(::OrtApi::official))

TEST(OrtApi, IsDeclaredAsTheOfficialHeaderDoes) {
  EXPECT_PLACE(GetErrorMessage, GetErrorMessage);
  EXPECT_PLACE(CreateEnv, CreateEnv);
  EXPECT_PLACE(CreateSessionFromArray, CreateSessionFromArray);
  EXPECT_PLACE(Run, Run);
  EXPECT_PLACE(CreateSessionOptions, CreateSessionOptions);
  EXPECT_PLACE(SetIntraOpNumThreads, SetIntraOpNumThreads);
  EXPECT_PLACE(SetInterOpNumThreads, SetInterOpNumThreads);
  EXPECT_PLACE(SessionGetInputCount, SessionGetInputCount);
  EXPECT_PLACE(SessionGetOutputCount, SessionGetOutputCount);
  EXPECT_PLACE(SessionGetInputTypeInfo, SessionGetInputTypeInfo);
  EXPECT_PLACE(SessionGetOutputTypeInfo, SessionGetOutputTypeInfo);
  EXPECT_PLACE(SessionGetInputName, SessionGetInputName);
  EXPECT_PLACE(SessionGetOutputName, SessionGetOutputName);
  EXPECT_PLACE(CreateTensorWithData, CreateTensorWithDataAsOrtValue);
  EXPECT_PLACE(GetTensorMutableData, GetTensorMutableData);
  EXPECT_PLACE(CastTypeInfoToTensorInfo, CastTypeInfoToTensorInfo);
  EXPECT_PLACE(GetTensorElementType, GetTensorElementType);
  EXPECT_PLACE(GetDimensionsCount, GetDimensionsCount);
  EXPECT_PLACE(GetDimensions, GetDimensions);
  EXPECT_PLACE(GetTensorTypeAndShape, GetTensorTypeAndShape);
  EXPECT_PLACE(CreateCpuMemoryInfo, CreateCpuMemoryInfo);
  EXPECT_PLACE(AllocatorFree, AllocatorFree);
  EXPECT_PLACE(GetAllocatorWithDefaultOptions, GetAllocatorWithDefaultOptions);
  EXPECT_PLACE(ReleaseEnv, ReleaseEnv);
  EXPECT_PLACE(ReleaseStatus, ReleaseStatus);
  EXPECT_PLACE(ReleaseMemoryInfo, ReleaseMemoryInfo);
  EXPECT_PLACE(ReleaseSession, ReleaseSession);
  EXPECT_PLACE(ReleaseValue, ReleaseValue);
  EXPECT_PLACE(ReleaseTypeInfo, ReleaseTypeInfo);
  EXPECT_PLACE(ReleaseTensorTypeAndShapeInfo, ReleaseTensorTypeAndShapeInfo);
  EXPECT_PLACE(ReleaseSessionOptions, ReleaseSessionOptions);
  EXPECT_PLACE(SessionGetModelMetadata, SessionGetModelMetadata);
  EXPECT_PLACE(ModelMetadataGetProducerName, ModelMetadataGetProducerName);
  EXPECT_PLACE(ModelMetadataLookupCustomMetadataMap, ModelMetadataLookupCustomMetadataMap);
  EXPECT_PLACE(ReleaseModelMetadata, ReleaseModelMetadata);
  EXPECT_PLACE(ModelMetadataGetCustomMetadataMapKeys, ModelMetadataGetCustomMetadataMapKeys);
  EXPECT_PLACE(GetAvailableProviders, GetAvailableProviders);
  EXPECT_PLACE(ReleaseAvailableProviders, ReleaseAvailableProviders);
  EXPECT_PLACE(AddSessionConfigEntry, AddSessionConfigEntry);
  EXPECT_PLACE(AppendTensorRt, SessionOptionsAppendExecutionProvider_TensorRT_V2);
  EXPECT_PLACE(CreateTensorRtOptions, CreateTensorRTProviderOptions);
  EXPECT_PLACE(ReleaseTensorRtOptions, ReleaseTensorRTProviderOptions);
  EXPECT_PLACE(AppendCuda, SessionOptionsAppendExecutionProvider_CUDA_V2);
  EXPECT_PLACE(CreateCudaOptions, CreateCUDAProviderOptions);
  EXPECT_PLACE(ReleaseCudaOptions, ReleaseCUDAProviderOptions);
  EXPECT_EQ(offsetof(ort::ApiBase, get_version), offsetof(::OrtApiBase, GetVersionString));
  EXPECT_EQ(ort::kLogFatal, ORT_LOGGING_LEVEL_FATAL);
  EXPECT_EQ(ort::kDeviceAllocator, OrtDeviceAllocator);
  EXPECT_EQ(ort::kDefaultMemory, OrtMemTypeDefault);
  EXPECT_EQ(1, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  EXPECT_EQ(7, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
  EXPECT_EQ(9, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL);
  EXPECT_EQ(13, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64);
}

#else

TEST(OrtApi, IsDeclaredAsTheOfficialHeaderDoes) {
  GTEST_SKIP() << "onnxruntime_c_api.h is not here; its folder is LIMINAL_ONNXRUNTIME_INCLUDE";
}

#endif

}  // namespace
}  // namespace liminal::onnxruntime
