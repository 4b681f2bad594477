#include "core/learn/registered.hpp"

#include <gmock/gmock.h>

namespace liminal::learn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Registered, ThreeModelsAreThereFromTheStart) {
  const auto models = first_models();
  ASSERT_EQ(models.size(), 3U);
  for (const ModelDefinition& definition : models)
    EXPECT_THAT(validate(definition), IsEmpty()) << definition.name;
}

TEST(Registered, ADefinitionIsReadFromItsLine) {
  const auto churn = parse_definition("churn classification has_left visits,age");
  ASSERT_TRUE(churn);
  EXPECT_EQ(churn->name, "churn");
  EXPECT_EQ(churn->task, models::Task::kClassification);
  EXPECT_EQ(churn->target, "has_left");
  EXPECT_THAT(churn->features, ElementsAre("visits", "age"));
  EXPECT_TRUE(parse_definition("groups clustering - visits,age"));
  for (const char* wrong : {"",
                            "churn",
                            "churn guessing x a",
                            "churn classification - a",
                            "groups clustering x a",
                            "ch/urn regression y a",
                            "churn regression y a,a",
                            "churn regression y ,"})
    EXPECT_FALSE(parse_definition(wrong)) << wrong;
}

TEST(Registered, NamesAreReadAsTheyAreWritten) {
  for (const auto state : {JobState::kQueued, JobState::kCancelled})
    EXPECT_EQ(job_state_by_name(name(state)), state);
  EXPECT_EQ(alias_by_name(name(Alias::kChallenger)), Alias::kChallenger);
  EXPECT_EQ(data_source_by_name("store"), DataSource::kStore);
  EXPECT_FALSE(data_source_by_name("cloud"));
  EXPECT_EQ(task_by_name("clustering"), models::Task::kClustering);
}

}  // namespace
}  // namespace liminal::learn
