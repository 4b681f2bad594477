#include <benchmark/benchmark.h>

#include <string>

#include "io/files/crc32c.hpp"
#include "io/files/segment_log.hpp"

namespace liminal::files {
namespace {

/// A disk that takes everything at once: what is measured is our own work.
class NullFileSystem final : public FileSystem {
  struct File final : WritableFile {
    Result<std::size_t> write_some(std::string_view bytes) override { return bytes.size(); }
    Result<void> sync() override { return {}; }
  };

 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string&) override {
    return std::make_unique<File>();
  }
  Result<std::unique_ptr<WritableFile>> append_to(const std::string&) override {
    return std::make_unique<File>();
  }
  Result<std::string> read_head(const std::string&, std::size_t) override { return std::string(); }
  Result<std::string> read(const std::string&, std::size_t) override { return std::string(); }
  Result<std::vector<FileEntry>> list(const std::string&) override {
    return std::vector<FileEntry>();
  }
  Result<void> rename(const std::string&, const std::string&) override { return {}; }
  Result<void> remove(const std::string&) override { return {}; }
  Result<void> truncate(const std::string&, std::uint64_t) override { return {}; }
  Result<void> create_folder(const std::string&) override { return {}; }
  Result<void> sync_folder(const std::string&) override { return {}; }
};

/// One record of the size of a journalled message.
void BM_Append(benchmark::State& state) {
  NullFileSystem system;
  SegmentLogOptions options;
  options.folder = "data";
  const SteadyTime now{std::chrono::hours{1}};
  SegmentLog log = std::move(*SegmentLog::open(system, options, now));
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(log.append(payload, now));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Append)->Arg(64)->Arg(1024);

void BM_Crc32c(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(0, bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace liminal::files
