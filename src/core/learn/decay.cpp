#include "core/learn/decay.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/check.hpp"
#include "core/base/math.hpp"

namespace liminal::learn {

ErrorReference ErrorReference::learn(std::span<const double> errors, const Order& order) {
  ErrorReference reference;
  stats::Moments moments;
  for (const double error : errors) {
    if (!std::isfinite(error)) return reference;
    moments.add(error);
  }
  std::vector<double> centred(errors.begin(), errors.end());
  for (double& error : centred) error -= moments.mean();
  reference.mean = moments.mean();
  reference.variance = moments.variance();
  reference.rows = static_cast<double>(errors.size());
  reference.dependence = dependence_of(centred, order);
  return reference;
}

void ErrorReference::save(Writer& out) const {
  for (const double number : {mean, variance, rows, dependence}) out.put(number);
}

void ErrorReference::load(Reader& in) {
  for (double* number : {&mean, &variance, &rows, &dependence}) in.get(*number);
  if (!(std::isfinite(mean) && variance >= 0 && rows >= 0 && dependence >= 1 &&
        std::isfinite(variance + rows + dependence)))
    in.fail();
  if (!in.ok()) *this = {};
}

Problems Decay::Options::validate() const {
  Problems problems;
  const auto require = [&](bool right, const char* key, const char* text) {
    if (!right) problems.push_back({key, text});
  };
  require(tolerance_ratio >= 0 && std::isfinite(tolerance_ratio),
          "tolerance_ratio",
          "must be 0 or more");
  require(alpha >= .0001 && alpha <= .5, "alpha", "must lie within .0001 and .5");
  require(window_rows >= 20 && window_rows <= 1e9, "window_rows", "must lie within 20 and 1e9");
  require(rows_min >= 2 && rows_min <= 1e9, "rows_min", "must lie within 2 and 1e9");
  require(learn_rows >= 20 && learn_rows <= 1e9, "learn_rows", "must lie within 20 and 1e9");
  return problems;
}

Decay::Decay(const ErrorReference& reference, Options options)
    : reference_(reference), options_(options) {
  LIMINAL_CHECK(options_.validate().empty());
}

void Decay::observe(double error) {
  if (!std::isfinite(error)) return;
  if (!(reference_.rows > 0)) {
    learning_.add(error);
    if (static_cast<double>(learning_.count()) < options_.learn_rows) return;
    reference_ = {learning_.mean(),
                  learning_.variance(),
                  static_cast<double>(learning_.count()),
                  reference_.dependence};
    learning_ = {};
    return;
  }
  if (older_.count() > 0) older_.add(error);
  younger_.add(error);
  if (older_.count() > 0) judge(older_, windows_ - 1);
  judge(younger_, windows_);
  if (static_cast<double>(younger_.count()) < options_.window_rows) return;
  older_ = younger_;
  younger_ = {};
  ++windows_;
}

void Decay::judge(const stats::Moments& window, std::uint64_t number) {
  if (static_cast<double>(window.count()) < options_.rows_min) return;
  const double tolerated = options_.tolerance_ratio * std::abs(reference_.mean);
  if (excess_of(window, number).low > tolerated) decayed_ = true;
}

Interval Decay::excess_of(const stats::Moments& window, std::uint64_t number) const {
  const auto rows = static_cast<double>(window.count());
  if (!(rows >= 2 && reference_.rows > 0))
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  // One error as large as all, so that errors that are all alike are no certainty.
  const double least = window.mean() * window.mean() / rows;
  const double one = std::max({window.variance(), reference_.variance, least});
  const double known = reference_.dependence * reference_.variance / reference_.rows;
  const auto j = static_cast<double>(number);
  return anytime_interval(window.mean() - reference_.mean,
                          reference_.dependence * one / rows + known,
                          options_.alpha / (j * (j + 1)),
                          reference_.dependence * one / options_.window_rows + known);
}

bool Decay::older_says_more() const {
  if (older_.count() == 0) return false;
  if (static_cast<double>(younger_.count()) < options_.rows_min) return true;
  return excess_of(older_, windows_ - 1).low >= excess_of(younger_, windows_).low;
}

Interval Decay::excess() const {
  return older_says_more() ? excess_of(older_, windows_ - 1) : excess_of(younger_, windows_);
}

void Decay::calm() {
  older_ = younger_ = {};
  ++windows_;
  decayed_ = false;
}

void Decay::save(Writer& out) const {
  reference_.save(out);
  for (const stats::Moments* moments : {&learning_, &older_, &younger_}) moments->save(out);
  out.put_varint(windows_);
  out.put(static_cast<std::uint8_t>(decayed_ ? 1 : 0));
}

void Decay::load(Reader& in) {
  reference_.load(in);
  for (stats::Moments* moments : {&learning_, &older_, &younger_}) moments->load(in);
  windows_ = in.get_varint();
  decayed_ = in.get<std::uint8_t>() != 0;
  if (windows_ == 0) in.fail();
  if (!in.ok()) *this = Decay({}, options_);
}

}  // namespace liminal::learn
