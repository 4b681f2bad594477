#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/files/crc32c.hpp"
#include "io/files/memory_file_system.hpp"
#include "io/files/replace.hpp"
#include "server/signals/scaling_testing.hpp"

namespace liminal::signals {
namespace {

using testing::minute;
using testing::options;
using testing::report;
using testing::told;

TEST(Scaling, KeepsServicesAndOptionsAcrossARestart) {
  files::MemoryFileSystem disk;
  std::uint64_t before = 0;
  {
    Scaling scaling(options(), disk);
    ASSERT_TRUE(told(scaling, report("web", 0, 500)));
    EXPECT_FALSE(*scaling.set_options("web", {.replicas_min = 4}));
    ASSERT_TRUE(told(scaling, report("web", 500, 10)));
    before = scaling.state("web")->service.state_hash();
  }
  Scaling scaling(options(), disk);
  const auto state = scaling.state("web");
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->service.state_hash(), before);
  EXPECT_EQ(state->options.replicas_min, 4u);
  ASSERT_EQ(scaling.lines(minute(510)).size(), 1u);
}

TEST(Scaling, SavesWhatChangedWithoutBeingStopped) {
  files::MemoryFileSystem disk;
  std::promise<void> saved;
  Scaling first(options(), disk);
  ASSERT_TRUE(told(first, report("web", 0, 10)));
  first.second();
  ASSERT_TRUE(first.run([&] { saved.set_value(); }));
  saved.get_future().wait();
  Scaling second(options(), disk);
  EXPECT_EQ(second.counters().services, 1u);
}

TEST(Scaling, SavesAllThatChangedWhenItIsTold) {
  files::MemoryFileSystem disk;
  ScalingOptions later = options();
  later.save_interval = std::chrono::hours{1};
  later.save_bytes = 1;
  Scaling first(later, disk);
  for (const char* service : {"web", "chat", "game"}) {
    ASSERT_TRUE(told(first, report(service, 0, 10)));
  }
  disk.faults.fail_at = disk.operations() + 1;
  disk.faults.fail_ever_after = true;
  EXPECT_EQ(first.save().error().code, ErrorCode::kIo);
  disk.faults = {};
  EXPECT_TRUE(first.save());
  EXPECT_EQ(Scaling(options(), disk).counters().services, 3u);
  EXPECT_TRUE(first.save());
  EXPECT_EQ(first.counters().saved, 3u) << "what did not change is not written again";
}

TEST(Scaling, ADamagedFileIsSetAsideAndItsServiceBeginsAnew) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(told(*std::make_unique<Scaling>(options(), disk), report("web", 0, 10))); }
  const auto listed = disk.list("scaling");
  ASSERT_EQ(listed->size(), 1u);
  const std::string path = "scaling/" + listed->front().name;
  ASSERT_TRUE(disk.truncate(path, listed->front().bytes / 2));
  const std::string half = disk.contents(path);
  {
    Scaling scaling(options(), disk);
    EXPECT_EQ(scaling.counters().load_errors, 1u);
    EXPECT_EQ(scaling.counters().services, 0u);
    ASSERT_TRUE(told(scaling, report("web", 10, 5)));
  }
  EXPECT_EQ(disk.contents(path + ".unreadable"), half);
  EXPECT_EQ(Scaling(options(), disk).state("web")->service.observations(), 5u);
}

TEST(Scaling, AFileThatCannotBeReadJustNowIsLeftAsItIs) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {.replicas_min = 7})); }
  const std::string path = Scaling::path("scaling", "web");
  const std::string before = disk.contents(path);
  disk.faults.fail_reads = true;
  {
    Scaling scaling(options(), disk);
    disk.faults = {};
    EXPECT_EQ(scaling.counters().load_errors, 1u);
    ASSERT_TRUE(told(scaling, report("web", 0, 5)));
    EXPECT_EQ(scaling.set_options("web", {.replicas_min = 2}).error().code, ErrorCode::kIo);
    EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kIo);
    ASSERT_TRUE(told(scaling, report("web", 5, 5)));
    EXPECT_TRUE(scaling.set_options("new", {}));
  }
  EXPECT_EQ(disk.contents(path), before);
  EXPECT_EQ(disk.list("scaling")->size(), 2u);
  EXPECT_EQ(Scaling(options(), disk).state("web")->options.replicas_min, 7u);
}

