// How much a WebSocket message costs in the proxy: Liminal's gateway, its engine at work, beside
// nginx and HAProxy, which only pass bytes.
//
//   bench_gateway [--connections N]… [--bytes N]… [--in-flight N] [--rounds N] [--seconds S]
//                 [--rate N] [--plot FILE.svg]
//
// Method: each proxy is one process with one thread, pinned to CPU 0; clients and the echoing
// server share CPU 1. Every connection sends its next message when the last one has come back, so
// the proxy is saturated. What is counted is the proxy's own CPU time (the scheduler's account) for
// each round trip, which is two forwarded messages. Rounds alternate between the proxies; shown are
// the lower quartile over the rounds and the median of the ratio to nginx of the same round. At the
// end, what a connection at rest adds to the proxy's memory in user space.
//
// With --rate the clients send N messages a second in all, evenly, whether or not the last ones are
// back; shown are the median over the rounds of the median and of the 99th percentile of what a
// round trip takes, and the same without a proxy.
//
// --plot draws the table: what each proxy takes over the number of connections (with --rate the
// median), a stroke for each size of messages.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "io/svg/chart.hpp"
#include "load.hpp"
#include "proxies.hpp"

namespace liminal::bench {
namespace {

struct Plan {
  std::vector<std::size_t> connections, bytes;
  std::size_t in_flight = 1;
  double rate = 0;  ///< messages a second; 0: as many as pass
  int rounds = 5;
  double seconds = 1;
  std::string plot;  ///< file; empty: none is drawn
};

/// What each proxy takes, in µs, in the order of the table.
using Costs = std::vector<std::pair<std::string, double>>;

/// The table as a picture.
class Plot {
 public:
  /// What was found with so many connections and the size of messages that is the plan's `size`th.
  void add(const Costs& costs, const LoadShape& shape, std::size_t size) {
    constexpr std::array kStrokes{
        svg::Stroke::kLineAndMarks, svg::Stroke::kDashed, svg::Stroke::kDotted};
    for (std::size_t i = 0; i < costs.size(); ++i) {
      svg::Line& line = lines_[{size, i}];
      line.name = fmt::format("{}, {} B", costs[i].first, shape.payload_bytes);
      line.colour = {static_cast<unsigned>(i)};
      line.stroke = kStrokes[std::min(size, kStrokes.size() - 1)];
      line.x.push_back(static_cast<double>(shape.connections));
      line.y.push_back(costs[i].second);
    }
  }

  [[nodiscard]] std::string svg(const Plan& plan) const {
    svg::Chart chart;
    chart.title = plan.rate > 0 ? fmt::format("Median round trip at {:.0f} messages/s", plan.rate)
                                : fmt::format("CPU of the proxy, {} in flight", plan.in_flight);
    chart.x = {"connections", svg::AxisKind::kLog};
    chart.y = {"µs a round trip", svg::AxisKind::kNumber};
    chart.from_zero = true;
    for (const auto& [place, line] : lines_) chart.lines.push_back(line);
    return chart.svg();
  }

 private:
  std::map<std::pair<std::size_t, std::size_t>, svg::Line> lines_;  ///< by size and proxy
};

void run_for(epoll::Loop& loop, double s) {
  const auto end = std::chrono::steady_clock::now() + from_seconds(s);
  while (std::chrono::steady_clock::now() < end) (void)loop.run_once(std::chrono::milliseconds{1});
}

/// The two servers behind the proxies.
struct Upstreams {
  EchoServer tcp, local;

