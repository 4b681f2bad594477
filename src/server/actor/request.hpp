#pragma once

#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/scaling/service.hpp"
#include "io/http/client.hpp"
#include "server/actor/options.hpp"

namespace liminal::actor {

/// One request that tells a target.
struct Request {
  http::Url url;
  std::vector<http::Header> headers;
  std::string body;
};

/// The request of a valid target; the advice has a number of replicas.
///
/// - webhook: `{"type": "scaling.advice", "timestamp": "…", "data": {"service", "action",
///   "replicas", "confidence"}}`
/// - ray_serve: `{"target_num_replicas": N}` to
///   `URL/api/v1/applications/APPLICATION/deployments/DEPLOYMENT/scale`. The application must have
///   `external_scaler_enabled`; Ray answers 412 otherwise.
///
/// Source: Ray 2.60, "Scale applications with an external scaler".
[[nodiscard]] Request request_for(const Target& target,
                                  const scaling::Advice& advice,
                                  SteadyTime now);

}  // namespace liminal::actor
