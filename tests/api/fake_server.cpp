// Serves the API over the fake backend, for the tests from outside (tests/api). Says where on
// stdout and goes on until its stdin ends. Usage: PROGRAM [TOKEN]
#include <cstdio>

#include "server/api/fake_anomalies.hpp"
#include "server/api/fake_backend.hpp"
#include "server/api/fake_models.hpp"
#include "server/api/fake_scaling.hpp"
#include "server/api/service.hpp"

int main(int argc, char** argv) {
  using namespace liminal;
  api::FakeBackend backend;
  api::FakeScaling scaling;
  api::FakeAnomalies metrics;
  api::FakeModels models;
  api::Options options;
  options.http.port = 0;
  options.version = "1.2.3";
  if (argc > 1) options.access.token = argv[1];
  api::Service service(options, backend);
  service.attach(scaling);
  service.attach(metrics);
  service.attach(models);
  const auto server = http::Server::start(
      options.http,
      [&service](http::Request request, http::Reply reply) {
        service.handle(std::move(request), std::move(reply));
      },
      &api::Service::error_page);
  if (!server) return std::fputs("cannot listen\n", stderr), 1;
  std::printf("ready api=127.0.0.1:%u\n", static_cast<unsigned>((*server)->port()));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
