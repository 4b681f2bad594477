#include "io/onnxruntime/library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/onnxruntime/session.hpp"

namespace liminal::onnxruntime {
namespace {

using ::testing::HasSubstr;

TEST(OnnxRuntime, SaysThatThereIsNoLibrary) {
  const auto library = Library::open("/nowhere/libonnxruntime.so");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().kind, Failure::Kind::kAbsent);
  EXPECT_THAT(library.error().text, HasSubstr("/nowhere/libonnxruntime.so"));
}

TEST(OnnxRuntime, TellsAFileThatIsNoLibraryFromNone) {
  const auto library = Library::open("/proc/self/exe");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().kind, Failure::Kind::kVersion);
}

TEST(OnnxRuntime, TellsAnotherLibraryFromOnnxRuntime) {
  const auto library = Library::open("libc.so.6");
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().kind, Failure::Kind::kVersion);
  EXPECT_EQ(library.error().text, "libc.so.6 is no ONNX Runtime");
}

TEST(OnnxRuntime, CallsProvidersAsTheConfigurationDoes) {
  for (const Provider one : {Provider::kCpu, Provider::kCuda, Provider::kTensorRt})
    EXPECT_EQ(provider_by_name(name(one)), one);
  EXPECT_EQ(provider_by_name("rocm"), std::nullopt);
}

TEST(OnnxRuntime, LooksBesideTheProgramAndAtTheSystemsLast) {
  const std::vector<std::string> paths = Library::usual_paths();
  ASSERT_EQ(paths.size(), 3U);
  EXPECT_THAT(paths[0], HasSubstr("lib/liminal/libonnxruntime.so"));
  EXPECT_EQ(paths.back(), "libonnxruntime.so.1");
}

class RealLibrary : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Library::open_usual();
    if (!opened) GTEST_SKIP() << opened.error().text;
    library_ = *opened;
  }
  std::shared_ptr<const Library> library_;
};

TEST_F(RealLibrary, OffersAtLeastTheProcessor) {
  EXPECT_THAT(library_->version(), ::testing::StartsWith("1."));
  EXPECT_THAT(library_->providers(), ::testing::Contains(Provider::kCpu));
}

TEST_F(RealLibrary, ListsWhatItOffersWhenItDoesNotOfferAProvider) {
  const auto offered = library_->providers();
  if (std::find(offered.begin(), offered.end(), Provider::kTensorRt) != offered.end())
    GTEST_SKIP() << "this library offers everything";
  const auto session = Session::create(library_, "", {Provider::kTensorRt, 1});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().kind, Failure::Kind::kProvider);
  EXPECT_THAT(session.error().text, HasSubstr("does not offer tensorrt, only: "));
  EXPECT_THAT(session.error().text, HasSubstr("cpu"));
}

TEST_F(RealLibrary, RefusesWhatIsNoModel) {
  const auto session = Session::create(library_, "this is no model");
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().kind, Failure::Kind::kModel);
  EXPECT_FALSE(session.error().text.empty());
}

}  // namespace
}  // namespace liminal::onnxruntime