  /// Until the last measurement's connections have gone: two at a time would be too many files.
  void wait_for_calm(epoll::Loop& loop) const {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (tcp.open() + local.open() > 0 && std::chrono::steady_clock::now() < patience)
      (void)loop.run_once(std::chrono::milliseconds{1});
  }
};

struct Measure {
  double us_per_round_trip = 0;
  double round_trips_per_second = 0;
  double bytes_per_connection = 0;
};

Measure measure(epoll::Loop& loop, const Proxy& proxy, const LoadShape& shape, double duration_s) {
  const std::uint64_t memory = proxy.memory_bytes();
  Load load(loop, proxy.address(), shape);
  if (!load.ok()) {
    fmt::print(stderr, "{}: not every connection was let in\n", proxy.name());
    std::exit(1);
  }
  Measure result;
  result.bytes_per_connection =
      (static_cast<double>(proxy.memory_bytes()) - static_cast<double>(memory)) /
      static_cast<double>(shape.connections);
  load.begin();
  run_for(loop, .3);
  const std::uint64_t cpu = proxy.cpu_ns(), trips = load.round_trips();
  run_for(loop, duration_s);
  const auto done = static_cast<double>(load.round_trips() - trips);
  result.us_per_round_trip = static_cast<double>(proxy.cpu_ns() - cpu) * 1e-3 / done;
  result.round_trips_per_second = done / duration_s;
  return result;
}

/// Sends at an even pace and tells how long the messages took.
std::vector<double> latencies(epoll::Loop& loop,
                              const std::string& address,
                              const LoadShape& shape,
                              const Plan& plan) {
  using Clock = std::chrono::steady_clock;
  Load load(loop, address, shape);
  if (!load.ok()) {
    fmt::print(stderr, "{}: not every connection was let in\n", address);
    std::exit(1);
  }
  const auto gap =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / plan.rate));
  const auto begin = Clock::now();
  const auto warm = begin + std::chrono::milliseconds{300};
  const auto end = warm + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(plan.seconds));
  bool timing = false;
  for (auto due = begin; due < end;) {
    const auto now = Clock::now();
    if (!timing && now >= warm) {
      load.begin_timing();
      timing = true;
    }
    for (; due <= now && due < end; due += gap) load.send_next();
    (void)loop.run_once(Duration::zero());
  }
  run_for(loop, .1);
  return load.latencies_us();
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

Costs compare(epoll::Loop& loop,
              const Upstreams& upstreams,
              const std::vector<Proxy>& proxies,
              const LoadShape& shape,
              const Plan& plan) {
  std::map<std::string, std::vector<double>> cost, ratio, speed, memory;
  for (int round = 0; round < plan.rounds; ++round) {
    double nginx = 0;
    for (const Proxy& proxy : proxies) {
      const Measure one = measure(loop, proxy, shape, plan.seconds);
      if (proxy.name() == "nginx") nginx = one.us_per_round_trip;
      cost[proxy.name()].push_back(one.us_per_round_trip);
      speed[proxy.name()].push_back(one.round_trips_per_second);
      memory[proxy.name()].push_back(one.bytes_per_connection);
      if (nginx > 0) ratio[proxy.name()].push_back(one.us_per_round_trip / nginx);
      upstreams.wait_for_calm(loop);
    }
  }
  fmt::print("\n{} connections, {} B, {} in flight\n",
             shape.connections,
             shape.payload_bytes,
             shape.in_flight);
  fmt::print("{:<16}{:>16}{:>12}{:>16}{:>18}\n",
             "proxy",
             "µs/round trip",
             "ratio",
             "round trips/s",
             "B/connection");
  Costs costs;
  for (const Proxy& proxy : proxies) {
    const std::string& name = proxy.name();
    costs.emplace_back(name, quantile(cost[name], .25));
    fmt::print("{:<16}{:>15.2f}{:>12.2f}{:>16.0f}{:>18.0f}\n",
               name,
               costs.back().second,
               ratio[name].empty() ? 0 : quantile(ratio[name], .5),
               quantile(speed[name], .5),
               memory[name].front());
  }
  return costs;
}

