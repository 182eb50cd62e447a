// The bytes of an entry of an archive, against its checksum.
#pragma once

#include <cstdint>
#include <string>

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// A source of the same bytes that takes their CRC-32 as they are read, each once and in whatever order. The read that
/// completes them throws MalformedFile where it is not `crc32`, and so does every one after it. What is left unread is
/// for check_rest (model/checked_bytes.h). `name` is for messages.
ByteSourcePtr with_checksum(ByteSourcePtr bytes, std::uint32_t crc32, std::string name);

}  // namespace h5bridge
