#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "bind.hpp"
#include "core/engine/options.hpp"
#include "engine_options.hpp"
#include "server/replay/replay.hpp"

namespace liminal::python {
namespace {

using namespace nb::literals;

/// A stream of the C library into memory.
class Memory {
 public:
  Memory() : file_(open_memstream(&text_, &bytes_)) {}
  ~Memory() {
    if (file_ != nullptr) (void)std::fclose(file_);
    std::free(text_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  [[nodiscard]] std::FILE* file() const { return file_; }
  [[nodiscard]] std::string_view text() const {
    (void)std::fflush(file_);
    return {text_, bytes_};
  }

 private:
  char* text_ = nullptr;
  std::size_t bytes_ = 0;
  std::FILE* file_;
};

nb::dict run(const std::vector<std::string>& files,
             std::string_view profile,
             std::string_view mode,
             nb::handle detection_rules) {
  const engine::Options options = engine_options(profile, mode, detection_rules);
  std::vector<replay::Trace> traces;
  for (const std::string& file : files) {
    auto text = std::make_unique<std::ifstream>(file, std::ios::binary);
    if (!*text) {
      PyErr_SetString(PyExc_FileNotFoundError, (file + ": cannot be opened").c_str());
      throw nb::python_error();
    }
    traces.push_back({file, std::move(text)});
  }
  Memory alerts, complaints;
  if (alerts.file() == nullptr || complaints.file() == nullptr) throw std::bad_alloc();
  {
    nb::gil_scoped_release release;
    (void)replay::Replay(options, alerts.file(), complaints.file()).run(std::move(traces));
  }
  nb::list found;
  std::string_view text = alerts.text();
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    found.append(from_json(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  nb::dict out = nb::cast<nb::dict>(found.attr("pop")());
  out["alerts"] = found;
  const std::string_view said = complaints.text();
  out["complaints"] = nb::str(said.data(), said.size()).attr("splitlines")();
  return out;
}

}  // namespace

void bind_replay(nb::module_& module) {
  module.def(
      "_replay", &run, "files"_a, nb::kw_only(), "profile"_a, "mode"_a, "detection_rules"_a.none());
}

}  // namespace liminal::python
