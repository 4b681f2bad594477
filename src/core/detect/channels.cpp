#include "core/detect/channels.hpp"

namespace liminal::detect {

void ChannelFilter::save(Writer& out) const {
  out.put(low_);
  out.put(high_);
}

void ChannelFilter::load(Reader& in) {
  in.get(low_);
  in.get(high_);
}

}  // namespace liminal::detect
