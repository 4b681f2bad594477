#include "app/event_source.hpp"

#include <fmt/format.h>

namespace liminal::app {

void TraceSource::add(std::string name, std::unique_ptr<std::istream> text) {
  auto trace = std::make_unique<Trace>();
  trace->name = std::move(name);
  trace->text = std::move(text);
  read_next(*trace);
  traces_.push_back(std::move(trace));
}

std::optional<traffic::Event> TraceSource::next() {
  if (given_ != nullptr) read_next(*given_);
  given_ = nullptr;
  for (const auto& trace : traces_) {
    if (trace->event && (given_ == nullptr || trace->event->time < given_->event->time))
      given_ = trace.get();
  }
  if (given_ == nullptr) return std::nullopt;
  return given_->event;
}

void TraceSource::read_next(Trace& trace) {
  trace.event.reset();
  while (std::getline(*trace.text, trace.line)) {
    ++trace.number;
    if (trace.line.empty() || trace.line == "\r") continue;
    const json::EventResult read = trace.reader.read(trace.line);
    if (read) {
      trace.event = *read;
      return;
    }
    ++rejected_;
    complain_(fmt::format("{}:{}: {}", trace.name, trace.number, json::text(read.error())));
  }
}

}  // namespace liminal::app
