#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/api/testing.hpp"

namespace liminal::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ServiceTest;
using ::testing::StartsWith;

constexpr const char* kDefaultPolicies =
    R"({"mode":"shadow",)"
    R"("user":{"messages":{"per_second":10,"burst":20,"mode":null},)"
    R"("messages_sustained":null,"bytes":null,"bytes_sustained":null},)"
    R"("address":{"messages":{"per_second":100,"burst":200,"mode":null},)"
    R"("messages_sustained":null,"bytes":null,"bytes_sustained":null},)"
    R"("connection":{"messages":null,"messages_sustained":null,"bytes":null,)"
    R"("bytes_sustained":null},"user_connections":{"max":10,"mode":null},)"
    R"("address_connections":{"max":50,"mode":null},"message_bytes":{"max":65536,"mode":null},)"
    R"("delay_max_s":1,"close_after":{"per_second":1,"burst":100,"mode":null}})";

TEST_F(ServiceTest, ShowsAndReplacesThePolicies) {
  EXPECT_EQ(ask("GET", "/ml/limits").body,
            R"({"policies":)" + std::string(kDefaultPolicies) +
                R"(,"set":false,"overrides":[],"count":0})");
  std::string changed = kDefaultPolicies;
  changed.replace(changed.find("shadow"), 6, "enforce");
  changed.replace(changed.find(R"("messages_sustained":null)"),
                  25,
                  R"("messages_sustained":{"per_second":1.5,"burst":100,"mode":"observe"})");
  backend.policies.allow_users = {"root"};

  const auto response = ask("PUT", "/ml/limits", R"({"policies":)" + changed + "}");

  EXPECT_EQ(response.body,
            R"({"policies":)" + changed + R"(,"set":true,"overrides":[],"count":0})");
  EXPECT_EQ(backend.policies.mode, traffic::Mode::kEnforce);
  EXPECT_EQ(backend.policies.user.messages_sustained.mode, traffic::Mode::kObserve);
  EXPECT_THAT(backend.policies.allow_users, ElementsAre("root"));
  EXPECT_THAT(ask("DELETE", "/ml/limits").body, HasSubstr(R"("set":false)"));
}

TEST_F(ServiceTest, NamesWhatIsWrongWithPolicies) {
  std::string wrong = kDefaultPolicies;
  wrong.replace(wrong.find(R"("burst":20)"), 10, R"("burst":0)");
  wrong.replace(wrong.find(R"("messages_sustained":null)"), 25, R"("messages_sustainde":null)");
  wrong.replace(wrong.find(R"("connection":{)"), 14, R"("connection":null,"more":{)");
  EXPECT_THAT(
      errors(ask("PUT", "/ml/limits", R"({"policies":)" + wrong + "}")),
      ElementsAre("policies.user.messages.burst: must be a whole number from 1 to 4294967295",
                  "policies.user.messages_sustained: is missing",
                  "policies.user.messages_sustainde: unknown field",
                  "policies.connection: must be a JSON object",
                  "policies.more: unknown field"));
  EXPECT_THAT(errors(ask("PUT", "/ml/limits", "{}")), ElementsAre("policies: is missing"));
  EXPECT_EQ(ask("GET", "/ml/audit?subject=ann").body,
            R"({"entries":[{"time":"2027-01-15T08:00:00.000Z","actor":"engine","action":"drop",)"
            R"("subject":"ann","detail":"message: blocked"}],"count":1,"limit":100})");
  EXPECT_THAT(ask("GET", "/ml/audit?subject=bob&limit=7").body,
              HasSubstr(R"("entries":[],"count":0,"limit":7)"));
  std::string contradictory = kDefaultPolicies;
  contradictory.replace(
      contradictory.find(R"("bytes":null)"), 12, R"("bytes":{"per_second":10,"burst":20})");
  EXPECT_THAT(errors(ask("PUT", "/ml/limits", R"({"policies":)" + contradictory + "}")),
              ElementsAre(StartsWith("policies.user.bytes.burst: must hold the largest message")));
  EXPECT_EQ(backend.policies.user.messages.burst, 20U);
}

TEST_F(ServiceTest, KeepsOverrides) {
  const char* rate =
      R"({"kind":"rate","messages_per_second":2.5,"burst":5,"reason":"loud","expires":1900000000})";
  const char* answer =
      R"({"user_id":"a b","kind":"rate","messages_per_second":2.5,"burst":5,"reason":"loud",)"
      R"("created":"2027-01-15T08:00:00.000Z","expires":"2030-03-17T17:46:40.000Z"})";
  EXPECT_EQ(ask("GET", "/ml/limits/a%20b").status, 404U);
  const auto created = ask("PUT", "/ml/limits/a%20b", rate);
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(created.body, answer);
  EXPECT_EQ(ask("PUT", "/ml/limits/a%20b", rate).status, 200U);
  EXPECT_EQ(ask("GET", "/ml/limits/a%20b").body, answer);
  EXPECT_THAT(ask("GET", "/ml/limits").body,
              HasSubstr(R"("overrides":[)" + std::string(answer) + R"(],"count":1)"));
  const auto deleted = ask("DELETE", "/ml/limits/a%20b");
  EXPECT_EQ(deleted.status, 204U);
  EXPECT_TRUE(deleted.body.empty());
  EXPECT_EQ(ask("DELETE", "/ml/limits/a%20b").status, 404U);
}

TEST_F(ServiceTest, NamesWhatIsWrongWithAnOverride) {
  const auto wrong = [this](const char* body) {
    return errors(ask("PUT", "/ml/limits/ann", body));
  };
  EXPECT_THAT(
      wrong(R"({"kind":"rate"})"),
      ElementsAre("messages_per_second: is missing", "burst: is missing", "reason: is missing"));
  EXPECT_THAT(wrong(R"({"kind":"block","burst":5,"reason":"x","expires":1})"),
              ElementsAre("burst: belongs to kind rate only", "expires: is not in the future"));
  EXPECT_THAT(wrong(R"({"kind":"hush","reason":"","ttl":1})"),
              ElementsAre("kind: must be allow, block or rate",
                          "reason: must be text of 1 to 1000 bytes",
                          "ttl: unknown field"));
  EXPECT_TRUE(backend.decided.empty());
}

}  // namespace
}  // namespace liminal::api