Costs compare_latency(epoll::Loop& loop,
                      const Upstreams& upstreams,
                      const std::vector<Proxy>& proxies,
                      const LoadShape& shape,
                      const Plan& plan) {
  std::vector<std::pair<std::string, std::string>> ways{{"direct", upstreams.tcp.address()}};
  for (const Proxy& proxy : proxies) ways.emplace_back(proxy.name(), proxy.address());
  std::map<std::string, std::vector<double>> p50, p99;
  for (int round = 0; round < plan.rounds; ++round) {
    for (const auto& [name, address] : ways) {
      const std::vector<double> took = latencies(loop, address, shape, plan);
      p50[name].push_back(quantile(took, .5));
      p99[name].push_back(quantile(took, .99));
      upstreams.wait_for_calm(loop);
    }
  }
  fmt::print("\n{} connections, {} B, {:.0f} messages/s\n",
             shape.connections,
             shape.payload_bytes,
             plan.rate);
  fmt::print("{:<16}{:>12}{:>12}\n", "proxy", "p50 µs", "p99 µs");
  Costs medians;
  for (const auto& [name, address] : ways) {
    medians.emplace_back(name, quantile(p50[name], .5));
    fmt::print("{:<16}{:>12.0f}{:>12.0f}\n", name, medians.back().second, quantile(p99[name], .5));
  }
  return medians;
}

Plan read_plan(int argc, char** argv) {
  Plan plan;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const double value = std::atof(argv[i + 1]);
    if (option == "--connections") plan.connections.push_back(static_cast<std::size_t>(value));
    if (option == "--bytes") plan.bytes.push_back(static_cast<std::size_t>(value));
    if (option == "--in-flight") plan.in_flight = static_cast<std::size_t>(value);
    if (option == "--rate") plan.rate = value;
    if (option == "--rounds") plan.rounds = static_cast<int>(value);
    if (option == "--seconds") plan.seconds = value;
    if (option == "--plot") plan.plot = argv[i + 1];
  }
  if (plan.connections.empty()) plan.connections = {100, 1000};
  if (plan.bytes.empty()) plan.bytes = {64, 1024};
  return plan;
}

int run(const Plan& plan) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  epoll::Loop loop;
  const std::string path = fmt::format("/tmp/liminal_bench_{}.sock", ::getpid());
  const Upstreams upstreams{{loop, "127.0.0.1:0"}, {loop, "unix:" + path}};
  constexpr int kProxyCpu = 0, kLoadCpu = 1;
  std::vector<Proxy> proxies;
  const auto add = [&](const char* name, Proxy proxy) {
    if (!proxy.name().empty()) return proxies.push_back(std::move(proxy));
    fmt::print(stderr, "{} did not start and is left out: tools/install bench installs it\n", name);
  };
  const auto port = static_cast<std::uint16_t>(20'000 + ::getpid() % 10'000);
  add("nginx", start_nginx(upstreams.tcp.address(), kProxyCpu, port));
  add("haproxy",
      start_haproxy(upstreams.tcp.address(), kProxyCpu, static_cast<std::uint16_t>(port + 1)));
  proxies.push_back(start_liminal("liminal", "ws://" + upstreams.tcp.address(), kProxyCpu));
  proxies.push_back(start_liminal("liminal, unix", "unix:" + path, kProxyCpu));
  pin_to(kLoadCpu);
  Plot plot;
  for (const std::size_t connections : plan.connections) {
    for (std::size_t size = 0; size < plan.bytes.size(); ++size) {
      const LoadShape shape{.connections = connections,
                            .payload_bytes = plan.bytes[size],
                            .in_flight = plan.in_flight};
      plot.add(plan.rate > 0 ? compare_latency(loop, upstreams, proxies, shape, plan)
                             : compare(loop, upstreams, proxies, shape, plan),
               shape,
               size);
    }
  }
  ::unlink(path.c_str());
  if (plan.plot.empty()) return 0;
  std::ofstream file(plan.plot);
  file << plot.svg(plan);
  if (file.flush()) return 0;
  fmt::print(stderr, "{} cannot be written\n", plan.plot);
  return 1;
}

}  // namespace
}  // namespace liminal::bench

int main(int argc, char** argv) {
  return liminal::bench::run(liminal::bench::read_plan(argc, argv));
}
