#include "app/configuration/loader.hpp"

#include <gmock/gmock.h>

#include "app/configuration/table.hpp"

namespace liminal::app {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Loaded load_file(const std::string& toml) {
  return load({.file_name = "a.toml", .file_text = toml, .environment = {}, .flags = {}});
}

std::vector<std::string> texts(const std::vector<Complaint>& complaints) {
  std::vector<std::string> all;
  for (const Complaint& one : complaints) all.push_back(text(one));
  return all;
}

TEST(Configuration, NeedsNothing) {
  const Loaded loaded = load({});
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_THAT(loaded.origins, IsEmpty());
  EXPECT_EQ(loaded.configuration.mode, traffic::Mode::kShadow);
}

TEST(Configuration, FlagsBeatTheEnvironmentWhichBeatsTheFile) {
  const Loaded loaded =
      load({.file_name = "a.toml",
            .file_text = "listen = '1.1.1.1:1'\nmode = 'observe'\nshards = 3",
            .environment = {{"LIMINAL_LISTEN", "2.2.2.2:2"}, {"LIMINAL_SHARDS", "4"}},
            .flags = {{"listen", "3.3.3.3:3", "--listen"}}});
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_EQ(loaded.configuration.listen, "3.3.3.3:3");
  EXPECT_EQ(loaded.configuration.shards, 4u);
  EXPECT_EQ(loaded.configuration.mode, traffic::Mode::kObserve);
  EXPECT_EQ(loaded.origins.at("listen"), "--listen");
  EXPECT_EQ(loaded.origins.at("shards"), "LIMINAL_SHARDS");
  EXPECT_EQ(loaded.origins.at("mode"), "a.toml:2");
}

TEST(Configuration, NamesEveryProblemWithItsPlaceAndKey) {
  const Loaded loaded = load_file(
      "lisen = 'x'\n"
      "shards = 65\n"
      "mode = 'enforced'\n"
      "[alerts]\n"
      "calm = 900\n"
      "escalate_at = 2.5\n"
      "[api]\n"
      "address = '0.0.0.0:8000'\n");
  EXPECT_THAT(texts(loaded.problems),
              ElementsAre("a.toml:1: lisen: is not known; did you mean listen?",
                          "a.toml:2: shards: must be 0 to 64",
                          "a.toml:3: mode: must be one of observe, shadow, enforce; did you mean "
                          "enforce?",
                          "a.toml:5: alerts.calm: must be a time with its unit, as \"10 s\" or "
                          "\"5 min\"",
                          "a.toml:6: alerts.escalate_at: must be a whole number",
                          "a.toml:8: api.address: is reachable from other machines: set api.token "
                          "or api.token_file"));
}

TEST(Configuration, OpensTheScalersPortToOthersOnlyWhenItIsToldTo) {
  const auto problems = [](const std::string& more) {
    return texts(load_file("[scaling]\ngrpc = '0.0.0.0:9090'\n" + more).problems);
  };
  EXPECT_THAT(problems(""),
              ElementsAre("a.toml:2: scaling.grpc: is reachable from other machines: set "
                          "scaling.grpc_authorities, or scaling.grpc_open = true"));
  EXPECT_THAT(problems("grpc_certificate = 'c'\ngrpc_key = 'k'\n"),
              Contains(HasSubstr("is reachable from other machines")))
      << "its own certificate says nothing of who asks";
  EXPECT_THAT(problems("grpc_certificate = 'c'\ngrpc_key = 'k'\ngrpc_authorities = 'a'\n"),
              IsEmpty());
  EXPECT_THAT(problems("grpc_open = true\n"), IsEmpty());
  for (const char* mine : {"127.0.0.1:9090", "[::1]:9090", "localhost:0"})
    EXPECT_THAT(texts(load_file(std::string("[scaling]\ngrpc = '") + mine + "'\n").problems),
                IsEmpty());
}

TEST(Configuration, BoundsSeriesOfAllAndOfOneSource) {
  const auto problems = [](const std::string& lines) {
    return texts(load_file("[metrics]\n" + lines).problems);
  };
  EXPECT_THAT(problems("series_max = 4096\nsource_series_max = 4096\n"), IsEmpty());
  EXPECT_THAT(problems("series_max = 2000\nsource_series_max = 2001\n"),
              ElementsAre("a.toml:2: metrics.series_max: must not be below "
                          "metrics.source_series_max"));
  EXPECT_THAT(problems("source_series_max = 4097\n"),
              ElementsAre("a.toml:2: metrics.source_series_max: must be 64 to 4096"));
}

TEST(Configuration, TakesNamesOfTheApiWithoutPorts) {
  EXPECT_THAT(texts(load_file("[api]\nhosts = ['liminal.internal', 'ops']\n").problems), IsEmpty());
  EXPECT_THAT(texts(load_file("[api]\nhosts = ['ops:8000', '']\n").problems),
              ElementsAre("a.toml:2: api.hosts: \"ops:8000\" is no name without a port",
                          "a.toml:2: api.hosts: \"\" is no name without a port"));
}

TEST(Configuration, JudgesUpstreamsAsTheGatewayReadsThem) {
  EXPECT_THAT(texts(load_file("upstreams = ['ws://a:1', 'wss://b/', 'unix:/c']\n").problems),
              IsEmpty());
  EXPECT_THAT(
      texts(load_file("upstreams = ['ws://a:1', 'ws://h:9000/path', 'ws://h:99999', 'ws://u:p@h', "
                      "'http://h', 'ws://a:1']\n")
                .problems),
      ElementsAre(
          "a.toml:1: upstreams: \"ws://h:9000/path\" has a path: leave it out, since clients ask "
          "for theirs",
          "a.toml:1: upstreams: \"ws://h:99999\" has a port that is not 1 to 65535",
          "a.toml:1: upstreams: \"ws://u:p@h\" has a user name, which no upstream is told: leave "
          "it out",
          "a.toml:1: upstreams: \"http://h\" is not ws://, wss:// or unix:",
          "a.toml:1: upstreams: \"ws://a:1\" is there twice"));
}

TEST(Configuration, KeepsTheApiOffThePortOfClients) {
  const auto problems = [](const std::string& listen, const std::string& api) {
    return texts(load_file("listen = '" + listen + "'\napi.address = '" + api + "'\n").problems);
  };
  for (const char* listen : {"127.0.0.1:80", "0.0.0.0:80", "[::]:80"})
    EXPECT_THAT(problems(listen, "127.0.0.1:80"),
                ElementsAre("a.toml:2: api.address: is where clients are listened to (listen): the "
                            "API needs a port of its own"));
  EXPECT_THAT(problems("0.0.0.0:0", "127.0.0.1:0"), IsEmpty());
  EXPECT_THAT(problems("10.0.0.1:80", "127.0.0.1:80"), IsEmpty());
  EXPECT_THAT(problems("0.0.0.0:80", "127.0.0.1:8"), IsEmpty());
  EXPECT_THAT(problems("999.1.1.1:80", "127.0.0.1:8"),
              ElementsAre("a.toml:1: listen: must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080"));
  EXPECT_THAT(texts(load_file("[scaling]\ngrpc = '127.0.0.1:8000'\n").problems),
              ElementsAre("a.toml:2: scaling.grpc: is listened to already (listen or api.address): "
                          "KEDA needs a port of its own"));
}

TEST(Configuration, NamesKeysThatThereAre) {
  EXPECT_THAT(
      texts(load_file("identity.order = ['jwt', 'cookie']\n").problems),
      ElementsAre("a.toml:1: identity.order: names nobody: add address, or set what it needs "
                  "(jwt identity.jwt_secret or identity.jwt_key_file, header "
                  "identity.header, cookie identity.cookie)"));
  EXPECT_THAT(texts(load_file("[identity]\norder = ['header']\n").problems),
              ElementsAre("default: identity.trusted_proxies: nobody is trusted to set X-User-Id"));
  EXPECT_THAT(
      texts(load_file("gateway.proxy_protocol = true\n").problems),
      ElementsAre("a.toml:1: gateway.proxy_protocol: does nothing without "
                  "identity.trusted_proxies: only their connections begin with its header"));
  EXPECT_THAT(texts(load_file("api.token = 'two words'\n").problems),
              ElementsAre("a.toml:1: api.token: must be visible ASCII, without blanks"));
}

TEST(Configuration, AllowsAddressesAsTheyAreMet) {
  const auto problems = [](const std::string& addresses) {
    return texts(load_file("limits.allow_addresses = [" + addresses + "]\n").problems);
  };
  EXPECT_THAT(problems("'10.1.2.3', '2001:db8::1', 'unix:', 'unix:/run/a'"), IsEmpty());
  EXPECT_THAT(problems("'10.0.0.0/8', '999'"),
              ElementsAre(AllOf(HasSubstr("limits.allow_addresses: \"10.0.0.0/8\" is no address; "
                                          "networks are not known here")),
                          HasSubstr("\"999\" is no address")));
  EXPECT_THAT(
      problems("'2001:DB8:0::1'"),
      ElementsAre(
          "a.toml:1: limits.allow_addresses: \"2001:DB8:0::1\" must be written 2001:db8::1"));
}

TEST(Configuration, OfBrokenTomlSaysTheLine) {
  const Loaded loaded = load_file("listen = '1.1.1.1:1'\nshards = = 3\n");
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_EQ(loaded.problems[0].where, "a.toml:2");
}

TEST(Configuration, OfATableWithoutANameSaysTheLine) {
  const std::string before = "mode = \"\"\"\n[*]\"\"\" # [*]\n";
  for (const char* header : {"[*]", "[ \x14\"]", "[[ =]]", "[", "  [\n", "[#]"})
    EXPECT_THAT(texts(load_file(before + header + "\n").problems),
                ElementsAre("a.toml:3: a table's name must follow its bracket"))
        << header;
  for (const char* header : {"[api]", "[[detect.rules]]", "[ \"api\" ]", "['api']", "[api", "[]"})
    EXPECT_THAT(
        texts(load_file(header + std::string("\nhosts = [\n['*'],\n[{a = '[*]'}],\n[*]")).problems),
        Not(Contains(HasSubstr("must follow its bracket"))))
        << header;
}

TEST(Configuration, TextOfTheEnvironmentIsReadByTheTypeOfItsKey) {
  const Loaded loaded = load({.file_name = {},
                              .file_text = {},
                              .environment = {{"LIMINAL_ALERTS_CALM", "5 min"},
                                              {"LIMINAL_API", "127.0.0.1:1"},
                                              {"LIMINAL_TIME_SCALE", "2.5"},
                                              {"LIMINAL_UPSTREAM", "ws://a:1,unix:/b"}},
                              .flags = {}});
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_EQ(loaded.configuration.alerts.calm, 5min);
  EXPECT_EQ(loaded.configuration.api.address, "127.0.0.1:1");
  EXPECT_EQ(loaded.configuration.time_scale, 2.5);
  EXPECT_THAT(loaded.configuration.upstreams, ElementsAre("ws://a:1", "unix:/b"));
}

TEST(Configuration, TheVariableThatCommandsTakeAUrlFromIsReadAsOne) {
  const Loaded loaded = load({.file_name = {},
                              .file_text = {},
                              .environment = {{"LIMINAL_API", "http://127.0.0.1:1/"}},
                              .flags = {}});
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_EQ(loaded.configuration.api.address, "127.0.0.1:1");
}

TEST(Configuration, AVariableOfNoKeyIsAWarningOnly) {
  const Loaded loaded = load({.file_name = {},
                              .file_text = {},
                              .environment = {{"LIMINAL_LISTN", "x"}, {"LIMINAL_CONFIG", "y"}},
                              .flags = {}});
  EXPECT_THAT(texts(loaded.problems), IsEmpty());
  EXPECT_THAT(texts(loaded.warnings),
              ElementsAre("environment: LIMINAL_LISTN: is the variable of no key; did you mean "
                          "LIMINAL_LISTEN?"));
}

TEST(Configuration, ATableWhereAValueBelongsIsAProblem) {
  EXPECT_THAT(texts(load_file("[listen]\nx = 1\n").problems), Contains(HasSubstr("must be text")));
  EXPECT_THAT(texts(load_file("alerts = 3\n").problems), Contains(HasSubstr("is not known")));
  EXPECT_THAT(texts(load_file("upstreams = ['a', 3]\n").problems),
              Contains(HasSubstr("must be list of texts")));
}

TEST(Rules, OfTheTypeOfADefaultRuleChangeOnlyWhatTheySay) {
  const Loaded loaded = load_file(
      "mode = 'enforce'\n"
      "[[detect.rules]]\ntype = 'message_flood'\nthreshold = 250\nmode = 'observe'\n"
      "[[detect.rules]]\ntype = 'content_spam'\nremove = true\n"
      "[[detect.rules]]\ntype = 'behavior_deviation'\nfeature = 'burstiness'\n"
      "comparison = 'below'\nthreshold = -0.9\n");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  const auto& rules = loaded.configuration.detect.rules;
  const auto usual = detect::default_rules();
  ASSERT_EQ(rules.size(), usual.size());
  EXPECT_EQ(rules[0].threshold, 250);
  EXPECT_EQ(rules[0].ordinary_factor, usual[0].ordinary_factor);
  EXPECT_EQ(rules[0].mode, traffic::Mode::kObserve);
  EXPECT_EQ(rules[1].mode, traffic::Mode::kEnforce);
  EXPECT_EQ(rules.back().feature, traffic::FeatureId::kBurstiness);
  EXPECT_EQ(rules.back().severity, traffic::info(rules.back().type).severity);
  for (const auto& rule : rules) EXPECT_NE(rule.type, traffic::FindingType::kContentSpam);
}

TEST(Rules, NameAllThatIsWrongWithOne) {
  EXPECT_THAT(
      texts(load_file("[[detect.rules]]\n"
                      "type = 'error_spike'\n"
                      "[[detect.rules]]\n"
                      "type = 'mesage_flood'\n"
                      "feature = 'mesages_per_minute'\n"
                      "threshold = nan\n"
                      "severty = 'low'\n"
                      "mode = ['a', 'b']\n")
                .problems),
      ElementsAre(
          AllOf(HasSubstr("a.toml:4: detect.rules[1].type: must be one of "),
                HasSubstr("did you mean message_flood?")),
          AllOf(HasSubstr("a.toml:5: detect.rules[1].feature: must be one of "),
                HasSubstr("did you mean messages_per_minute?")),
          HasSubstr("a.toml:6: detect.rules[1].threshold: must be"),
          HasSubstr("a.toml:7: detect.rules[1].severty: is not known; did you mean severity?"),
          HasSubstr("a.toml:8: detect.rules[1].mode: must be")));
}

TEST(Configuration, SuggestsTablesListsAndKeysOfOtherTables) {
  EXPECT_THAT(
      texts(load_file("[[rules]]\ntype = 'error_spike'\n"
                      "[limits.user]\nmesages = 3\n"
                      "[gateway]\nlisen = 'x'\n"
                      "[log]\nidle_timout = '1 s'\n")
                .problems),
      ElementsAre(
          HasSubstr("rules: is not known; did you mean detect.rules?"),
          HasSubstr("limits.user.mesages: is not known; did you mean limits.user.messages?"),
          HasSubstr("gateway.lisen: is not known; did you mean listen?"),
          HasSubstr("log.idle_timout: is not known; did you mean gateway.idle_timeout?")));
}

TEST(Rules, NameTheirProblemsByLine) {
  EXPECT_THAT(
      texts(load_file("[[detect.rules]]\n"
                      "type = 'flood'\n"
                      "[[detect.rules]]\n"
                      "type = 'error_spike'\n"
                      "thresold = 3\n"
                      "[[detect.rules]]\n"
                      "type = 'unusual_hours'\n"
                      "[[detect.rules]]\n"
                      "type = 'error_spike'\n"
                      "threshold = 7\n")
                .problems),
      testing::UnorderedElementsAre(
          HasSubstr("a.toml:2: detect.rules[0].type: must be one of "),
          HasSubstr("a.toml:5: detect.rules[1].thresold: is not known; did you mean threshold"),
          HasSubstr("a.toml:6: detect.rules[2].feature: is missing"),
          HasSubstr("a.toml:6: detect.rules[2].threshold: is missing"),
          HasSubstr("a.toml:8: detect.rules[3].threshold: is not a value")));
}

TEST(Actors, AreReadFromTheirTables) {
  const Loaded loaded = load_file(
      "mode = 'enforce'\n"
      "[[scaling.actors]]\nservice = 'chat'\nurl = 'http://ops:9/'\n"
      "[[scaling.actors]]\nservice = 'shop'\nkind = 'ray_serve'\nurl = 'http://ray:8265'\n"
      "application = 'a'\ndeployment = 'd'\ntoken = 's3cret'\nmode = 'enforce'\n");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  const auto& actors = loaded.configuration.scaling.actors;
  ASSERT_EQ(actors.size(), 2U);
  EXPECT_EQ(actors[0].target.kind, actor::Kind::kWebhook);
  EXPECT_EQ(actors[0].target.mode, traffic::Mode::kShadow) << "whatever the general mode is";
  EXPECT_EQ(actors[1].target.kind, actor::Kind::kRayServe);
  EXPECT_EQ(actors[1].target.deployment, "d");
  EXPECT_EQ(actors[1].target.mode, traffic::Mode::kEnforce);
}

TEST(Actors, NameTheirProblemsByLine) {
  EXPECT_THAT(
      texts(load_file("[[scaling.actors]]\n"
                      "servce = 'chat'\n"
                      "url = 'http://ops:9/'\n"
                      "mode = 'on'\n")
                .problems),
      testing::UnorderedElementsAre(
          HasSubstr("a.toml:2: scaling.actors[0].servce: is not known; did you mean service"),
          HasSubstr("a.toml:4: scaling.actors[0].mode: must be"),
          HasSubstr("a.toml:1: scaling.actors[0].service: must be text")));
  EXPECT_THAT(texts(load_file("[scaling]\nactors = 3\n").problems),
              Contains(HasSubstr("must be tables, [[scaling.actors]]")));
}

TEST(Mode, IsThatOfEverythingWithoutOneOfItsOwn) {
  const Loaded loaded =
      load_file("mode = 'enforce'\n[detect.statistics.metronome]\nmode = 'observe'\n");
  ASSERT_THAT(texts(loaded.problems), IsEmpty());
  const detect::Options& detect = loaded.configuration.detect;
  EXPECT_EQ(detect.of(traffic::Detector::kMetronome).mode, traffic::Mode::kObserve);
  EXPECT_EQ(detect.of(traffic::Detector::kRateCusum).mode, traffic::Mode::kEnforce);
  EXPECT_EQ(detect.ring.mode, traffic::Mode::kEnforce);
}

TEST(Settings, HaveUniqueKeysFlagsAndVariablesAndAHelp) {
  std::vector<std::string> seen;
  for (const Setting& setting : settings()) {
    EXPECT_EQ(find_setting(setting.key), &setting);
    EXPECT_GT(setting.help.size(), 10u) << setting.key;
    EXPECT_THAT(seen, testing::Not(Contains(environment_name(setting))));
    seen.push_back(environment_name(setting));
  }
}

TEST(Settings, DefaultsAreWithinTheirOwnBoundsAndReadBack) {
  for (const Setting& setting : settings()) {
    const std::size_t point = setting.key.rfind('.');
    const std::string toml = point == std::string::npos
                                 ? setting.key + " = " + value_text(setting, Configuration{})
                                 : "[" + setting.key.substr(0, point) + "]\n" +
                                       setting.key.substr(point + 1) + " = " +
                                       value_text(setting, Configuration{});
    const Loaded loaded = load_file(toml);
    EXPECT_THAT(texts(loaded.problems), IsEmpty()) << toml;
    EXPECT_EQ(value_text(setting, loaded.configuration), value_text(setting, Configuration{}));
  }
}

}  // namespace
}  // namespace liminal::app
