#include "server/actor/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liminal::actor {
namespace {

using ::testing::ElementsAre;

scaling::Advice advice() {
  scaling::Advice out;
  out.action = scaling::Action::kScaleUp;
  out.replicas = 5;
  out.confidence = .5;
  return out;
}

constexpr SteadyTime kNow{std::chrono::seconds{1'700'000'000}};

TEST(ActorRequest, IsWhatRayServeExpects) {
  Target target;
  target.service = "chat";
  target.kind = Kind::kRayServe;
  target.url = "http://ray-head:8265/";
  target.application = "my app";
  target.deployment = "Text/Processor";
  target.token = "s3cret";
  const Request request = request_for(target, advice(), kNow);
  EXPECT_EQ(request.url.host, "ray-head");
  EXPECT_EQ(request.url.target, "/api/v1/applications/my%20app/deployments/Text%2FProcessor/scale");
  EXPECT_THAT(request.headers,
              ElementsAre(http::Header{"Content-Type", "application/json"},
                          http::Header{"Authorization", "Bearer s3cret"}));
  EXPECT_EQ(request.body, R"({"target_num_replicas":5})");
  target.url = "https://proxy/ray";
  EXPECT_TRUE(request_for(target, advice(), kNow).url.target.starts_with("/ray/api/v1/"));
}

TEST(ActorRequest, TellsAWebhookTheAdvice) {
  Target target;
  target.service = "chat";
  target.url = "http://ops:9/scale?x=1";
  const Request request = request_for(target, advice(), kNow);
  EXPECT_EQ(request.url.target, "/scale?x=1");
  EXPECT_THAT(request.headers, ElementsAre(http::Header{"Content-Type", "application/json"}));
  EXPECT_EQ(request.body,
            R"({"type":"scaling.advice","timestamp":"2023-11-14T22:13:20.000Z",)"
            R"("data":{"service":"chat","action":"scale_up","replicas":5,"confidence":0.5}})");
}

TEST(ActorOptions, SayWhatIsWrong) {
  Options options;
  Target good;
  good.service = "chat";
  good.url = "http://ops:9/";
  Target ray = good;
  ray.service = "ray";
  ray.kind = Kind::kRayServe;
  options.targets = {good, ray, good};
  options.targets[2].application = "x";
  options.targets[2].url = "ftp://x";
  EXPECT_THAT(validate(options, "scaling.actors"),
              ElementsAre(Problem{"scaling.actors[1].application",
                                  "is missing: Ray Serve scales a deployment of one"},
                          Problem{"scaling.actors[1].deployment",
                                  "is missing: it is what Ray Serve scales"},
                          Problem{"scaling.actors[2].service", "has another actor already"},
                          Problem{"scaling.actors[2].url", "must be an http:// or https:// URL"},
                          Problem{"scaling.actors[2].application", "is of ray_serve only"}));
}

}  // namespace
}  // namespace liminal::actor