TEST(Scaling, ADamagedFileThatCannotBeSetAsideIsNotWrittenOver) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {})); }
  const std::string path = Scaling::path("scaling", "web");
  disk.contents(path) += "damaged";
  const std::string damaged = disk.contents(path);
  disk.faults.fail_at = disk.operations() + 1;
  {
    Scaling scaling(options(), disk);
    EXPECT_EQ(scaling.counters().load_errors, 2u);
    ASSERT_TRUE(told(scaling, report("web", 0, 5)));
  }
  EXPECT_EQ(disk.contents(path), damaged);
  EXPECT_EQ(Scaling(options(), disk).counters().load_errors, 1u);
  EXPECT_EQ(disk.contents(path + ".unreadable"), damaged);
}

TEST(Scaling, ACopyOfAServicesFileIsNoOtherService) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(told(*std::make_unique<Scaling>(options(), disk), report("web", 0, 10))); }
  const std::string path = "scaling/" + disk.list("scaling")->front().name;
  ASSERT_TRUE(files::replace_file(disk, "scaling/0000000000000000.service", disk.contents(path)));
  Scaling scaling(options(), disk);
  EXPECT_EQ(scaling.counters().load_errors, 1u);
  EXPECT_EQ(scaling.counters().services, 1u);
}

TEST(Scaling, SettingsThatCouldNotBeWrittenAreNotTaken) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(scaling.set_options("web", {.replicas_min = 2}));
  for (std::uint64_t i = 1; i < 6; ++i) {
    disk.faults.fail_at = disk.operations() + i;
    disk.faults.fail_ever_after = true;
    EXPECT_EQ(scaling.set_options("web", {.replicas_min = 4}).error().code, ErrorCode::kIo) << i;
    EXPECT_EQ(scaling.state("web")->options.replicas_min, 2u);
    EXPECT_EQ(scaling.set_options("new", {}).error().code, ErrorCode::kIo);
    EXPECT_EQ(scaling.state("new").error().code, ErrorCode::kMissing);
    disk.faults = {};
  }
  EXPECT_EQ(scaling.lines(minute(0)).size(), 1u);
  EXPECT_FALSE(*scaling.set_options("web", {.replicas_min = 5}));
}

TEST(Scaling, TheSettingsOfAServiceOfAnotherFormatAreTaken) {
  files::MemoryFileSystem disk;
  { ASSERT_TRUE(Scaling(options(), disk).set_options("web", {.replicas_min = 7})); }
  std::string& file = disk.contents("scaling/" + disk.list("scaling")->front().name);
  // The service begins with its format.
  Writer settings;
  scaling::Service{}.save(settings);
  file[file.size() - settings.bytes().size()] = 1;
  Writer head;
  head.put(Scaling::kMagic);
  head.put(Scaling::kFormat);
  head.put(files::crc32c(0, std::string_view(file).substr(12)));
  file.replace(0, 12, head.bytes());
  Scaling scaling(options(), disk);
  EXPECT_EQ(scaling.counters().load_errors, 1u);
  EXPECT_EQ(scaling.state("web")->options.replicas_min, 7u);
  EXPECT_EQ(scaling.state("web")->service.observations(), 0u);
}

TEST(Scaling, WhatIsForgottenIsNotThereAfterARestart) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    ASSERT_TRUE(scaling.set_options("web", {}));
    EXPECT_TRUE(scaling.forget("web"));
    EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kMissing);
  }
  EXPECT_EQ(Scaling(options(), disk).counters().services, 0u);
}

TEST(Scaling, WhatCannotBeRemovedIsNotForgotten) {
  files::MemoryFileSystem disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(scaling.set_options("web", {.replicas_min = 7}));
  disk.faults.fail_at = disk.operations() + 1;
  EXPECT_EQ(scaling.forget("web").error().code, ErrorCode::kIo);
  EXPECT_EQ(scaling.state("web")->options.replicas_min, 7u);
  EXPECT_EQ(scaling.counters().save_errors, 1u);
  EXPECT_TRUE(scaling.forget("web"));
}

/// What a second saves, when so much may be saved in one.
std::uint64_t saved_in_a_second(std::chrono::milliseconds time, std::size_t bytes) {
  files::MemoryFileSystem disk;
  ScalingOptions many = options();
  many.save_time = time;
  many.save_bytes = bytes;
  std::promise<void> saved;
  Scaling scaling(many, disk);
  for (int i = 0; i < 250; ++i) EXPECT_TRUE(told(scaling, report(std::to_string(i), 0, 1)));
  scaling.second();
  EXPECT_TRUE(scaling.run([&] { saved.set_value(); }));
  saved.get_future().wait();
  return scaling.counters().saved;
}

