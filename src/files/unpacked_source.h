// Bytes that are stored packed.
#pragma once

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// A source that unpacks what is stored whenever it is read: to read it here and there costs as much as all of it, each
/// time.
class UnpackedSource : public ByteSource {};

}  // namespace h5bridge
