#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/models/explain.hpp"
#include "io/http/message.hpp"
#include "io/json/fields.hpp"
#include "io/json/writer.hpp"
#include "server/api/models_port.hpp"

namespace liminal::api {

[[nodiscard]] http::Response problem(const learn::Refusal& refusal);

void write(const learn::ModelState& state, json::Writer& out);
void write(const learn::AliasChange& change, json::Writer& out);
void write(const learn::TrainingJob& job, json::Writer& out);
void write(const learn::ExperimentView& view, json::Writer& out);

[[nodiscard]] learn::TrainRequest read_train_request(json::Fields& in);

inline constexpr std::size_t kPredictRowsMax = 10'000;
/// Explaining takes a thousand times longer than predicting.
inline constexpr std::size_t kExplainRowsMax = 100;

struct PredictRequest {
  std::string model;
  std::optional<std::uint32_t> version;
  std::string user;
  bool explain = false;
  bool batch = false;   ///< by what is kept for batches, where there is something
  bool single = false;  ///< one object, not a list of them
  const json::Value* features = nullptr;
};

/// The rows in the order of the model's features; missing and unknown features, and what is no
/// number, are problems. null is a missing value.
[[nodiscard]] std::vector<float> read_feature_rows(const PredictRequest& request,
                                                   const models::Metadata& metadata,
                                                   Problems& problems);

/// The members of one prediction, without braces. `why` may be null.
void write_prediction(const models::Metadata& metadata,
                      const models::Prediction& said,
                      const models::Explanation* why,
                      json::Writer& out);

/// Begins a training of each of the first models and tells of each; refused when none begins.
[[nodiscard]] http::Response train_all(ModelsPort& port, const learn::TrainRequest& request);

/// What a foreign model could not answer: 422 for rows to which it gives no number, else 503.
[[nodiscard]] http::Response unanswered(const Error& error);

}  // namespace liminal::api
