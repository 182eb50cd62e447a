// The constants of the zip format (APPNOTE.TXT of PKWARE), shared by its reader and its writer.
#pragma once

#include <cstdint>

namespace h5bridge::zip {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kZip64EndSignature = 0x06064b50;
constexpr std::uint32_t kZip64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;

// Fixed parts of the records, signature included.
constexpr std::uint64_t kLocalSize = 30;
constexpr std::uint64_t kCentralSize = 46;
constexpr std::uint64_t kZip64EndSize = 56;
constexpr std::uint64_t kZip64LocatorSize = 20;
constexpr std::uint64_t kEndSize = 22;

constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;

constexpr std::uint16_t kFlagEncrypted = 1U << 0;
constexpr std::uint16_t kFlagDescriptor = 1U << 3;  // checksum and sizes follow the content
constexpr std::uint16_t kFlagUtf8 = 1U << 11;

constexpr std::uint16_t kExtraZip64 = 0x0001;
constexpr std::uint16_t kExtraPadding = 0x4246;  // "FB": what torch aligns its entries with

// In a 16-bit or 32-bit field: the value is in the zip64 record.
constexpr std::uint16_t kSeeZip64Short = 0xffff;
constexpr std::uint32_t kSeeZip64 = 0xffffffff;

}  // namespace h5bridge::zip
