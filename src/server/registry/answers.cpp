#include "server/registry/answers.hpp"

namespace liminal::registry {

learn::Asked<std::shared_ptr<const Served>> Answers::served(const std::string& model,
                                                            std::optional<std::uint32_t> version,
                                                            std::string_view user) const {
  auto served = registry_.served(model, version);
  if (served && !version) {
    if (auto challenger = experiments_.arm(model, user)) served = std::move(challenger);
  }
  return served;
}

void Answers::took(const std::string& model, Duration time) {
  const std::lock_guard lock(mutex_);
  times_[model].observe(time);
}

void Answers::add_metrics(prometheus::Snapshot& out) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [model, times] : times_)
    out.add(prometheus::Family::kInferenceSeconds, times, {model});
}

}  // namespace liminal::registry
