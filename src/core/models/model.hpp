#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/problem.hpp"
#include "core/models/inputs.hpp"

/// Trained models as values: what a learner makes, a file holds and an `Evaluator` computes.
///
/// Every parameter is a float, because that is what ONNX's operators hold: what is written to a
/// file and read again is the same model to the bit. Sums are taken in double in a stated order.
///
/// Each kind has a **margin**: what it computes before its link. Margins of several models can be
/// averaged (`Blend`) and split over the features (`explain.hpp`). The **score** is what is
/// answered.
namespace liminal::models {

enum class Task : std::uint8_t {
  kClassification,  ///< of two classes; the score is the probability of the second
  kRegression,      ///< the score is the value
  kClustering,      ///< the score is the distance to the nearest centroid
  kAnomaly,         ///< the score is 0–1, higher is stranger
};

enum class Link : std::uint8_t {
  kIdentity,  ///< score = margin
  kLogistic,  ///< score = 1/(1 + e^−margin)
  /// What trees add up to is a probability p (a forest's mean of its leaves' shares); score = p
  /// clipped to [kProbabilityMin, 1 − kProbabilityMin], margin = log(p/(1 − p)) of it. Only
  /// `Trees`.
  kProbability,
};
inline constexpr float kProbabilityMin = .002F;

/// A node of a tree. A row goes left when its column is **less than** the threshold, right
/// otherwise; where it is missing, as `missing_left` says. (A rule "x ≤ t" is "x < the next float
/// after t".)
struct TreeNode {
  static constexpr std::int32_t kLeaf = -1;
  std::int32_t feature = kLeaf;  ///< column of the inputs, or `kLeaf`
  float value = 0;               ///< the threshold (finite); of a leaf what it adds
  std::uint32_t left = 0;        ///< indexes of the children in the tree, larger than its own
  std::uint32_t right = 0;
  bool missing_left = true;
  /// Weight of the training rows that came here (their number, or the sum of their second
  /// derivatives): explanations take means over a node's children by it. Zero in both children: not
  /// known, they count alike.
  float cover = 0;

