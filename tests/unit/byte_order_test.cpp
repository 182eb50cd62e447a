#include "files/byte_order.h"

#include <catch2/catch.hpp>

using namespace h5bridge;

namespace {

std::vector<std::byte> counted(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

std::vector<int> part(const ByteSource& source, std::uint64_t offset, std::size_t count) {
  std::vector<std::byte> bytes(count);
  source.read_at(offset, bytes);
  std::vector<int> result;
  for (const std::byte byte : bytes) result.push_back(std::to_integer<int>(byte));
  return result;
}

}  // namespace

TEST_CASE("byte order: each number is turned around, wherever reading begins and ends", "[byte_order]") {
  const std::vector<int> whole{3, 2, 1, 0, 7, 6, 5, 4, 8, 9};  // two numbers of four bytes, and a rest
  const ByteSourcePtr source = with_reversed_numbers(bytes_in_memory(counted(10)), 4);
  CHECK(source->size() == 10);
  for (std::size_t from = 0; from <= 10; ++from)
    for (std::size_t to = from; to <= 10; ++to) {
      INFO(from << " to " << to);
      CHECK(part(*source, from, to - from) == std::vector<int>(whole.begin() + static_cast<std::ptrdiff_t>(from),
                                                               whole.begin() + static_cast<std::ptrdiff_t>(to)));
    }
}

TEST_CASE("byte order: bytes alone are the source itself", "[byte_order]") {
  const ByteSourcePtr source = bytes_in_memory(counted(3));
  CHECK(with_reversed_numbers(source, 1) == source);
}
