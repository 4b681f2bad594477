#include "io/csv/record_reader.hpp"

#include <algorithm>

namespace liminal::csv {
namespace {

constexpr std::size_t kBufferBytes = 64U << 10;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string text(const Mistake& mistake, std::string_view file, std::string_view column) {
  std::string out(file);
  if (mistake.line != 0) out += ':' + std::to_string(mistake.line);
  out += ": ";
  if (!column.empty()) {
    out += "column ";
    out += column;
    out += ' ';
  } else if (mistake.field != 0) {
    out += "column " + std::to_string(mistake.field) + ' ';
  }
  out += mistake.what;
  return out;
}

RecordReader::RecordReader(std::istream& in, char separator)
    : in_(in), buffer_(kBufferBytes), separator_(separator) {}

void RecordReader::fill() {
  in_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  filled_ = static_cast<std::size_t>(in_.gcount());
  at_ = 0;
}

int RecordReader::peek() {
  if (at_ == filled_) fill();
  return filled_ == 0 ? kEnd : static_cast<unsigned char>(buffer_[at_]);
}

int RecordReader::take() {
  const int c = peek();
  if (c != kEnd) ++at_;
  return c;
}

/// The candidate that stands most often outside of quotes in the first line; the comma when none
/// does. Looks no further than the first buffer.
void RecordReader::find_separator() {
  constexpr std::string_view kCandidates = ",;\t";
  std::size_t counts[kCandidates.size()] = {};
  bool quoted = false;
  for (std::size_t i = at_; i < filled_; ++i) {
    const char c = buffer_[i];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    if (const auto k = kCandidates.find(c); k != std::string_view::npos) ++counts[k];
  }
  separator_ = kCandidates[static_cast<std::size_t>(
      std::max_element(std::begin(counts), std::end(counts)) - std::begin(counts))];
}

tl::expected<bool, Mistake> RecordReader::next() {
  if (done_) return false;
  if (!started_) {
    started_ = true;
    fill();
    if (std::string_view(buffer_.data(), filled_).starts_with(kByteOrderMark)) {
      at_ = kByteOrderMark.size();
    }
    if (separator_ == 0) find_separator();
  }
  for (;;) {
    const auto found = record();
    if (!found || !*found) {
      done_ = true;
      return found;
    }
    if (fields_.size() > 1 || !fields_.front().empty()) return true;  // else a blank line
  }
}

void RecordReader::begin_record() {
  text_.clear();
  ends_.clear();
  record_line_ = line_;
}

void RecordReader::end_field(bool quoted) {
  const std::size_t begin = ends_.empty() ? 0 : ends_.back();
  if (!quoted) {
    while (text_.size() > begin && is_blank(text_.back())) text_.pop_back();
  }
  ends_.push_back(text_.size());
}

/// Takes a line's end or the file's; a lone CR is text.
bool RecordReader::ends_record(int c) {
  if (c == kEnd) return true;
  if (c == '\r' && peek() == '\n') c = take();
  if (c != '\n') return false;
  ++line_;
  return true;
}

tl::expected<bool, Mistake> RecordReader::record() {
  begin_record();
  if (peek() == kEnd) {
    if (in_.bad()) return mistake(ErrorCode::kIo, "cannot be read further");
    return false;
  }
  for (State state = State::kFieldStart;;) {
    const int c = take();
    const char byte = static_cast<char>(c);
    if (c == 0) return mistake(ErrorCode::kMalformed, "holds a NUL byte: this is no CSV in UTF-8");
    if (text_.size() >= kRecordBytesMax) {
      return mistake(ErrorCode::kTooLarge, "makes the line longer than 16 MiB");
    }
    if (state == State::kQuoted) {
      if (c == kEnd) return mistake(ErrorCode::kTruncated, "opens a quote that is never closed");
      if (c == '"') {
        state = State::kQuoteInQuoted;
      } else {
        if (c == '\n') ++line_;
        text_.push_back(byte);
      }
      continue;
    }
    if (state == State::kQuoteInQuoted) {
      if (c == '"') {
        text_.push_back('"');
        state = State::kQuoted;
        continue;
      }
      state = State::kAfterQuoted;
    }
    const bool quoted = state == State::kAfterQuoted;
    if (c != kEnd && byte == separator_) {
      end_field(quoted);
      if (ends_.size() == kFieldsMax) return mistake(ErrorCode::kTooLarge, "is one too many");
      state = State::kFieldStart;
    } else if (ends_record(c)) {
      end_field(quoted);
      break;
    } else if (is_blank(byte) && state != State::kPlain) {
      // Blanks around a field are not part of it.
    } else if (quoted) {
      return mistake(ErrorCode::kMalformed, "has text after its closing quote");
    } else if (byte == '"' && state == State::kFieldStart) {
      state = State::kQuoted;
    } else {
      text_.push_back(byte);
      state = State::kPlain;
    }
  }
  fields_.clear();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    fields_.push_back(std::string_view(text_.data() + begin, end - begin));
    begin = end;
  }
  return true;
}

tl::unexpected<Mistake> RecordReader::mistake(ErrorCode code, std::string_view what) {
  fields_.clear();
  return tl::unexpected<Mistake>(Mistake{code, record_line_, ends_.size() + 1, what});
}

}  // namespace liminal::csv
