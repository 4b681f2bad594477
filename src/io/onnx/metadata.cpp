#include "io/onnx/metadata.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace liminal::onnx {
namespace {

using models::Task;
using nlohmann::json;

constexpr std::array kTasks{
    Task::kClassification, Task::kRegression, Task::kClustering, Task::kAnomaly};

/// Text that is no UTF-8 cannot be JSON: what is wrong in it becomes U+FFFD.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const std::string* find(const ::onnx::ModelProto& file, std::string_view key) {
  for (const ::onnx::StringStringEntryProto& entry : file.metadata_props()) {
    const std::string_view found = entry.key();
    if (found.starts_with(kMetadataPrefix) && found.substr(kMetadataPrefix.size()) == key)
      return &entry.value();
  }
  return nullptr;
}

/// Takes a JSON list of texts and nothing else, without making a tree of values, which a hostile
/// list could blow up.
class Texts : public json::json_sax_t {
 public:
  explicit Texts(std::size_t count_max) : count_max_(count_max) {}

  bool string(string_t& value) override {
    if (!open_ || found.size() == count_max_) return false;
    found.push_back(std::move(value));
    return true;
  }
  bool start_array(std::size_t /*elements*/) override { return !std::exchange(open_, true); }
  bool end_array() override { return true; }
  bool null() override { return false; }
  bool boolean(bool /*value*/) override { return false; }
  bool number_integer(number_integer_t /*value*/) override { return false; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return false; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return false; }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override { return false; }
  bool key(string_t& /*value*/) override { return false; }
  bool end_object() override { return false; }
  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const json::exception& /*what*/) override {
    return false;
  }

  std::vector<std::string> found;

 private:
  std::size_t count_max_;
  bool open_ = false;
};

std::optional<std::vector<std::string>> texts(const std::string* value, std::size_t count_max) {
  Texts list(count_max);
  if (value == nullptr || !json::sax_parse(*value, &list)) return std::nullopt;
  return std::move(list.found);
}

template <class Number, class... Base>
std::optional<Number> number(const std::string* text, Base... base) {
  if (text == nullptr) return std::nullopt;
  Number value{};
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, value, base...);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

std::optional<Task> task(const std::string* text) {
  for (const Task one : kTasks) {
    if (text != nullptr && *text == name(one)) return one;
  }
  return std::nullopt;
}

}  // namespace

std::string_view format_of(const ::onnx::ModelProto& file) {
  const std::string* const format = find(file, "format");
  return format == nullptr ? std::string_view{} : *format;
}

bool is_ours(const ::onnx::ModelProto& file) {
  const std::string_view format = format_of(file);
  return !format.empty() && format != kForeignFormat;
}

void write_metadata(const models::Metadata& metadata,
                    std::string_view format,
                    ::onnx::ModelProto& file) {
  const auto put = [&](std::string_view key, std::string value) {
    ::onnx::StringStringEntryProto& entry = *file.add_metadata_props();
    entry.set_key(std::string(kMetadataPrefix) + std::string(key));
    entry.set_value(std::move(value));
  };
  json features = json::array();
  json units = json::array();
  for (const models::Feature& feature : metadata.features) {
    features.push_back(feature.name);
    units.push_back(feature.unit);
  }
  json facts = json::array();
  for (const auto& [key, value] : metadata.facts) {
    facts.push_back(key);
    facts.push_back(value);
  }
  put("format", std::string(format));
  put("name", metadata.name);
  put("task", std::string(name(metadata.task)));
  put("features", dump(features));
  put("units", dump(units));
  put("schema", fmt::format("{:016x}", metadata.schema));
  put("trainer", metadata.trainer);
  put("line", fmt::format("{}", metadata.line));
  put("facts", dump(facts));
}

Read<models::Metadata> read_metadata(const ::onnx::ModelProto& file) {
  if (const std::string_view format = format_of(file);
      format != kFormat && format != kForeignFormat)
    return unsupported("format " + std::string(format) + " of a newer version");
  const auto features = texts(find(file, "features"), models::kColumnsMax);
  const auto units = texts(find(file, "units"), models::kColumnsMax);
  const auto facts = texts(find(file, "facts"), 2 * models::kFactsMax);
  const auto schema = number<std::uint64_t>(find(file, "schema"), 16);
  const auto line = number<float>(find(file, "line"));
  const auto which = task(find(file, "task"));
  const std::string* const name = find(file, "name");
  const std::string* const trainer = find(file, "trainer");
  if (!features || !units || !facts || !schema || !line || !which || name == nullptr ||
      trainer == nullptr || units->size() != features->size() || facts->size() % 2 != 0)
    return broken("its metadata are not complete");

  models::Metadata metadata{*name, *which, {}, *schema, *trainer, *line, {}};
  for (std::size_t i = 0; i < features->size(); ++i)
    metadata.features.push_back({(*features)[i], (*units)[i]});
  for (std::size_t i = 0; i < facts->size(); i += 2)
    metadata.facts.emplace_back((*facts)[i], (*facts)[i + 1]);
  return metadata;
}

}  // namespace liminal::onnx
