#pragma once

#include <functional>
#include <string>

#include "app/configuration/configuration.hpp"
#include "app/log.hpp"
#include "app/serve/model_keeper.hpp"
#include "io/prometheus/snapshot.hpp"
#include "server/api/backend.hpp"
#include "server/uplink/uplink.hpp"

namespace liminal::app {

/// What joins a server to the cluster that `cluster.engine` names.

/// Champions become those of the models that the keeper has by then; everything is logged. The log
/// must outlive the uplink, and the keeper its `stop`.
[[nodiscard]] uplink::Uplink::Ports cluster_ports(std::function<ModelKeeper*()> keeper, Log& log);

/// Empty when there is none.
[[nodiscard]] std::string cluster_url(const Configuration& configuration);
[[nodiscard]] api::ClusterStatus cluster_status(const uplink::Uplink& uplink,
                                                const std::string& url);
/// Always good: without a cluster all goes on. The detail says how it stands.
[[nodiscard]] api::Check cluster_check(const uplink::Uplink& uplink);
void add_cluster_metrics(const uplink::Uplink& uplink, prometheus::Snapshot& out);

}  // namespace liminal::app
