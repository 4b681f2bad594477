#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/check.hpp"
#include "io/json/value.hpp"
#include "server/api/fake_anomalies.hpp"
#include "server/api/fake_backend.hpp"
#include "server/api/fake_models.hpp"
#include "server/api/fake_scaling.hpp"
#include "server/api/service.hpp"

// Whatever is asked: one answer, whose body is what its type says; errors are problems. The input
// is a method, a blank, a target, a newline and the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liminal;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view line = input.substr(0, input.find('\n'));
  http::Request request;
  request.method = line.substr(0, line.find(' '));
  if (request.method.size() < line.size()) request.target = line.substr(request.method.size() + 1);
  if (line.size() < input.size()) request.body = input.substr(line.size() + 1);
  request.headers = {{"Host", "localhost"}, {"Idempotency-Key", "k"}};
  request.peer_is_local = true;

  api::FakeBackend backend;
  api::FakeScaling scaling;
  api::FakeAnomalies metrics;
  api::FakeModels models;
  api::Service service(api::Options{}, backend);
  service.attach(scaling);
  service.attach(metrics);
  service.attach(models);
  std::optional<http::Response> answer;
  service.handle(std::move(request), [&answer](http::Response response) {
    LIMINAL_CHECK(!answer);
    answer = std::move(response);
  });

  LIMINAL_CHECK(answer && answer->status >= 200 && answer->status <= 503);
  const std::string_view type = answer->header("Content-Type").value_or("");
  LIMINAL_CHECK((answer->status >= 400) == (type == "application/problem+json"));
  if (type.find("json") != std::string_view::npos) LIMINAL_CHECK(json::parse(answer->body));
  return 0;
}
