// Libdeflate's part of the zip format: checksums and deflated content.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// The CRC-32 of `bytes`, or of what `before` is the CRC-32 of followed by `bytes`.
std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t before = 0);

/// A source over the `size` bytes that the raw deflate stream `deflated` holds. They are inflated when first read, and
/// then kept; reading throws MalformedFile if the stream is damaged, or has another size or checksum. `name` is for
/// messages.
ByteSourcePtr inflate_when_read(ByteSourcePtr deflated, std::uint64_t size, std::uint32_t crc32, std::string name);

}  // namespace h5bridge
