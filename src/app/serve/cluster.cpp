#include "app/serve/cluster.hpp"

#include <fmt/core.h>

#include <utility>

#include "app/options.hpp"

namespace liminal::app {
namespace {

using prometheus::Family;

api::Uplinked as_told(const uplink::Counters& counters) {
  return {counters.waiting, counters.sent, counters.dropped, counters.rejected};
}

void add(const char* kind, const uplink::Counters& counters, prometheus::Snapshot& out) {
  out.add(Family::kClusterRows, counters.sent, {kind, "sent"});
  out.add(Family::kClusterRows, counters.dropped, {kind, "dropped"});
  out.add(Family::kClusterRows, counters.rejected, {kind, "rejected"});
}

}  // namespace

uplink::Uplink::Ports cluster_ports(std::function<ModelKeeper*()> keeper, Log& log) {
  uplink::Uplink::Ports ports;
  ports.wants = [keeper](const uplink::Champion& champion) {
    const ModelKeeper* models = keeper();
    return models != nullptr && models->lacks(champion.model, champion.sha256);
  };
  ports.take = [keeper](const uplink::Champion& champion, const std::string& file) {
    return keeper()->adopt(champion.model,
                           champion.sha256,
                           file,
                           fmt::format("version {} is the cluster's champion", champion.version));
  };
  ports.note = [&log](std::string_view what, const std::string& detail) {
    static LogSite good, bad;
    const bool well = what == "cluster.up" || what == "cluster.champion";
    log.write(well ? LogLevel::kInfo : LogLevel::kWarning,
              well ? good : bad,
              what,
              {{well ? "cluster" : "why", detail}});
  };
  return ports;
}

std::string cluster_url(const Configuration& configuration) {
  const auto options = uplink_options(configuration);
  return options ? options->url : std::string();
}

api::ClusterStatus cluster_status(const uplink::Uplink& uplink, const std::string& url) {
  const uplink::State state = uplink.state();
  return {
      url, state.up, state.trouble, as_told(state.rows), as_told(state.metrics), state.champions};
}

api::Check cluster_check(const uplink::Uplink& uplink) {
  const uplink::State state = uplink.state();
  const std::uint64_t waiting = state.rows.waiting + state.metrics.waiting;
  return {"cluster",
          true,
          state.up ? fmt::format("up, {} rows wait", waiting)
                   : fmt::format("away ({}), {} rows wait; what is here goes on",
                                 state.trouble.empty() ? "not asked yet" : state.trouble,
                                 waiting)};
}

void add_cluster_metrics(const uplink::Uplink& uplink, prometheus::Snapshot& out) {
  const uplink::State state = uplink.state();
  out.add(Family::kClusterUp, state.up ? 1 : 0);
  add("features", state.rows, out);
  add("metrics", state.metrics, out);
  out.add(Family::kClusterChampions, state.champions);
  out.add(Family::kQueueDepth, state.rows.waiting + state.metrics.waiting, {"cluster"});
  out.add(Family::kQueueDropped, state.rows.dropped + state.metrics.dropped, {"cluster"});
}

}  // namespace liminal::app
