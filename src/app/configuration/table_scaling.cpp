#include "app/configuration/configuration.hpp"
#include "app/configuration/table_parts.hpp"

namespace liminal::app {

void add_scaling_settings(std::vector<Setting>& all) {
  using C = Configuration;
  all.push_back({.key = "scaling.services_max",
                 .slot = [](C& c) -> Slot { return &c.scaling.services_max; },
                 .help =
                     "Services whose load is kept, some 250 KiB each after a week; the one that "
                     "was told of least recently is forgotten beyond it, and counted, but none "
                     "that has settings or an actor, nor Liminal's own and those of its first "
                     "sixteen upstreams, which are among them.",
                 .low = 1,
                 .high = 100'000,
                 .change = Change::kRestart});
  all.push_back(
      {.key = "scaling.grpc",
       .slot = [](C& c) -> Slot { return &c.scaling.grpc; },
       .help = "Where KEDA asks for what is advised, as an external scaler over gRPC: "
               "HOST:PORT; empty: nowhere. Beyond this machine it needs scaling.grpc_authorities "
               "or scaling.grpc_open.",
       .change = Change::kRestart});
  all.push_back({.key = "scaling.grpc_certificate",
                 .slot = [](C& c) -> Slot { return &c.scaling.grpc_certificate; },
                 .help = "A file with the certificate of that address (PEM); empty: no TLS there.",
                 .change = Change::kRestart});
  all.push_back({.key = "scaling.grpc_key",
                 .slot = [](C& c) -> Slot { return &c.scaling.grpc_key; },
                 .help = "A file with the certificate's private key (PEM).",
                 .change = Change::kRestart});
  all.push_back({.key = "scaling.grpc_authorities",
                 .slot = [](C& c) -> Slot { return &c.scaling.grpc_authorities; },
                 .help =
                     "A file with the authorities (PEM) that vouch for those who may ask there; "
                     "empty: nobody is asked for a certificate.",
                 .change = Change::kRestart});
  all.push_back({.key = "scaling.grpc_open",
                 .slot = [](C& c) -> Slot { return &c.scaling.grpc_open; },
                 .help = "Whoever reaches the address may read what is advised, without a "
                         "certificate, from other machines too.",
                 .change = Change::kRestart});
  all.push_back({.key = "scaling.grpc_streams_max",
                 .slot = [](C& c) -> Slot { return &c.scaling.grpc_streams_max; },
                 .help = "Streams that may be open there; KEDA holds one or two for each "
                         "ScaledObject.",
                 .low = 1,
                 .high = 10'000,
                 .change = Change::kRestart});
}

}  // namespace liminal::app
