#include "server/training/fits_apart.hpp"

#include <chrono>
#include <cstring>
#include <span>

#include "core/base/codec.hpp"
#include "core/learn/remake.hpp"

namespace liminal::training {
namespace {

using learn::Fit;
using learn::FitJob;
using learn::Material;

constexpr std::uint8_t kFormat = 3;
constexpr std::size_t kNodeBytes = 21, kTreeBytes = 1 + kNodeBytes, kFeatureBytes = 3;

template <class T>
void put(std::span<const T> values, Writer& out) {
  out.put_text({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}
template <class T>
void put(const std::vector<T>& values, Writer& out) {
  put(std::span<const T>(values), out);
}

template <class T>
void get(std::vector<T>& values, Reader& in) {
  const std::string_view raw = in.get_text();
  if (raw.size() % sizeof(T) != 0) return in.fail();
  values.resize(raw.size() / sizeof(T));
  if (!raw.empty()) std::memcpy(values.data(), raw.data(), raw.size());
}

/// How many of something of so many bytes at least follow; fails when they cannot.
std::size_t get_count(std::size_t bytes_each, Reader& in) {
  const std::uint64_t count = in.get_varint();
  if (count > in.remaining() / bytes_each) in.fail();
  return in.ok() ? static_cast<std::size_t>(count) : 0;
}

void get_format(Reader& in) {
  if (in.get<std::uint8_t>() != kFormat) in.fail();
}

Error wrong(const Reader& in) {
  return {in.ok() ? ErrorCode::kMalformed : ErrorCode::kTruncated, in.position()};
}

void put(const learn::SearchOptions& options, Writer& out) {
  out.put(options.objective);
  out.put(options.budget_s);
  out.put(options.fits_max);
  out.put(options.seed);
  out.put(options.workers);
  out.put_varint(options.folds_rows_max);
  out.put(options.champion.us_row);
  out.put(options.champion.memory_bytes);
  out.put(options.stop_early);
  out.put(options.fresh_ratio);
  out.put_varint(options.rows_only_taught);
}

learn::SearchOptions get_options(Reader& in) {
  learn::SearchOptions options;
  in.get(options.objective);
  if (options.objective > learn::Objective::kPinball) in.fail();
  in.get(options.budget_s);
  in.get(options.fits_max);
  in.get(options.seed);
  in.get(options.workers);
  options.folds_rows_max = in.get_varint();
  in.get(options.champion.us_row);
  in.get(options.champion.memory_bytes);
  options.stop_early = in.get<std::uint8_t>() != 0;
  in.get(options.fresh_ratio);
  options.rows_only_taught = in.get_varint();
  return options;
}

void put(const learn::Table& table, Writer& out) {
  out.put_varint(table.features.size());
  for (const learn::Feature& feature : table.features) {
    out.put_text(feature.name);
    out.put_text(feature.unit);
    out.put_varint(feature.levels.size());
    for (const std::string& level : feature.levels) out.put_text(level);
  }
  put(table.values, out);
  put(table.labels, out);
  put(table.weights, out);
  put(table.times_s, out);
  put(table.groups, out);
}

learn::Table get_table(Reader& in) {
  learn::Table table;
  table.features.resize(get_count(kFeatureBytes, in));
  for (learn::Feature& feature : table.features) {
    feature.name = in.get_text();
    feature.unit = in.get_text();
    feature.levels.resize(get_count(1, in));
    for (std::string& level : feature.levels) level = in.get_text();
  }
  get(table.values, in);
  get(table.labels, in);
  get(table.weights, in);
  get(table.times_s, in);
  get(table.groups, in);
  return table;
}

void put(const learn::BoosterRecipe& recipe, Writer& out) {
  out.put(recipe.eta);
  out.put(recipe.depth);
  out.put(recipe.leaves);
  out.put(recipe.child_weight);
  out.put(recipe.rows_ratio);
  out.put(recipe.columns_ratio);
  out.put(recipe.l2);
  out.put(recipe.l1);
  out.put(recipe.gain_min);
  out.put(recipe.parallel);
  out.put(recipe.blunt);
}
void get(learn::BoosterRecipe& recipe, Reader& in) {
  in.get(recipe.eta);
  in.get(recipe.depth);
  in.get(recipe.leaves);
  in.get(recipe.child_weight);
  in.get(recipe.rows_ratio);
  in.get(recipe.columns_ratio);
  in.get(recipe.l2);
  in.get(recipe.l1);
  in.get(recipe.gain_min);
  in.get(recipe.parallel);
  in.get(recipe.blunt);
}

void put(const learn::ForestRecipe& recipe, Writer& out) {
  out.put(recipe.trees);
  out.put(recipe.leaf_rows);
  out.put(recipe.columns_ratio);
}
void get(learn::ForestRecipe& recipe, Reader& in) {
  in.get(recipe.trees);
  in.get(recipe.leaf_rows);
  in.get(recipe.columns_ratio);
}

void put(const learn::LinearRecipe& recipe, Writer& out) { out.put(recipe.l2); }
void get(learn::LinearRecipe& recipe, Reader& in) { in.get(recipe.l2); }

template <class Kind>
learn::Recipe get_recipe(Reader& in) {
  Kind kind;
  get(kind, in);
  return kind;
}

Result<FitJob> decode_job(std::string_view bytes, const Material& material) {
  Reader in(bytes);
  get_format(in);
  FitJob job;
  switch (in.get<std::uint8_t>()) {
    case 0:
      job.recipe = get_recipe<learn::BoosterRecipe>(in);
      break;
    case 1:
      job.recipe = get_recipe<learn::ForestRecipe>(in);
      break;
    case 2:
      job.recipe = get_recipe<learn::LinearRecipe>(in);
      break;
    default:
      in.fail();
  }
  in.get(job.train);
  in.get(job.valid);
  in.get(job.rounds_max);
  in.get(job.seed);
  const auto known = [&](std::uint32_t set) { return set < material.sets.size(); };
  if (!in.at_end() || !known(job.train) || (job.valid != Material::kNoRows && !known(job.valid)))
    return tl::unexpected(wrong(in));
  return job;
}

void put(const models::Trees& trees, Writer& out) {
  out.put(trees.mean);
  out.put(trees.base);
  out.put(trees.link);
  out.put_varint(trees.trees.size());
  for (const models::Tree& tree : trees.trees) {
    out.put_varint(tree.nodes.size());
    for (const models::TreeNode& node : tree.nodes) {
      out.put(node.feature);
      out.put(node.value);
      out.put(node.left);
      out.put(node.right);
      out.put(node.missing_left);
      out.put(node.cover);
    }
  }
}

/// A tree that ends, whatever the row: children come after their node.
bool sound(const models::Tree& tree, std::size_t columns) {
  if (tree.nodes.empty()) return false;
  for (std::size_t at = 0; at < tree.nodes.size(); ++at) {
    const models::TreeNode& node = tree.nodes[at];
    if (node.leaf()) continue;
    const auto child = [&](std::uint32_t to) { return to > at && to < tree.nodes.size(); };
    if (node.feature < 0 || static_cast<std::size_t>(node.feature) >= columns ||
        !child(node.left) || !child(node.right))
      return false;
  }
  return true;
}

models::Trees get_trees(std::size_t columns, Reader& in) {
  models::Trees trees;
  trees.mean = in.get<std::uint8_t>() != 0;
  in.get(trees.base);
  in.get(trees.link);
  trees.trees.resize(get_count(kTreeBytes, in));
  for (models::Tree& tree : trees.trees) {
    tree.nodes.resize(get_count(kNodeBytes, in));
    for (models::TreeNode& node : tree.nodes) {
      in.get(node.feature);
      in.get(node.value);
      in.get(node.left);
      in.get(node.right);
      node.missing_left = in.get<std::uint8_t>() != 0;
      in.get(node.cover);
    }
    if (!sound(tree, columns)) in.fail();
    if (!in.ok()) break;
  }
  if (trees.link > models::Link::kProbability) in.fail();
  return trees;
}

void put(const models::Linear& linear, Writer& out) {
  put(linear.weights, out);
  out.put(linear.intercept);
  out.put(linear.link);
}

models::Linear get_linear(std::size_t columns, Reader& in) {
  models::Linear linear;
  get(linear.weights, in);
  in.get(linear.intercept);
  in.get(linear.link);
  if (linear.weights.size() != columns || linear.link > models::Link::kProbability) in.fail();
  return linear;
}

std::string encode_fit(const Fit& fit) {
  Writer out;
  out.put(kFormat);
  std::visit([&](const auto& model) { put(model, out); }, fit.model);
  put(fit.margins, out);
  out.put(fit.rounds);
  out.put(fit.built);
  out.put(fit.complete);
  return out.take();
}

}  // namespace

std::string encode(const FitSource& source) {
  Writer out;
  out.put(kFormat);
  out.put(source.all);
  out.put(source.loss.kind);
  out.put(source.loss.level);
  put(source.options, out);
  put(source.table, out);
  return out.take();
}

std::string encode(const FitJob& job) {
  Writer out;
  out.put(kFormat);
  out.put(static_cast<std::uint8_t>(job.recipe.index()));
  std::visit([&](const auto& kind) { put(kind, out); }, job.recipe);
  out.put(job.train);
  out.put(job.valid);
  out.put(job.rounds_max);
  out.put(job.seed);
  return out.take();
}

Result<FitsApart> FitsApart::prepare(std::string_view source) {
  Reader in(source);
  get_format(in);
  const bool all = in.get<std::uint8_t>() != 0;
  learn::Loss loss;
  in.get(loss.kind);
  in.get(loss.level);
  learn::SearchOptions options = get_options(in);
  learn::Table table = get_table(in);
  if (!in.at_end() || loss.kind > learn::Loss::Kind::kPinball ||
      !table.validate(true, loss.classes()).empty() || !options.validate().empty())
    return tl::unexpected(wrong(in));
  if (all) {
    return FitsApart(
        std::make_shared<const Material>(learn::material_of_all(std::move(table), loss, options)));
  }
  if (learn::Search::rows_missing(table, loss) > 0) return tl::unexpected(wrong(in));
  const auto search = std::make_shared<const learn::Search>(std::move(table), loss, options);
  if (!search->problems().empty()) return tl::unexpected(wrong(in));
  return FitsApart(std::shared_ptr<const Material>(search, &search->material()));
}

Result<std::string> FitsApart::fit(std::string_view job, double left_s) {
  auto read = decode_job(job, *material_);
  if (!read) return tl::unexpected(read.error());
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  const auto stop = [&] {
    return std::chrono::duration<double>(Clock::now() - begun).count() >= left_s;
  };
  const auto fit = fitter_(*material_, *read, left_s, stop);
  if (!fit) return tl::unexpected(fit.error());
  return encode_fit(*fit);
}

Result<Fit> decode_fit(std::string_view bytes, const Material& material, const FitJob& job) {
  Reader in(bytes);
  get_format(in);
  // What a model computes with is the material's: it is not sent.
  const std::size_t features = material.table.features.size();
  Fit fit;
  if (std::holds_alternative<learn::LinearRecipe>(job.recipe)) {
    const models::Inputs& inputs = material.encoding.scaled;
    models::Linear linear = get_linear(inputs.width(features), in);
    linear.inputs = inputs;
    fit.model = std::move(linear);
  } else {
    const bool boosted = std::holds_alternative<learn::BoosterRecipe>(job.recipe);
    const models::Inputs& inputs = boosted ? material.encoding.trees : material.encoding.filled;
    models::Trees trees = get_trees(inputs.width(features), in);
    trees.inputs = inputs;
    fit.model = std::move(trees);
  }
  get(fit.margins, in);
  in.get(fit.rounds);
  in.get(fit.built);
  fit.complete = in.get<std::uint8_t>() != 0;
  const std::size_t judged = job.valid == Material::kNoRows ? 0 : material.set(job.valid).size();
  if (!in.at_end() || fit.margins.size() != judged) return tl::unexpected(wrong(in));
  return fit;
}

}  // namespace liminal::training
