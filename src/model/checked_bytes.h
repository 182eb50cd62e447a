// Bytes that are known by a checksum, which is compared as they pass.
#pragma once

#include "h5bridge/byte_source.h"

namespace h5bridge {

class CheckedBytes {
 public:
  virtual ~CheckedBytes() = default;
  /// Reads what nobody has read yet. Throws MalformedFile where the checksum is another.
  virtual void check_rest() const = 0;
};

/// Of bytes that have a checksum, or are a part of such; nothing of others.
inline void check_rest(const ByteSource& bytes) {
  if (const auto* checked = dynamic_cast<const CheckedBytes*>(&bytes)) checked->check_rest();
}

}  // namespace h5bridge
