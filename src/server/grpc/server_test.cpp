#include "server/grpc/server.hpp"

#include <externalscaler.grpc.pb.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "io/tls/test_certificates.hpp"
#include "server/grpc/streams.hpp"

namespace liminal::grpc {
namespace {

using externalscaler::GetMetricSpecResponse;
using externalscaler::GetMetricsRequest;
using externalscaler::GetMetricsResponse;
using externalscaler::IsActiveResponse;
using externalscaler::ScaledObjectRef;
using ::grpc::ClientContext;
using ::grpc::StatusCode;

/// What is advised, changed while the server asks.
struct Advice {
  std::mutex mutex;
  std::map<std::string, std::optional<std::uint32_t>> replicas;  // under the mutex

  void set(const std::string& service, std::optional<std::uint32_t> count) {
    const std::lock_guard lock(mutex);
    replicas[service] = count;
  }
  Advised ask() {
    return [this](const std::string& service) -> Result<std::optional<std::uint32_t>> {
      const std::lock_guard lock(mutex);
      const auto found = replicas.find(service);
      if (found == replicas.end()) return failure(ErrorCode::kMissing);
      return found->second;
    };
  }
};

ScaledObjectRef object(const std::string& name, const std::string& service = "") {
  ScaledObjectRef out;
  out.set_name(name);
  out.set_namespace_("shop");
  (*out.mutable_scalermetadata())["scalerAddress"] = "liminal:9090";
  if (!service.empty()) (*out.mutable_scalermetadata())["service"] = service;
  return out;
}

class GrpcServerTest : public ::testing::Test {
 protected:
  void start(Options options = {}) {
    options.refresh = std::chrono::milliseconds{5};
    auto started = Server::start(options, advice.ask());
    ASSERT_TRUE(started);
    server = std::move(*started);
    stub = connect(::grpc::InsecureChannelCredentials());
  }
  std::unique_ptr<externalscaler::ExternalScaler::Stub> connect(
      const std::shared_ptr<::grpc::ChannelCredentials>& credentials) const {
    ::grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return externalscaler::ExternalScaler::NewStub(::grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(server->port()), credentials, arguments));
  }
  static void limit(ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{30});
  }
  ::grpc::Status metrics(const ScaledObjectRef& of,
                         GetMetricsResponse& response,
                         const std::string& metric = "liminal-replicas") const {
    ClientContext context;
    limit(context);
    GetMetricsRequest request;
    *request.mutable_scaledobjectref() = of;
    request.set_metricname(metric);
    return stub->GetMetrics(&context, request, &response);
  }
  bool is_active(const std::string& service) const {
    ClientContext context;
    limit(context);
    IsActiveResponse response;
    EXPECT_TRUE(stub->IsActive(&context, object(service), &response).ok());
    return response.result();
  }

  Advice advice;  // outlives the server, which asks it
  std::unique_ptr<Server> server;
  std::unique_ptr<externalscaler::ExternalScaler::Stub> stub;
};

TEST(ExternalScaler, IsWrittenAsKedaPublishesIt) {
  GetMetricsRequest request;
  *request.mutable_scaledobjectref() = object("web");
  request.mutable_scaledobjectref()->mutable_scalermetadata()->clear();
  request.set_metricname("m");
  EXPECT_EQ(request.SerializeAsString(), "\x0a\x0b\x0a\x03web\x12\x04shop\x12\x01m");
  externalscaler::MetricValue value;
  value.set_metricname("m");
  value.set_metricvalue(3);
  value.set_metricvaluefloat(2);
  EXPECT_EQ(value.SerializeAsString(), std::string("\x0a\x01m\x10\x03\x19\0\0\0\0\0\0\0\x40", 14));
}

