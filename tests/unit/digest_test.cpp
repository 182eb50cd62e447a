// Digests against Python's hashlib.blake2b(data, digest_size=16) and against xxhsum -H2 (xxHash 0.8.1).
#include "files/digest.h"

#include <catch2/catch.hpp>

using namespace h5bridge;

namespace {

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

std::string hash_of(std::span<const std::byte> bytes, std::size_t step) {
  Blake2b hash;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    hash.update(bytes.subspan(at, std::min(step, bytes.size() - at)));
  return hash.finish();
}

}  // namespace

TEST_CASE("the hash is BLAKE2b, however the data is divided", "[digest]") {
  CHECK(hash_of({}, 1) == "cae66941d9efbd404e4d88758ea67670");
  CHECK(hash_of(std::as_bytes(std::span("abc", 3)), 3) == "cf4ab791c62b8d2b2109c90275287816");
  for (const std::size_t step : {1, 7, 128, 4096, 100000}) {
    CHECK(hash_of(pattern(128), step) == "a74787004ef589e31149183900d0294a");
    CHECK(hash_of(pattern(100000), step) == "7bafffc74b44b4a80f347888022ba2ae");
  }
}

TEST_CASE("a tensor's digest covers its dtype, shape and elements, not its strides", "[digest]") {
  const Tensor tensor = tensor_of<float>(DType::Float32, {2, 3}, {0, 1, 2, 3, 4, 5});
  CHECK(digest(tensor) == "xxh3:3d951a458d41a1f557bc77d643e7db5d");
  const std::vector<std::int64_t> swap{1, 0};
  CHECK(digest(tensor_of<float>(DType::Float32, {3, 2}, {0, 3, 1, 4, 2, 5}).permute(swap)) == digest(tensor));
  CHECK(digest(tensor.reshape({3, 2})) != digest(tensor));
  CHECK(digest(tensor_of<std::int32_t>(DType::Int32, {1}, {0})) != digest(tensor_of<float>(DType::Float32, {1}, {0})));
  CHECK(digest(tensor_of<float>(DType::Float32, {2, 3}, {0, 1, 2, 3, 4, 6})) != digest(tensor));
}

TEST_CASE("a digest of many blocks is that of the whole", "[digest]") {
  const std::vector<std::byte> bytes = pattern(9'000'001);
  const Tensor whole(DType::UInt8, {9'000'001}, bytes_in_memory(bytes));
  Blake2b hash;
  hash.update(std::as_bytes(std::span("uint8(9000001,)", 15)));
  hash.update(bytes);
  CHECK(has_digest(whole, hash.finish()));
  CHECK(digest(whole.slice(0, 5'000'000, 9'000'001)) ==
        digest(Tensor(DType::UInt8, {4'000'001}, bytes_in_memory({bytes.begin() + 5'000'000, bytes.end()}))));
}

TEST_CASE("digests of both kinds are compared, and others are none", "[digest]") {
  const Tensor tensor = tensor_of<float>(DType::Float32, {2, 3}, {0, 1, 2, 3, 4, 5});
  const Tensor other = tensor_of<float>(DType::Float32, {2, 3}, {0, 1, 2, 3, 4, 6});
  for (const std::string recorded : {"xxh3:3d951a458d41a1f557bc77d643e7db5d", "6faad4e18dbd1740cbfdb563db82a3b1"}) {
    CHECK(has_digest(tensor, recorded));
    CHECK_FALSE(has_digest(other, recorded));
  }
  CHECK_FALSE(has_digest(tensor, "sha3:3d951a458d41a1f557bc77d643e7db5d"));
}
