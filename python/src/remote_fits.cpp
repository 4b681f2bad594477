#include "remote_fits.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "held.hpp"
#include "remote_spread.hpp"
#include "server/training/fits_apart.hpp"

namespace liminal::python {
namespace {

nb::object as_array(const std::string& bytes) {
  return nb::cast(to_array(std::vector<std::uint8_t>(bytes.begin(), bytes.end())));
}

}  // namespace

struct RemoteFits::State {
  Held place;
  std::mutex mutex;
  std::string complaint;

  void complain(const char* text) {
    const std::lock_guard lock(mutex);
    complaint = text;
  }

  /// What prepares the source there; null when it was refused.
  Held prepare(const std::string& source) {
    const nb::gil_scoped_acquire acquire;
    try {
      return held((*place)(as_array(source)));
    } catch (const std::exception& raised) {
      complain(raised.what());
      return nullptr;
    }
  }

  std::optional<std::string> ask(const Held& fit,
                                 const std::string& job,
                                 double left_s,
                                 const learn::Stop& stop) {
    const nb::gil_scoped_acquire acquire;
    try {
      const nb::object said = (*fit)(
          nb::bytes(job.data(), job.size()), left_s, nb::cpp_function([&stop] { return stop(); }));
      if (said.is_none()) return std::nullopt;
      const auto bytes = nb::cast<nb::bytes>(said);
      return std::string(bytes.c_str(), bytes.size());
    } catch (const std::exception& raised) {
      complain(raised.what());
      return std::nullopt;
    }
  }
};

RemoteFits::RemoteFits(nb::object place) : state_(std::make_shared<State>()) {
  state_->place = held(std::move(place));
}

std::uint32_t RemoteFits::at_once() const {
  constexpr std::int64_t kMost = 64;
  const nb::gil_scoped_acquire acquire;
  try {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
        nb::cast<std::int64_t>(state_->place->attr("at_once")()), 1, kMost));
  } catch (const std::exception& raised) {
    state_->complain(raised.what());
    return 1;
  }
}

training::Fitting RemoteFits::fitting() const {
  return [state = state_](const training::FitSource& source) -> training::MakeFitter {
    state->complain("");  // what another training met is not told of this one
    const Held fit = state->prepare(training::encode(source));
    return [state, fit]() -> learn::Fitter {
      return [state, fit](const learn::Material& material,
                          const learn::FitJob& job,
                          double left_s,
                          const learn::Stop& stop) -> Result<learn::Fit> {
        if (!fit) return failure(ErrorCode::kUnavailable);
        const auto said = state->ask(fit, training::encode(job), left_s, stop);
        if (!said) return failure(ErrorCode::kUnavailable);
        auto read = training::decode_fit(*said, material, job);
        if (!read) state->complain("what came back is no fit of this job");
        return read;
      };
    };
  };
}

std::shared_ptr<const training::Cluster> RemoteFits::cluster() const {
  return std::make_shared<const training::Cluster>(
      training::Cluster{[fits = *this] { return fits.at_once(); },
                        fitting(),
                        [fits = *this] { return fits.complaint(); },
                        [state = state_](const training::SpreadWish& wish) {
                          return begin_remote_spread(*state->place, wish);
                        }});
}

std::string RemoteFits::complaint() const {
  const std::lock_guard lock(state_->mutex);
  return state_->complaint;
}

}  // namespace liminal::python
