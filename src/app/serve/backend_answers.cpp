#include "app/serve/backend.hpp"

namespace liminal::app {
namespace {

constexpr std::chrono::hours kAnswersKept{24};

}  // namespace

void ServerBackend::remember(api::RememberedAnswer answer, Done<void> done) {
  auto shared = std::make_shared<Done<void>>(std::move(done));
  const Result<void> queued =
      parts_.store.put(sqlite::Answer{std::move(answer.key),
                                      answer.request_hash,
                                      static_cast<int>(answer.status),
                                      std::move(answer.content_type),
                                      std::move(answer.body),
                                      time() + kAnswersKept},
                       [shared](Result<void> committed) { (*shared)(committed); });
  if (!queued) (*shared)(tl::unexpected(queued.error()));
}

void ServerBackend::recall(std::string key, Done<std::optional<api::RememberedAnswer>> done) {
  using Found = std::optional<api::RememberedAnswer>;
  read<Found>(std::move(done), [this, key = std::move(key)]() -> Result<Found> {
    auto answer = parts_.store.answer(key, time());
    if (!answer) return tl::unexpected(answer.error());
    if (!*answer) return Found{};
    sqlite::Answer& kept = **answer;
    return Found{api::RememberedAnswer{std::move(kept.key),
                                       kept.request_hash,
                                       static_cast<unsigned>(kept.status),
                                       std::move(kept.headers),
                                       std::move(kept.body)}};
  });
}

}  // namespace liminal::app
