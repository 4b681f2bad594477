#include "app/json_records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/json/value.hpp"

namespace liminal::app {
namespace {

struct FieldText {
  std::string operator()(std::nullptr_t) const { return {}; }
  std::string operator()(bool truth) const { return truth ? "true" : "false"; }
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const json::Value::Array&) const { return "["; }
  std::string operator()(const json::Value::Object&) const { return "{"; }
  template <class Number>
  std::string operator()(Number number) const {
    return fmt::format("{}", number);
  }
};

}  // namespace

tl::unexpected<csv::Mistake> JsonRecords::mistake(ErrorCode code, std::string_view what) {
  next_ = Next::kEnd;
  return tl::unexpected<csv::Mistake>(csv::Mistake{code, line_, 0, what});
}

/// The next line that is not blank; false at the end. One that is too long is cut after that.
bool JsonRecords::read_line() {
  std::streambuf& bytes = *in_.rdbuf();
  using Traits = std::streambuf::traits_type;
  for (bool more = true; more;) {
    text_.clear();
    ++line_;
    for (;;) {
      const auto byte = bytes.sbumpc();
      more = !Traits::eq_int_type(byte, Traits::eof());
      if (!more || byte == '\n' || text_.size() > csv::RecordReader::kRecordBytesMax) break;
      text_.push_back(Traits::to_char_type(byte));
    }
    if (text_.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  return false;
}

/// Puts the line's object into `values_`; that of the first makes the names known.
tl::expected<void, csv::Mistake> JsonRecords::read_object() {
  if (text_.size() > csv::RecordReader::kRecordBytesMax)
    return mistake(ErrorCode::kTooLarge, "is longer than 16 MiB");
  const Result<json::Value> value = json::parse(text_);
  const auto* members = value ? value->as<json::Value::Object>() : nullptr;
  if (members == nullptr) return mistake(ErrorCode::kMalformed, "is no JSON object");
  if (next_ == Next::kNames) {
    for (const auto& member : *members) {
      if (!places_.emplace(member.first, names_.size()).second) continue;
      names_.push_back(member.first);
    }
    if (names_.empty()) return mistake(ErrorCode::kMissing, "is an object without fields");
  }
  values_.assign(names_.size(), {});
  std::vector<bool> told(names_.size());
  for (const auto& [name, held] : *members) {
    const auto place = places_.find(name);
    if (place == places_.end()) {
      if (passed_over_ == nullptr)
        return mistake(ErrorCode::kMalformed, "has a field that the first object does not have");
      pass_over(name);
      continue;
    }
    if (told[place->second]) return mistake(ErrorCode::kMalformed, "has a field twice");
    told[place->second] = true;
    values_[place->second] = std::visit(FieldText{}, held.held);
  }
  return {};
}

void JsonRecords::pass_over(const std::string& name) {
  std::vector<std::string>& names = *passed_over_;
  if (names.size() < kPassedOverMax && std::find(names.begin(), names.end(), name) == names.end())
    names.push_back(name);
}

void JsonRecords::show(const std::vector<std::string>& texts) {
  fields_.assign(texts.begin(), texts.end());
}

tl::expected<bool, csv::Mistake> JsonRecords::next() {
  if (next_ == Next::kEnd) return false;
  if (next_ == Next::kFirst) {
    next_ = Next::kMore;
    show(values_);
    return true;
  }
  if (!read_line()) {
    next_ = Next::kEnd;
    return false;
  }
  if (auto read = read_object(); !read) return tl::unexpected<csv::Mistake>(read.error());
  show(next_ == Next::kNames ? names_ : values_);
  if (next_ == Next::kNames) next_ = Next::kFirst;
  return true;
}

}  // namespace liminal::app