  [[nodiscard]] bool leaf() const { return feature == kLeaf; }
  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

/// The root is the first node; every other node is the child of exactly one before it.
struct Tree {
  std::vector<TreeNode> nodes;
  friend bool operator==(const Tree&, const Tree&) = default;
};

/// Gradient-boosted trees, random forests and extra-trees.
/// margin = base + sum (or mean) of the trees' leaves; with `kProbability` see there.
struct Trees {
  Inputs inputs;
  std::vector<Tree> trees;
  bool mean = false;  ///< the trees' mean is taken, not their sum
  float base = 0;
  Link link = Link::kIdentity;
  friend bool operator==(const Trees&, const Trees&) = default;
};

/// margin = intercept + Σ weight·column.
struct Linear {
  Inputs inputs;
  std::vector<float> weights;  ///< one a column
  float intercept = 0;
  Link link = Link::kIdentity;
  friend bool operator==(const Linear&, const Linear&) = default;
};

/// Most outputs of a network's layer.
inline constexpr std::size_t kLayerRowsMax = 2048;

enum class Activation : std::uint8_t { kIdentity, kRelu, kTanh, kLogistic };

struct Layer {
  std::uint32_t rows = 0;      ///< outputs, at most `kLayerRowsMax`
  std::uint32_t columns = 0;   ///< inputs
  std::vector<float> weights;  ///< rows × columns, row-major
  std::vector<float> bias;     ///< one a row
  Activation activation = Activation::kRelu;
  friend bool operator==(const Layer&, const Layer&) = default;
};

/// A feed-forward network; the last layer has one row, and its output is the margin.
struct Mlp {
  Inputs inputs;
  std::vector<Layer> layers;  ///< at most 64
  Link link = Link::kIdentity;
  friend bool operator==(const Mlp&, const Mlp&) = default;
};

/// margin = score = the Euclidean distance to the nearest centroid (of equally near ones the
/// first).
struct KMeans {
  Inputs inputs;
  std::uint32_t clusters = 0;
  std::vector<float> centroids;  ///< clusters × columns, row-major
  friend bool operator==(const KMeans&, const KMeans&) = default;
};

/// A leaf's value is the path length to it: its depth, plus c(n) for the n rows it was left with.
/// margin = −(mean path length)/expected; score = 2^margin.
///
/// Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008.
struct IsolationForest {
  Inputs inputs;
  std::vector<Tree> trees;
  float expected = 1;  ///< c(ψ) of the trees' sample size ψ
  friend bool operator==(const IsolationForest&, const IsolationForest&) = default;
};

/// c(n): the mean path length of an unsuccessful search in a binary tree of n rows; 0 below two.
[[nodiscard]] float expected_path(std::uint64_t rows);

/// Most members of a blend.
inline constexpr std::size_t kMembersMax = 256;

/// A weighted mean of other models' margins, calibrated: margin = slope·Σ weightᵢ·marginᵢ +
/// intercept. For classification (`kLogistic`) slope and intercept are Platt's.
struct Blend {
  struct Member {
    float weight = 1;
    std::variant<Trees, Linear, Mlp> model;
    friend bool operator==(const Member&, const Member&) = default;
  };
  std::vector<Member> members;
  float slope = 1;
  float intercept = 0;
  Link link = Link::kIdentity;
  friend bool operator==(const Blend&, const Blend&) = default;
};

using Predictor = std::variant<Trees, Linear, Mlp, KMeans, IsolationForest, Blend>;

/// Most facts of a model.
inline constexpr std::size_t kFactsMax = 4096;

struct Feature {
  std::string name;
  std::string unit;
  friend bool operator==(const Feature&, const Feature&) = default;
};

/// What is known of a model beside its numbers. All of it is kept in the file.
struct Metadata {
  std::string name;
  Task task = Task::kRegression;
  std::vector<Feature> features;  ///< of a row, in its order; names distinct, 1 to `kColumnsMax`
  std::uint64_t schema = 0;       ///< `traffic::schema_hash()` of what it was trained on; 0: none
  std::string trainer;
  /// The score from which on the answer is the second class, or an alarm.
  float line = .5F;
  /// What training wants to be remembered (rows, seed, metrics, residual quantiles, names of
  /// clusters), in its order; keys distinct; at most `kFactsMax`.
  std::vector<std::pair<std::string, std::string>> facts;
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

/// The value of a fact; null when there is none.
[[nodiscard]] const std::string* find_fact(const Metadata& metadata, std::string_view key);
/// The same, borrowed; empty when there is none.
[[nodiscard]] std::string_view fact(const Metadata& metadata, std::string_view key);
/// The same as a number; none when it is not one from end to end.
[[nodiscard]] std::optional<double> number_fact(const Metadata& metadata, std::string_view key);
/// Half of the interval around a predicted value that holds the truth in 90 % of cases.
[[nodiscard]] std::optional<double> half_width(const Metadata& metadata);

struct Model {
  Metadata metadata;
  Predictor predictor;
  friend bool operator==(const Model&, const Model&) = default;
};

/// The kind's name: "trees", "linear", "mlp", "kmeans", "isolation_forest", "blend".
[[nodiscard]] std::string_view kind(const Predictor& predictor);
[[nodiscard]] std::string_view name(Task task);

/// All that is wrong with a model, by the path of the part ("predictor.trees[3].nodes[7].left").
/// Only what was found right can be evaluated. At most the first 20 problems.
///
/// Bounds: 100,000 trees, a million nodes a tree and 2^26 a model, depth 512, 4,096 clusters, 64
/// layers of at most 2,048 rows, 256 members of a blend. Weights, thresholds and values are finite.
/// A task takes its own kinds: classification and regression trees, linear, mlp and blends;
/// clustering k-means; anomaly an isolation forest. Classification needs a link that gives
/// probabilities, regression the identity.
[[nodiscard]] Problems validate(const Model& model);

}  // namespace liminal::models
