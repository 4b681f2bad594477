// What the engine takes for a recorded trace, for comparison with the Python package: README.md has
// the method. Usage: bench_python_engine TRACE.ndjson; prints JSON.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "core/engine/local_engine.hpp"
#include "io/json/event_reader.hpp"

int main(int argc, char** argv) {
  using namespace liminal;
  std::ifstream in(argc > 1 ? argv[1] : "", std::ios::binary);
  if (!in) return fmt::print(stderr, "usage: bench_python_engine TRACE.ndjson\n"), 2;
  json::EventReader reader;
  std::vector<traffic::StoredEvent> stored;
  for (std::string line; std::getline(in, line);) {
    if (const auto event = reader.read(line)) stored.emplace_back(*event);
  }
  std::vector<traffic::Event> events;
  events.reserve(stored.size());
  for (const traffic::StoredEvent& event : stored) events.push_back(event.view());
  std::stable_sort(
      events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  engine::LocalEngine engine{engine::Options{}};
  engine::Effects effects;
  const auto begin = std::chrono::steady_clock::now();
  for (const traffic::Event& event : events) {
    engine.feed(event, effects);
    effects.clear();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{{\"events\":{},\"seconds\":{},\"state_hash\":\"{:016x}\"}}\n",
             events.size(),
             took.count(),
             engine.state_hash());
  return 0;
}