TEST_F(GrpcServerTest, GivesTheAdviceAsAMetric) {
  advice.set("chat", 7);
  start();
  for (const ScaledObjectRef& asked : {object("chat"), object("other", "chat")}) {
    GetMetricsResponse response;
    ASSERT_TRUE(metrics(asked, response).ok());
    ASSERT_EQ(response.metricvalues_size(), 1);
    EXPECT_EQ(response.metricvalues(0).metricname(), "liminal-replicas");
    EXPECT_EQ(response.metricvalues(0).metricvalue(), 7);
    EXPECT_EQ(response.metricvalues(0).metricvaluefloat(), 7.0);
  }
  EXPECT_TRUE(is_active("chat"));
  EXPECT_EQ(server->counters().answered[Counters::kGetMetrics], 2U);
}

TEST_F(GrpcServerTest, HasNoValueWithoutAnAdvice) {
  advice.set("new", std::nullopt);
  start();
  GetMetricsResponse response;
  EXPECT_EQ(metrics(object("new"), response).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(metrics(object("unknown"), response).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(metrics(object("new"), response, "another").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(response.metricvalues_size(), 0);
  EXPECT_TRUE(is_active("new")) << "not to know is no reason to stop it";
  EXPECT_TRUE(is_active("unknown"));
  EXPECT_EQ(server->counters().failed[Counters::kGetMetrics], 3U);
}

TEST_F(GrpcServerTest, SpecifiesTheMetricWhateverIsKnown) {
  start();
  ClientContext context;
  limit(context);
  GetMetricSpecResponse response;
  ASSERT_TRUE(stub->GetMetricSpec(&context, object("unknown"), &response).ok());
  ASSERT_EQ(response.metricspecs_size(), 1);
  EXPECT_EQ(response.metricspecs(0).metricname(), "liminal-replicas");
  EXPECT_EQ(response.metricspecs(0).targetsize(), 1);
  EXPECT_EQ(response.metricspecs(0).targetsizefloat(), 1.0);
}

TEST_F(GrpcServerTest, StreamsWhetherAServiceIsActive) {
  advice.set("chat", 2);
  start();
  ClientContext context;
  limit(context);
  const auto stream = stub->StreamIsActive(&context, object("chat"));
  IsActiveResponse response;
  ASSERT_TRUE(stream->Read(&response)) << "at once";
  EXPECT_TRUE(response.result());
  advice.set("chat", 3);
  advice.set("chat", 0);
  ASSERT_TRUE(stream->Read(&response)) << "what changed";
  EXPECT_FALSE(response.result());
  advice.set("chat", 1);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.result());
  EXPECT_EQ(server->counters().streams, 1U);
  context.TryCancel();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(GrpcServerTest, StreamsTheSpecificationOnce) {
  start();
  ClientContext context;
  limit(context);
  const auto stream = stub->StreamMetricSpec(&context, object("chat"));
  GetMetricSpecResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.metricspecs(0).targetsizefloat(), 1.0);
  server.reset();
  EXPECT_FALSE(stream->Read(&response)) << "nothing more until the server stops";
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(GrpcServerTest, BoundsTheStreamsThatAreOpen) {
  Options options;
  options.streams_max = 2;
  start(options);
  std::vector<std::unique_ptr<ClientContext>> contexts;
  const auto open = [&] {
    limit(*contexts.emplace_back(std::make_unique<ClientContext>()));
    return stub->StreamIsActive(contexts.back().get(), object("chat"));
  };
  IsActiveResponse response;
  const auto first = open(), second = open();
  ASSERT_TRUE(first->Read(&response) && second->Read(&response));
  const auto third = open();
  EXPECT_FALSE(third->Read(&response));
  EXPECT_EQ(third->Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(server->counters().answered[Counters::kStreamIsActive], 2U);
  EXPECT_EQ(server->counters().failed[Counters::kStreamIsActive], 1U);
  contexts[0]->TryCancel();
  EXPECT_EQ(first->Finish().error_code(), StatusCode::CANCELLED);
  // The server learns of it a moment later.
  for (bool taken = false; !taken;) {
    const auto next = open();
    taken = next->Read(&response);
    contexts.back()->TryCancel();
    (void)next->Finish();
  }
  contexts[1]->TryCancel();
  EXPECT_EQ(second->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(GrpcServerTest, OneConnectionHoldsAllStreamsAndAsksBesideThem) {
  advice.set("chat", 2);
  start();
  std::vector<std::unique_ptr<ClientContext>> contexts;
  std::vector<std::unique_ptr<::grpc::ClientReader<IsActiveResponse>>> streams;
  IsActiveResponse response;
  for (int i = 0; i < 300; ++i) {
    limit(*contexts.emplace_back(std::make_unique<ClientContext>()));
    streams.push_back(stub->StreamIsActive(contexts.back().get(), object("chat")));
    ASSERT_TRUE(streams.back()->Read(&response)) << i;
  }
  EXPECT_TRUE(is_active("chat"));
  for (std::size_t i = 0; i < streams.size(); ++i) {
    contexts[i]->TryCancel();
    (void)streams[i]->Finish();
  }
}

TEST(Streams, SayWhyTheyTakeNoMore) {
  struct Silent : Stream {
    void refresh() override {}
    void end(const ::grpc::Status&) override {}
  };
  Streams streams(1, std::chrono::hours{1});
  ASSERT_TRUE(streams.add(std::make_shared<Silent>()).ok());
  EXPECT_EQ(streams.add(std::make_shared<Silent>()).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  streams.close();
  EXPECT_EQ(streams.add(std::make_shared<Silent>()).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(GrpcServerTest, StopsWhileStreamsAndCallsAreUnderWay) {
  advice.set("chat", 1);
  start();
  std::atomic<bool> stopped{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([this, &stopped] {
      while (!stopped) {
        ClientContext context;
        limit(context);
        IsActiveResponse response;
        const auto stream = stub->StreamIsActive(&context, object("chat"));
        (void)stream->Read(&response);
        GetMetricsResponse values;
        (void)metrics(object("chat"), values);
        context.TryCancel();
        (void)stream->Finish();
      }
    });
  }
  while (server->counters().answered[Counters::kStreamIsActive] < 50) std::this_thread::yield();
  server.reset();
  stopped = true;
  for (std::thread& client : clients) client.join();
}

TEST_F(GrpcServerTest, ListensOnNoPortThatIsTaken) {
  start();
  Options options;
  options.address = "127.0.0.1:" + std::to_string(server->port());
  EXPECT_EQ(Server::start(options, advice.ask()).error().code, ErrorCode::kIo);
  options.address = "nowhere.invalid:1";
  EXPECT_EQ(Server::start(options, advice.ask()).error().code, ErrorCode::kIo);
}

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(GrpcServerTest, KnowsItsClientsByTheirCertificates) {
  tls::testing::TestCertificates files;
  files.server("server", "IP:127.0.0.1");
  files.server("client", "DNS:keda");
  Options options;
  options.certificate = read(files.certificate("server"));
  options.key = read(files.key("server"));
  options.authorities = read(files.authority());
  start(options);
  ::grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = options.authorities;
  const auto ask = [&] {
    stub = connect(::grpc::SslCredentials(tls));
    ClientContext context;
    limit(context);
    GetMetricSpecResponse response;
    return stub->GetMetricSpec(&context, object("chat"), &response).error_code();
  };
  EXPECT_EQ(ask(), StatusCode::UNAVAILABLE) << "without a certificate";
  tls.pem_cert_chain = read(files.certificate("client"));
  tls.pem_private_key = read(files.key("client"));
  EXPECT_EQ(ask(), StatusCode::OK);
}

TEST(GrpcOptions, SayWhatIsWrong) {
  using ::testing::ElementsAre;
  EXPECT_TRUE(validate({}).empty());
  Options options;
  options.certificate = "x";
  options.streams_max = 0;
  EXPECT_THAT(validate(options, "scaling.grpc"),
              ElementsAre(Problem{"scaling.grpc.key", "is missing: TLS needs both"},
                          Problem{"scaling.grpc.streams_max", "must be 1 to 10000"}));
  options = {};
  options.authorities = "x";
  EXPECT_THAT(
      validate(options),
      ElementsAre(Problem{"grpc.certificate", "is missing: clients are verified over TLS"}));
}

}  // namespace
}  // namespace liminal::grpc
