#pragma once

#include "io/json/fields.hpp"
#include "io/json/writer.hpp"
#include "server/api/backend.hpp"
#include "server/api/salience_port.hpp"

namespace liminal::api {

/// Overrides that one answer has at most.
inline constexpr std::size_t kOverridesListMax = 10'000;

/// The bodies of answers, as api/openapi.yaml describes them.
void write(const Status& status, std::string_view version, json::Writer& out);
void write(const Explanation& explanation, const SaliencePort& salience, json::Writer& out);
/// The `limit` most crowded addresses and hottest channels.
void write(const features::CrowdSummary& crowd, std::uint64_t limit, json::Writer& out);
void write(const UserSummary& user, json::Writer& out);
void write(const UserView& user, const SaliencePort& salience, json::Writer& out);
/// Schema `Alert`.
void write(const traffic::Alert& alert, const SaliencePort& salience, json::Writer& out);
void write(const Check& check, json::Writer& out);

/// Schema `Policies`: what of the limits can be changed while running.
void write_policies(const limits::Options& options, json::Writer& out);

/// Reads the same into `options`; what the schema does not have stays.
void read_policies(json::Fields in, limits::Options& options);

/// Reads schema `OverrideRequest`, all but whose it is. Nothing, with the problems reported, for a
/// wrong one.
[[nodiscard]] std::optional<traffic::Override> read_override(json::Fields& in, SteadyTime now);

}  // namespace liminal::api
