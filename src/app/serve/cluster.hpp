#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/configuration/configuration.hpp"
#include "app/log.hpp"
#include "app/serve/model_keeper.hpp"
#include "io/prometheus/snapshot.hpp"
#include "io/sqlite/store.hpp"
#include "server/api/backend.hpp"
#include "server/uplink/uplink.hpp"

namespace liminal::app {

class ServerBackend;

/// What joins a server to the cluster that `cluster.engine` names.

/// Champions become those of the models that the keeper has by then; everything is logged. The log
/// must outlive the uplink, and the keeper its `stop`.
[[nodiscard]] uplink::Uplink::Ports cluster_ports(std::function<ModelKeeper*()> keeper, Log& log);
/// What operators say goes to the cluster, from the store, until it was heard there; the store has
/// how far it was. It must outlive the uplink's `stop`. `url`: of the cluster.
void tell_words(uplink::Uplink::Ports& ports, sqlite::Store& store, const std::string& url);
/// Alerts of the last day, as they are by now: some may not have arrived before a stop.
void tell_alerts(sqlite::Store& store, SteadyTime now, uplink::Uplink& uplink);
/// The cluster's limits become those of the backend that is there by then, which must outlive the
/// uplink's `stop`.
[[nodiscard]] std::function<std::optional<std::string>(const std::string&)> cluster_limits(
    std::function<ServerBackend*()> backend, Log& log);

/// Has the cluster carry trainings out (uplink/training.hpp), each asked for by a client of its
/// own.
[[nodiscard]] std::function<learn::Asked<uplink::Trained>(const learn::TrainRequest&,
                                                          const training::Telling&)>
cluster_trainings(uplink::Options options);

/// Empty when there is none.
[[nodiscard]] std::string cluster_url(const Configuration& configuration);
[[nodiscard]] api::ClusterStatus cluster_status(const uplink::Uplink& uplink,
                                                const std::string& url);
/// Always good: without a cluster all goes on. The detail says how it stands.
[[nodiscard]] api::Check cluster_check(const uplink::Uplink& uplink);
void add_cluster_metrics(const uplink::Uplink& uplink, prometheus::Snapshot& out);

}  // namespace liminal::app