TEST(Scaling, SavesAsManyServicesInASecondAsFitIntoItsShare) {
  const std::chrono::hours ample{1};
  EXPECT_EQ(saved_in_a_second(ample, std::size_t{1} << 30), 250u);
  EXPECT_EQ(saved_in_a_second(ample, 1), 1u);
  EXPECT_EQ(saved_in_a_second(std::chrono::milliseconds{0}, std::size_t{1} << 30), 1u);
}

TEST(Scaling, ASmallerBoundKeepsThoseWithSettingsAndThenTheLatest) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    for (const char* name : {"s1", "s2", "s3"})
      ASSERT_TRUE(scaling.set_options(name, {.replicas_min = 5}));
    for (const char* name : {"d1", "d2", "d3", "d4"}) {
      ASSERT_TRUE(told(scaling, report(name, 0, 1)));
      std::promise<void> saved;
      scaling.second();
      ASSERT_TRUE(scaling.run([&] { saved.set_value(); }));
      saved.get_future().wait();
    }
  }
  ScalingOptions few = options();
  few.services_max = 5;
  Scaling scaling(few, disk);
  EXPECT_EQ(scaling.counters().left_out, 2u);
  std::vector<std::string> names;
  for (const auto& one : scaling.services(minute(1), 10)) names.push_back(one.name);
  EXPECT_EQ(names, (std::vector<std::string>{"d4", "d3", "s3", "s2", "s1"}));
}

TEST(Scaling, AServiceThatWasLeftOutIsReadWhenSomebodyAsksForIt) {
  files::MemoryFileSystem disk;
  {
    Scaling scaling(options(), disk);
    for (const char* name : {"a", "b"}) ASSERT_TRUE(scaling.set_options(name, {.replicas_min = 5}));
    ASSERT_TRUE(told(scaling, report("a", 0, 70)));
  }
  ScalingOptions few = options();
  few.services_max = 1;
  {
    Scaling scaling(few, disk);
    const std::string out = scaling.services(minute(1), 10).front().name == "a" ? "b" : "a";
    EXPECT_EQ(scaling.state(out)->options.replicas_min, 5u);
    EXPECT_TRUE(scaling.advice(out, minute(71)));
    EXPECT_EQ(told(scaling, report(out, 70, 1)).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(scaling.set_options(out, {}).error().code, ErrorCode::kTooLarge);
    disk.faults.fail_reads = true;
    EXPECT_EQ(told(scaling, report(out, 70, 1)).error().code, ErrorCode::kUnavailable);
    disk.faults = {};
    EXPECT_TRUE(scaling.forget(out == "a" ? "b" : "a"));
    EXPECT_TRUE(told(scaling, report(out, 70, 1)));
    EXPECT_EQ(scaling.state(out)->options.replicas_min, 5u);
    EXPECT_EQ(scaling.counters().left_out, 0u);
  }
  EXPECT_EQ(disk.list("scaling")->size(), 1u);
}

/// A disk that begins its first file only when it may.
class SlowDisk final : public files::FileSystem {
 public:
  std::promise<void> begun, release;

  Result<std::unique_ptr<files::WritableFile>> create(const std::string& path) override {
    if (!std::exchange(waited_, true)) {
      begun.set_value();
      release.get_future().wait();
    }
    return disk_.create(path);
  }
  Result<std::unique_ptr<files::WritableFile>> append_to(const std::string& path) override {
    return disk_.append_to(path);
  }
  Result<std::string> read_head(const std::string& path, std::size_t bytes_max) override {
    return disk_.read_head(path, bytes_max);
  }
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override {
    return disk_.read(path, bytes_max);
  }
  Result<std::vector<files::FileEntry>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> truncate(const std::string& path, std::uint64_t bytes) override {
    return disk_.truncate(path, bytes);
  }
  Result<void> create_folder(const std::string& path) override { return disk_.create_folder(path); }
  Result<void> sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }

 private:
  files::MemoryFileSystem disk_;
  bool waited_ = false;
};

TEST(Scaling, LearnsAndAdvisesWhileAServiceIsBeingWritten) {
  SlowDisk disk;
  Scaling scaling(options(), disk);
  ASSERT_TRUE(told(scaling, report("web", 0, 50)));
  scaling.second();
  disk.begun.get_future().wait();
  EXPECT_TRUE(told(scaling, report("web", 50, 10)));
  EXPECT_TRUE(scaling.advice("web", minute(60)));
  EXPECT_EQ(scaling.lines(minute(60)).size(), 0U);
  EXPECT_GT(scaling.counters().bytes, 1000U);
  disk.release.set_value();
}

}  // namespace
}  // namespace liminal::signals
