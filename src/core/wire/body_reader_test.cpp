#include "core/wire/body_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace liminal::wire {
namespace {

using State = BodyReader::State;
constexpr std::size_t kMax = 16;

struct Outcome {
  State state;
  std::string body;
  bool operator==(const Outcome&) const = default;
};

/// What comes of an answer that arrives in pieces of `step` bytes.
Outcome read(const std::string& head, const std::string& body, std::size_t step, bool ends) {
  const std::string whole = "HTTP/1.1 " + head + "\r\n\r\n";
  UpgradeResponseReader heads;
  const auto answer = heads.read(whole, {}, {});
  BodyReader reader(**answer, kMax);
  for (std::size_t at = 0; at < body.size(); at += step)
    (void)reader.take(std::string_view(body).substr(at, step));
  if (ends) (void)reader.end();
  return {reader.state(), reader.state() == State::kDone ? reader.body() : ""};
}

TEST(BodyReader, FindsTheEndHoweverItIsToldAndCut) {
  struct {
    std::string head, body;
    bool ends;
    Outcome expected;
  } const cases[] = {
      {"403 F\r\nContent-Length: 4", "gone", false, {State::kDone, "gone"}},
      {"403 F\r\nContent-Length: 4", "gone away", false, {State::kDone, "gone"}},
      {"403 F\r\nContent-Length: 5", "gone", true, {State::kUnusable, ""}},
      {"403 F\r\nContent-Length: 5", "gone", false, {State::kMore, ""}},
      {"403 F\r\nContent-Length: 0", "", false, {State::kDone, ""}},
      {"403 F\r\nContent-Length: 17", "", false, {State::kUnusable, ""}},
      {"403 F\r\nContent-Length: -1", "", false, {State::kUnusable, ""}},
      {"403 F\r\nContent-Length: 4\r\nTransfer-Encoding: chunked",
       "",
       false,
       {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: gzip", "", false, {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: Chunked",
       "2\r\ngo\r\n2;a=b\r\nne\r\n0\r\n\r\n",
       false,
       {State::kDone, "gone"}},
      {"403 F\r\nTransfer-Encoding: chunked", "2\r\ngo\r\n", true, {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: chunked",
       "2\r\ngone\r\n0\r\n\r\n",
       true,
       {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: chunked", "x\r\n", false, {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: chunked",
       "9\r\n123456789\r\n9\r\n123456789\r\n",
       false,
       {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: chunked",
       "ffffffffffffffffff\r\n",
       false,
       {State::kUnusable, ""}},
      {"403 F\r\nTransfer-Encoding: chunked", std::string(300, '1'), false, {State::kUnusable, ""}},
      {"403 F", "gone", true, {State::kDone, "gone"}},
      {"403 F", "gone", false, {State::kMore, ""}},
      {"403 F", std::string(17, 'x'), false, {State::kUnusable, ""}},
      {"304 N\r\nContent-Length: 9", "", false, {State::kDone, ""}},
  };
  for (const auto& each : cases) {
    for (const std::size_t step : {1U, 3U, 1000U})
      EXPECT_EQ(read(each.head, each.body, step, each.ends), each.expected)
          << each.head << "\n"
          << each.body << "\nby " << step;
  }
}

}  // namespace
}  // namespace liminal::wire
