#include "server/webhook/webhook.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "core/salience/alert.hpp"
#include "io/http/server.hpp"

namespace liminal::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using traffic::Severity;
using Kind = http::Outcome::Kind;

/// Nothing is waited for longer than this; nothing but a failure takes as long.
constexpr seconds kPatience{20};

traffic::Alert alert(Severity severity = Severity::kHigh) {
  traffic::Alert made;
  made.shard = ShardId{17};
  made.number = 42;
  made.user = "ann";
  made.severity = severity;
  return made;
}

Options options(std::string url = "http://localhost/") {
  Options o;
  o.url = std::move(url);
  o.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  return o;
}

/// A clock that stands a minute further at each look, so that no retry is waited for.
Webhook::Clock leaping_clock() {
  auto looks = std::make_shared<std::atomic<int>>(0);
  return [looks] { return SteadyTime{std::chrono::hours{1} + std::chrono::minutes{(*looks)++}}; };
}

struct Posted {
  std::vector<http::Header> headers;
  std::string body;
};

/// Answers as it is told to, then with success.
class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(std::vector<Kind> answers) : answers_(std::move(answers)) {}

  http::Outcome post(const std::vector<http::Header>& headers, const std::string& body) override {
    posted.push_back({headers, body});
    const std::size_t turn = posted.size() - 1;
    return {turn < answers_.size() ? answers_[turn] : Kind::kDone, {}};
  }
  void cancel() override {}

  std::vector<Posted> posted;  ///< to be read once drained

 private:
  std::vector<Kind> answers_;
};

TEST(Webhook, PostsAnAlertSignedAndTypedByItsOccasion) {
  auto owned = std::make_unique<FakeTransport>(std::vector<Kind>{});
  FakeTransport& transport = *owned;
  Webhook webhook(options(), std::move(owned), leaping_clock(), 1);

  webhook.push(alert(), Occasion::kRaised, .5);
  webhook.push(alert(Severity::kCritical), Occasion::kEscalated, .5);
  ASSERT_TRUE(webhook.drain(kPatience));

  ASSERT_EQ(transport.posted.size(), 2u);
  const Posted& first = transport.posted.front();
  EXPECT_NE(first.body.find(R"("type":"alert.raised")"), std::string::npos) << first.body;
  EXPECT_NE(first.body.find(R"("user_id":"ann")"), std::string::npos) << first.body;
  EXPECT_NE(first.body.find(R"("salience":0.5)"), std::string::npos) << first.body;
  EXPECT_EQ(http::find_header(first.headers, "webhook-id"), "17-42-alert.raised");
  const std::string timestamp(*http::find_header(first.headers, "webhook-timestamp"));
  EXPECT_EQ(http::find_header(first.headers, "webhook-signature"),
            Signer::make(options().secret)
                ->sign("17-42-alert.raised", std::stoll(timestamp), first.body));
  EXPECT_EQ(http::find_header(transport.posted.back().headers, "webhook-id"),
            "17-42-alert.escalated-critical");
}

