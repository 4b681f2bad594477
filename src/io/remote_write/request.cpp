#include "io/remote_write/request.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <snappy.h>

#include <algorithm>
#include <optional>

#include "core/wire/utf8.hpp"

namespace liminal::remote_write {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

/// A block of Snappy says at most 64 bytes with three.
constexpr std::size_t kExpansionMax = 22;

// Fields of the messages, by their published numbers.
namespace write_request {
constexpr int kSeries = 1, kMetadata = 3;
}
namespace time_series {
constexpr int kLabels = 1, kSamples = 2, kExemplars = 3, kHistograms = 4;
}
namespace label {
constexpr int kName = 1, kValue = 2;
}
namespace sample {
constexpr int kValue = 1, kTimestamp = 2;
}

class MessageReader {
 public:
  MessageReader(std::string_view message, const Limits& limits)
      : message_(message),
        limits_(limits),
        in_(reinterpret_cast<const std::uint8_t*>(message.data()),
            static_cast<int>(message.size())) {}

  Result<Request> read() {
    Request out;
    const bool whole = fields([&](int field, bool is_message) {
      if (is_message && field == write_request::kSeries) return read_series(out);
      if (is_message && field == write_request::kMetadata) ++out.metadata;
      return skip();
    });
    if (error_) return tl::unexpected(*error_);
    if (!whole) return failure(ErrorCode::kMalformed, position());
    return out;
  }

 private:
  [[nodiscard]] std::uint64_t position() const {
    return static_cast<std::uint64_t>(in_.CurrentPosition());
  }

  bool fail(ErrorCode code, std::uint64_t at) {
    if (!error_) error_ = Error{code, at};
    return false;
  }

  /// Calls `take(number, whether it is length-delimited)` for each field up to the end of what is
  /// read; false when one was not taken or is none.
  template <class Take>
  bool fields(Take take) {
    for (;;) {
      if (at_end()) return true;
      tag_ = in_.ReadTagNoLastTag();
      const int number = WireFormatLite::GetTagFieldNumber(tag_);
      const bool delimited =
          WireFormatLite::GetTagWireType(tag_) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (number == 0 || !take(number, delimited)) return false;
    }
  }

  bool at_end() { return left() == 0; }

  bool skip() { return WireFormatLite::SkipField(&in_, tag_); }

  /// Reads a message that lies in this one.
  template <class Take>
  bool inside(Take take) {
    int size = 0;
    if (!in_.ReadVarintSizeAsInt(&size) || size > left()) return false;
    const auto limit = in_.PushLimit(size);
    const bool whole = fields(take);
    in_.PopLimit(limit);
    return whole;
  }

  /// Bytes up to the end of the innermost message.
  [[nodiscard]] int left() {
    const int until = in_.BytesUntilLimit();
    return until >= 0 ? until : static_cast<int>(message_.size() - position());
  }

  bool read_text(std::string_view& out) {
    int size = 0;
    if (!in_.ReadVarintSizeAsInt(&size) || size > left()) return false;
    out = message_.substr(position(), static_cast<std::size_t>(size));
    return in_.Skip(size) && wire::is_utf8(out);
  }

  bool read_label(Series& series) {
    if (++labels_ > limits_.labels_max) return fail(ErrorCode::kTooLarge, position());
    Label& out = series.labels.emplace_back();
    return inside([&](int field, bool delimited) {
      if (delimited && field == label::kName) return read_text(out.name);
      if (delimited && field == label::kValue) return read_text(out.value);
      return skip();
    });
  }

  bool read_sample(Series& series) {
    if (++samples_ > limits_.samples_max) return fail(ErrorCode::kTooLarge, position());
    Sample& out = series.samples.emplace_back();
    return inside([&](int field, bool) {
      const auto type = WireFormatLite::GetTagWireType(tag_);
      if (field == sample::kValue && type == WireFormatLite::WIRETYPE_FIXED64)
        return WireFormatLite::ReadPrimitive<double, WireFormatLite::TYPE_DOUBLE>(&in_, &out.value);
      if (field == sample::kTimestamp && type == WireFormatLite::WIRETYPE_VARINT)
        return WireFormatLite::ReadPrimitive<std::int64_t, WireFormatLite::TYPE_INT64>(
            &in_, &out.timestamp_ms);
      return skip();
    });
  }

  bool read_series(Request& out) {
    const std::size_t which = series_++;
    if (which >= limits_.series_max) return fail(ErrorCode::kTooLarge, position());
    Series& series = out.series.emplace_back();
    const bool whole = inside([&](int field, bool delimited) {
      if (delimited && field == time_series::kLabels) return read_label(series);
      if (delimited && field == time_series::kSamples) return read_sample(series);
      if (delimited && field == time_series::kExemplars) ++out.exemplars;
      if (delimited && field == time_series::kHistograms) ++out.histograms;
      return skip();
    });
    if (!whole) return false;
    if (const auto fault = fault_of(series)) {
      if (!out.invalid) out.invalid = Error{*fault, which};
      out.invalid_samples += series.samples.size();
      out.series.pop_back();
    }
    return true;
  }

  /// Orders the labels.
  static std::optional<ErrorCode> fault_of(Series& series) {
    auto& labels = series.labels;
    std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) {
      return a.name < b.name;
    });
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const bool again = i > 0 && labels[i].name == labels[i - 1].name;
      if (again || labels[i].name.empty() || labels[i].value.empty()) return ErrorCode::kConflict;
    }
    if (series.label("__name__").empty()) return ErrorCode::kMissing;
    return std::nullopt;
  }

  const std::string_view message_;
  const Limits& limits_;
  CodedInputStream in_;
  std::uint32_t tag_ = 0;
  std::size_t series_ = 0, labels_ = 0, samples_ = 0;
  std::optional<Error> error_;
};

}  // namespace

std::string_view Series::label(std::string_view name) const {
  const auto found = std::lower_bound(
      labels.begin(), labels.end(), name, [](const Label& one, std::string_view wanted) {
        return one.name < wanted;
      });
  return found != labels.end() && found->name == name ? found->value : std::string_view{};
}

Result<std::string> decompress(std::string_view body, std::size_t bytes_max) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size))
    return failure(ErrorCode::kMalformed);
  if (size > bytes_max) return failure(ErrorCode::kTooLarge, size);
  // Else a few bytes could have a large buffer made.
  if (size > kExpansionMax * body.size()) return failure(ErrorCode::kMalformed);
  std::string out(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), out.data()))
    return failure(ErrorCode::kMalformed);
  return out;
}

Result<Request> read(std::string_view message, const Limits& limits) {
  if (message.size() > limits.bytes_max) return failure(ErrorCode::kTooLarge);
  return MessageReader(message, limits).read();
}

}  // namespace liminal::remote_write
