#pragma once

#include "app/configuration/configuration.hpp"
#include "core/engine/options.hpp"
#include "io/sqlite/store.hpp"
#include "server/actor/options.hpp"
#include "server/gateway/options.hpp"
#include "server/signals/anomaly.hpp"
#include "server/signals/salience.hpp"
#include "server/uplink/options.hpp"
#include "server/webhook/options.hpp"

namespace liminal::app {

/// What each part gets of a configuration. Where users come from is worked out here: a token only
/// when there is something to verify it with, a cookie only when one is named. Networks that do not
/// parse are left out; `validate` has named them.
[[nodiscard]] engine::Options engine_options(const Configuration& configuration);
[[nodiscard]] gateway::Options gateway_options(const Configuration& configuration);
[[nodiscard]] webhook::Options webhook_options(const Configuration& configuration);
/// Nothing when the engine is here alone.
[[nodiscard]] std::optional<uplink::Options> uplink_options(const Configuration& configuration);
/// Without what lies in files: tokens.
[[nodiscard]] actor::Options actor_options(const Configuration& configuration);
[[nodiscard]] signals::Anomaly::Bounds metric_bounds(const Configuration& configuration);
[[nodiscard]] signals::Anomaly::Options metric_options(const Configuration& configuration);
[[nodiscard]] signals::SalienceOptions salience_options(const Configuration& configuration);
[[nodiscard]] sqlite::Store::Options store_options(const Configuration& configuration);

}  // namespace liminal::app