TEST(Webhook, TellsOfWhichIncidentAnAlertIsPart) {
  auto owned = std::make_unique<FakeTransport>(std::vector<Kind>{});
  FakeTransport& transport = *owned;
  Webhook webhook(options(), std::move(owned), leaping_clock(), 1);
  salience::Incident incident;
  incident.number = 7;
  incident.scope = salience::Scope::kSource;
  incident.sources = {"ann"};
  incident.parts = {{"message_flood", 2, 0}};
  incident.ids = {traffic::alert_key(ShardId{17}, 42)};
  webhook.push(alert(), Occasion::kRaised, .5);
  webhook.push(alert(Severity::kCritical), Occasion::kEscalated, .5, incident);
  ASSERT_TRUE(webhook.drain(kPatience));
  EXPECT_NE(transport.posted[0].body.find(R"("incident":null})"), std::string::npos);
  const std::string& body = transport.posted[1].body;
  EXPECT_NE(body.find(R"("incident":{"id":"user-7","scope":"user",)"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("alerts":["17-42"])"), std::string::npos) << body;
}

TEST(Webhook, TriesAgainUnderTheSameId) {
  auto owned = std::make_unique<FakeTransport>(std::vector<Kind>{Kind::kRetry, Kind::kRetry});
  FakeTransport& transport = *owned;
  Webhook webhook(options(), std::move(owned), leaping_clock(), 1);

  webhook.push(alert(), Occasion::kRaised, .5);
  ASSERT_TRUE(webhook.drain(kPatience));

  ASSERT_EQ(transport.posted.size(), 3u);
  for (const Posted& attempt : transport.posted) {
    EXPECT_EQ(http::find_header(attempt.headers, "webhook-id"), "17-42-alert.raised");
    EXPECT_EQ(attempt.body, transport.posted.front().body);
  }
  EXPECT_EQ(webhook.counters().delivered, 1u);
  EXPECT_EQ(webhook.counters().failed_attempts, 2u);
}

TEST(Webhook, IsSilentAboutWhatIsNotSevereEnough) {
  auto owned = std::make_unique<FakeTransport>(std::vector<Kind>{});
  FakeTransport& transport = *owned;
  Webhook webhook(options(), std::move(owned), leaping_clock(), 1);
  webhook.push(alert(Severity::kMedium), Occasion::kRaised, .5);
  ASSERT_TRUE(webhook.drain(kPatience));
  EXPECT_TRUE(transport.posted.empty());
}

TEST(Webhook, WithoutASecretSignsNothing) {
  auto owned = std::make_unique<FakeTransport>(std::vector<Kind>{});
  FakeTransport& transport = *owned;
  Options unsigned_options = options();
  unsigned_options.secret.clear();
  Webhook webhook(unsigned_options, std::move(owned), leaping_clock(), 1);
  webhook.push(alert(), Occasion::kResolved, .5);
  ASSERT_TRUE(webhook.drain(kPatience));
  EXPECT_FALSE(http::find_header(transport.posted.front().headers, "webhook-signature"));
}

std::unique_ptr<http::Server> serve(http::Handler handler) {
  return std::move(*http::Server::start(
      {}, std::move(handler), [](unsigned status, std::string_view, std::string_view) {
        return http::Response{.status = status, .headers = {}, .body = ""};
      }));
}

std::string url_of(const http::Server& server) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + "/alerts?from=liminal";
}

TEST(Webhook, DeliversToARealServerThatFailsFirst) {
  std::atomic<int> requests{0};
  std::promise<http::Request> accepted;
  const auto server = serve([&](http::Request request, const http::Reply& reply) {
    if (requests++ == 0) return reply({.status = 503, .headers = {}, .body = ""});
    accepted.set_value(std::move(request));
    reply({.status = 204, .headers = {}, .body = ""});
  });
  const Options to_server = options(url_of(*server));
  Webhook webhook(to_server, make_transport(to_server), leaping_clock(), 1);

  webhook.push(alert(), Occasion::kRaised, .5);
  ASSERT_TRUE(webhook.drain(kPatience));

  const http::Request request = accepted.get_future().get();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/alerts?from=liminal");
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  EXPECT_EQ(request.header("webhook-signature"),
            Signer::make(to_server.secret)
                ->sign(std::string(*request.header("webhook-id")),
                       std::stoll(std::string(*request.header("webhook-timestamp"))),
                       request.body));
  EXPECT_EQ(webhook.counters().delivered, 1u);
  EXPECT_EQ(webhook.counters().failed_attempts, 1u);
}

TEST(Webhook, NeitherPushingNorStoppingWaitsForAServerThatDoesNotAnswer) {
  std::promise<void> asked;
  std::atomic<int> requests{0};
  const auto server = serve([&](http::Request, const http::Reply&) {
    if (requests++ == 0) asked.set_value();
  });
  Options patient = options(url_of(*server));
  patient.timeout = std::chrono::hours{1};
  patient.queue_max = 10;
  {
    Webhook webhook(patient, make_transport(patient), leaping_clock(), 1);
    webhook.push(alert(), Occasion::kRaised, .5);
    asked.get_future().wait();
    for (int i = 0; i < 100; ++i) webhook.push(alert(), Occasion::kRaised, .5);
    EXPECT_EQ(webhook.waiting(), 11u);
    EXPECT_EQ(webhook.counters().overflowed, 90u);
    EXPECT_FALSE(webhook.drain(milliseconds{1}));
  }
  EXPECT_EQ(requests, 1);
}

}  // namespace
}  // namespace liminal::webhook
