#include "io/remote_write/request.hpp"
#include "server/api/call.hpp"
#include "server/api/remote_rows.hpp"

namespace liminal::api {
namespace {

/// A larger body would hold up the others on this thread.
constexpr std::size_t kAtOnceBytesMax = 4 * 1024;
constexpr std::string_view kProtobuf = "application/x-protobuf";

/// What of a request is not what is spoken here; nothing when all is. Without the header fields it
/// is taken for version 1.0 in Snappy, as Prometheus' own receiver does.
std::optional<http::Response> refuse_encoding(const http::Request& request) {
  const auto encoding = request.header("Content-Encoding");
  if (encoding && !http::same_name(*encoding, "snappy"))
    return problem(415, "the Content-Encoding must be snappy");
  const auto type = request.header("Content-Type");
  if (!type) return std::nullopt;
  if (!http::same_name(http::media_type(*type), kProtobuf))
    return problem(415, "the Content-Type must be application/x-protobuf");
  const auto message = http::media_parameter(*type, "proto");
  if (message && *message != "prometheus.WriteRequest")
    return problem(415, "remote-write 1.0 is spoken here: send prometheus.WriteRequest");
  return std::nullopt;
}

http::Response malformed(const Error& error) {
  const std::string where = std::to_string(error.position);
  switch (error.code) {
    case ErrorCode::kTooLarge:
      return problem(413, "the request holds more series, labels or samples than are accepted");
    case ErrorCode::kMissing:
      return problem(400, "series " + where + " has no label __name__");
    case ErrorCode::kConflict:
      return problem(400, "series " + where + " has an empty label, or one that is there twice");
    default:
      return problem(400, "the body is no prometheus.WriteRequest, at byte " + where);
  }
}

}  // namespace

void Service::learn_write(const CallPtr& call) {
  const remote_write::Limits limits;
  const auto message = remote_write::decompress(call->request.body, limits.bytes_max);
  call->request.body = {};
  if (!message) {
    return call->answer(message.error().code == ErrorCode::kTooLarge
                            ? problem(413, "the body decompressed is larger than is accepted")
                            : problem(400, "the body is no Snappy block"));
  }
  const auto request = remote_write::read(*message, limits);
  if (!request) return call->answer(malformed(request.error()));
  written_.add(WriteResult::kInvalid, request->invalid_samples);
  // The specification has it that a request with any invalid sample MUST be answered with 400. Here
  // that holds where nothing is valid: for one with good series beside, the sender would count all
  // of its samples as failed, though they were learnt. What was left out is counted by its result.
  if (request->series.empty() && request->invalid)
    return call->answer(malformed(*request->invalid));
  const RemoteRows rows = rows_of(*request, anomalies_->now());
  novelty::Intake sum;
  for (const novelty::Batch& batch : rows.batches) sum += anomalies_->learn(batch);
  written_.add(WriteResult::kLearnt, sum.learnt);
  written_.add(WriteResult::kMissing, sum.missing);
  written_.add(WriteResult::kDuplicate, sum.duplicate + rows.duplicate);
  written_.add(WriteResult::kLate, sum.late);
  written_.add(WriteResult::kOutOfRange, rows.out_of_range);
  written_.add(WriteResult::kBeyond, sum.beyond + rows.beyond);
  written_.add(WriteResult::kReserved, rows.reserved);
  written_.add(WriteResult::kHistogram, request->histograms);
  written_.add(WriteResult::kExemplar, request->exemplars);
  call->answer({204, {}, {}});
}

void Service::post_write(const CallPtr& call) {
  AnomalyPort* const port = anomalies_of(call);
  if (port == nullptr) return;
  if (auto refusal = refuse_encoding(call->request)) return call->answer(std::move(*refusal));
  if (call->request.body.size() <= kAtOnceBytesMax) return learn_write(call);
  // Of what is not taken a sender is told 503: it tries again that, and only that.
  later(
      call,
      [port](auto task) { return port->run(std::move(task)); },
      [this, call] { learn_write(call); });
}

}  // namespace liminal::api
