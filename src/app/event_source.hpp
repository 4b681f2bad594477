#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/traffic/event.hpp"
#include "io/json/event_reader.hpp"

namespace liminal::app {

/// Events in the order of their times, from wherever.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// None at the end. Borrows from the source until the next call.
  [[nodiscard]] virtual std::optional<traffic::Event> next() = 0;
};

/// Several traces as one, in the order of their times; of equal times the earlier one's first.
/// Lines that are no events are told of and left out.
class TraceSource : public EventSource {
 public:
  using Complain = std::function<void(const std::string&)>;
  explicit TraceSource(Complain complain) : complain_(std::move(complain)) {}

  /// `name` is for complaints.
  void add(std::string name, std::unique_ptr<std::istream> text);
  [[nodiscard]] std::optional<traffic::Event> next() override;
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

 private:
  struct Trace {
    std::string name;
    std::unique_ptr<std::istream> text;
    json::EventReader reader;
    std::string line;
    std::uint64_t number = 0;
    std::optional<traffic::Event> event;
  };
  void read_next(Trace& trace);

  Complain complain_;
  std::vector<std::unique_ptr<Trace>> traces_;
  Trace* given_ = nullptr;  ///< whose event was given out: read on at the next call
  std::uint64_t rejected_ = 0;
};

}  // namespace liminal::app
