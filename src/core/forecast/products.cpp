#include "core/forecast/products.hpp"

#include <cstring>

namespace liminal::forecast {
namespace {

/// Two numbers in one register of SSE2 or NEON, which every machine of ours has.
using Pair = double __attribute__((vector_size(16)));

Pair load(const double* from) {
  Pair pair;
  std::memcpy(&pair, from, sizeof pair);
  return pair;
}

void store(double* to, Pair pair) { std::memcpy(to, &pair, sizeof pair); }

}  // namespace

double dot(const double* a, const double* b, std::size_t count) {
  Pair even{0, 0}, odd{0, 0};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    even += load(a + i) * load(b + i);
    odd += load(a + i + 2) * load(b + i + 2);
  }
  double sum = (even[0] + odd[0]) + (even[1] + odd[1]);
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void dot4(const double* a, const double* const b[4], std::size_t count, double out[4]) {
  Pair even[4] = {}, odd[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const Pair first = load(a + i), second = load(a + i + 2);
    for (int k = 0; k < 4; ++k) {
      even[k] += first * load(b[k] + i);
      odd[k] += second * load(b[k] + i + 2);
    }
  }
  for (int k = 0; k < 4; ++k) {
    double sum = (even[k][0] + odd[k][0]) + (even[k][1] + odd[k][1]);
    for (std::size_t rest = i; rest < count; ++rest) sum += a[rest] * b[k][rest];
    out[k] = sum;
  }
}

void add_scaled(double* out, double factor, const double* x, std::size_t count) {
  const Pair factors{factor, factor};
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) store(out + i, load(out + i) + factors * load(x + i));
  for (; i < count; ++i) out[i] += factor * x[i];
}

void multiply(double* out, const double* a, const double* b, std::size_t count) {
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) store(out + i, load(a + i) * load(b + i));
  for (; i < count; ++i) out[i] = a[i] * b[i];
}

}  // namespace liminal::forecast
