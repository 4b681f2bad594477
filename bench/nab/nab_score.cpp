#include "nab_score.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace nab {

double scaled_sigmoid(double position) {
  return position > 3 ? -1 : 2 / (1 + std::exp(5 * position)) - 1;
}

std::size_t probation(std::size_t rows) {
  return std::min<std::size_t>(static_cast<std::size_t>(.15 * static_cast<double>(rows)), 750);
}

double score_series(std::span<const double> scores,
                    std::span<const Window> windows,
                    double threshold,
                    const Profile& profile) {
  double total = 0;
  const Window* previous = nullptr;
  std::size_t next = 0;
  std::vector<bool> hit(windows.size());
  for (std::size_t row = probation(scores.size()); row < scores.size(); ++row) {
    while (next < windows.size() && windows[next].last < row) previous = &windows[next++];
    if (!(scores[row] >= threshold)) continue;
    const bool inside = next < windows.size() && row >= windows[next].first;
    if (inside) {
      if (hit[next]) continue;
      hit[next] = true;
      const Window& window = windows[next];
      const auto width = static_cast<double>(window.last - window.first + 1);
      const double position = -static_cast<double>(window.last - row + 1) / width;
      total += scaled_sigmoid(position) / scaled_sigmoid(-1);
    } else if (!previous) {
      total -= profile.false_positive;
    } else {
      const auto width = static_cast<double>(previous->last - previous->first);
      total += profile.false_positive *
               scaled_sigmoid(static_cast<double>(row - previous->last) / width);
    }
  }
  for (const bool found : hit) total -= found ? 0 : profile.false_negative;
  return total;
}

double normalized(double total, std::size_t windows, const Profile& profile) {
  const auto perfect = static_cast<double>(windows);
  const double null = -profile.false_negative * perfect;
  return 100 * (total - null) / (perfect - null);
}

}  // namespace nab
