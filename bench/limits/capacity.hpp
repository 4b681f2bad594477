#pragma once

namespace liminal::bench {

/// What one instance takes, learnt from made-up services whose truth is known: prints how far off
/// it is, how far off it says it is, and whether its answers agree.
void print_capacity();

}  // namespace liminal::bench
