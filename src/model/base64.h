// Bytes as text, as RFC 4648 has it in section 4: for tensors in JSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace h5bridge {

std::string to_base64(std::span<const std::byte> bytes);

/// Throws MalformedFile for what to_base64() would not give of any bytes.
std::vector<std::byte> from_base64(std::string_view text);

}  // namespace h5bridge
