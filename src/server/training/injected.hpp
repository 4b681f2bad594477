#pragma once

#include <cstddef>
#include <cstdint>

#include "core/learn/registered.hpp"
#include "core/learn/table.hpp"

namespace liminal::training {

/// What a label weighs of abuse that nobody committed: a rule's is `kWeakWeight`, a person's 1.
inline constexpr float kInjectedWeight = .1F;

/// Rows of abuse that nobody committed (core/abuse/inject.hpp), all positive: six abusers of each
/// kind that shows in the features asked for, from blatant to subtle, played to an engine of the
/// default settings and sampled as a server samples what it stores, from the tenth event on; at
/// most eight rows of each, over the time of its abuse. Kinds that show between users alone (rings)
/// or against a user's past (take-overs) are not among them. No times; a group is an abuser.
///
/// No held-out figure is of them: they say what the injector does, not what abuse is like. Nor does
/// the search choose or calibrate by them, where enough rows that came are left for that
/// (training/searched.hpp).
/// The same seed gives the same rows. Cost: some ten thousand events and two hours of an engine's
/// seconds.
[[nodiscard]] learn::Table injected_rows(const learn::ModelDefinition& definition,
                                         std::uint64_t seed);

/// Adds rows of the same features. What `to` does not tell (weights, groups, times) of its own it
/// tells of none; else `rows` must tell it, too.
void append(learn::Table& to, const learn::Table& rows);

}  // namespace liminal::training
