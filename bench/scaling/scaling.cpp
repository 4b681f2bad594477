// scaling [--svg FOLDER] FILE.csv…: how much a plan leaves without an instance, against reactive
// scaling at equal instances. README.md beside it says the method.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/scaling/elasticity.hpp"
#include "core/scaling/planner.hpp"
#include "io/svg/chart.hpp"

namespace {

using liminal::scaling::Curve;
using liminal::scaling::Elasticity;
using liminal::scaling::LoadModel;
using liminal::scaling::Planner;

constexpr std::uint32_t kDelay = 10;
constexpr std::size_t kWarmUp = 2880;
constexpr double kUtilisations[] = {.4, .5, .6, .65, .7, .75, .8, .85, .9, .95, 1};
constexpr double kReported[] = {.6, .7, .8, .85, .9};
constexpr double kOperatingPoints[] = {
    .3, .5, .65, .75, .85, .9, .95, .975, .99, .995, .998, .999, .9995, .9998, .9999, .99995};

std::vector<double> read(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> loads;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) loads.push_back(std::stod(line.substr(line.rfind(',') + 1)));
  return loads;
}

/// What one instance takes: fifty of them take the 99th percentile.
double capacity_of(std::vector<double> loads) {
  std::sort(loads.begin(), loads.end());
  const double place = .99 * static_cast<double>(loads.size() - 1);
  const auto at = static_cast<std::size_t>(place);
  const double next = loads[std::min(at + 1, loads.size() - 1)];
  return (loads[at] + (place - static_cast<double>(at)) * (next - loads[at])) / 50;
}

Elasticity judge(const std::vector<double>& loads,
                 double capacity,
                 const std::vector<double>& desired,
                 std::uint32_t stabilisation) {
  const std::vector<double> ready = liminal::scaling::supply(desired, stabilisation, kDelay);
  std::vector<double> needed;
  for (const double load : loads) needed.push_back(std::max(std::ceil(load / capacity), 1.));
  return liminal::scaling::elasticity(std::span(needed).subspan(kWarmUp),
                                      std::span(ready).subspan(kWarmUp));
}

Curve reactive(const std::vector<double>& loads, double capacity, std::uint32_t stabilisation) {
  Curve curve;
  for (const double utilisation : kUtilisations) {
    std::vector<double> desired;
    for (const double load : loads)
      desired.push_back(std::max(std::ceil(load / (capacity * utilisation)), 1.));
    curve.push_back(judge(loads, capacity, desired, stabilisation));
  }
  return curve;
}

Curve planned(const std::vector<double>& loads, double capacity) {
  constexpr std::size_t kPoints = std::size(kOperatingPoints);
  std::vector<std::vector<double>> desired(kPoints);
  std::vector<Planner> planners(kPoints);
  LoadModel model(kDelay);
  const std::clock_t begun = std::clock();
  for (std::size_t t = 0; t < loads.size(); ++t) {
    model.step(static_cast<std::int64_t>(t), loads[t]);
    for (std::size_t k = 0; k < kPoints; ++k) {
      const liminal::scaling::PlanOptions options{
          .operating_point = kOperatingPoints[k], .replicas_min = 1, .replicas_max = 100'000};
      desired[k].push_back(planners[k].next(model, loads[t], capacity, options).replicas);
    }
  }
  const double took = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  std::printf("  %.1f us a minute with %zu operating points, %zu bytes\n",
              1e6 * took / static_cast<double>(loads.size()),
              kPoints,
              model.memory_bytes());
  Curve curve;
  for (const auto& one : desired) curve.push_back(judge(loads, capacity, one, 1));
  return curve;
}

void print(const char* name, const Curve& plan, const Curve& peer) {
  std::printf("  %-26s", name);
  double worst = 0;
  for (std::size_t k = 0; k < peer.size(); ++k) {
    const double ratio =
        liminal::scaling::under_share_at(plan, peer[k].mean_instances) / peer[k].under_share_ratio;
    worst = std::max(worst, ratio);
    if (std::find(std::begin(kReported), std::end(kReported), kUtilisations[k]) !=
        std::end(kReported))
      std::printf(" %7.2f", ratio);
  }
  std::printf(" %11.2f\n", worst);
}

liminal::svg::Line line(const char* name, const Curve& curve, unsigned colour) {
  liminal::svg::Line out;
  out.name = name;
  out.colour = {colour};
  out.stroke = liminal::svg::Stroke::kLineAndMarks;
  for (const Elasticity& point : curve) {
    if (point.under_share_ratio <= 0) continue;
    out.x.push_back(point.mean_instances);
    out.y.push_back(100 * point.under_share_ratio);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path folder;
  std::vector<std::string> files(argv + 1, argv + argc);
  if (files.size() > 2 && files[0] == "--svg") {
    folder = files[1];
    files.erase(files.begin(), files.begin() + 2);
  }
  if (files.empty())
    return std::fprintf(stderr, "usage: scaling [--svg FOLDER] FILE.csv…   (load a minute)\n"), 2;
  for (const std::string& path : files) {
    const std::vector<double> loads = read(path);
    const std::string name = std::filesystem::path(path).stem();
    if (loads.size() <= kWarmUp)
      return std::fprintf(stderr, "scaling: %s has too few minutes\n", path.c_str()), 1;
    std::printf("%s: %zu minutes\n", name.c_str(), loads.size());
    const double capacity = capacity_of(loads);
    const Curve plan = planned(loads, capacity);
    const Curve stabilised = reactive(loads, capacity, 10), plain = reactive(loads, capacity, 1);
    std::printf("  %-26s", "under-provisioned, ratio to");
    for (const double utilisation : kReported) std::printf(" %7.2f", utilisation);
    std::printf(" %11s\n", "worst of 11");
    print("reactive, stabilised", plan, stabilised);
    print("reactive", plan, plain);
    if (folder.empty()) continue;
    liminal::svg::Chart chart;
    chart.title = name + ": what is missing against what runs";
    chart.x = {"mean instances", liminal::svg::AxisKind::kNumber};
    chart.y = {"under-provisioned share, %", liminal::svg::AxisKind::kLog};
    chart.lines = {line("planned", plan, 0),
                   line("reactive, stabilised", stabilised, 1),
                   line("reactive", plain, 2)};
    std::ofstream(folder / (name + ".svg")) << chart.svg();
  }
  return 0;
}
