#include "files/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "files/blocks.h"
#include "files/little_endian.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

constexpr std::size_t kDigestSize = 16;

constexpr std::array<std::uint64_t, 8> kInitial{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                                0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                                0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

// The order in which each round takes the message's words; rounds 10 and 11 repeat the first two.
constexpr std::uint8_t kOrder[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

void mix(std::uint64_t& a, std::uint64_t& b, std::uint64_t& c, std::uint64_t& d, std::uint64_t x, std::uint64_t y) {
  a += b + x;
  d = std::rotr(d ^ a, 32);
  c += d;
  b = std::rotr(b ^ c, 24);
  a += b + y;
  d = std::rotr(d ^ a, 16);
  c += d;
  b = std::rotr(b ^ c, 63);
}

std::string hexadecimal(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte >> 4)];
    text += kDigits[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return text;
}

const std::string kXxh3 = "xxh3:";

class Xxh3 {
 public:
  Xxh3() : state_(XXH3_createState()) {
    if (!state_) throw SystemFailure("memory does not suffice for a digest");
    XXH3_128bits_reset(state_.get());
  }
  void update(std::span<const std::byte> data) { XXH3_128bits_update(state_.get(), data.data(), data.size()); }
  std::string finish() {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state_.get()));
    return hexadecimal(std::as_bytes(std::span(bytes.digest)));
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

template <typename Hash>
void feed(Hash& hash, const Tensor& tensor) {
  const std::string head = std::string(name_of(tensor.dtype())) + to_string(tensor.shape());
  hash.update(std::as_bytes(std::span(head)));
  for_each_block(tensor, [&](std::span<const std::byte> block) { hash.update(block); });
}

void feed(Xxh3& hash, std::uint64_t number) { hash.update(std::as_bytes(std::span(&number, 1))); }

void feed(Xxh3& hash, std::string_view text) {
  feed(hash, std::uint64_t{text.size()});
  hash.update(std::as_bytes(std::span(text)));
}

void feed(Xxh3& hash, const Json& value) {
  feed(hash, value.kind());
  if (value.is_bool()) feed(hash, std::uint64_t{value.as_bool()});
  if (value.is_integer()) feed(hash, static_cast<std::uint64_t>(value.as_integer()));
  if (value.is_float()) feed(hash, std::bit_cast<std::uint64_t>(value.as_float()));
  if (value.is_string()) feed(hash, std::string_view(value.as_string()));
  if (value.is_array()) {
    feed(hash, std::uint64_t{value.as_array().size()});
    for (const Json& element : value.as_array()) feed(hash, element);
  }
  if (value.is_object())
    for (const auto& [name, member] : value.as_object()) {
      feed(hash, std::string_view(name));
      feed(hash, member);
    }
}

}  // namespace

Blake2b::Blake2b() : state_(kInitial) { state_[0] ^= 0x01010000 ^ kDigestSize; }

void Blake2b::update(std::span<const std::byte> data) {
  while (!data.empty()) {
    // A full buffer waits until more comes, because the last block is compressed differently.
    if (buffered_ == buffer_.size()) compress(false);
    const std::size_t taken = std::min(data.size(), buffer_.size() - buffered_);
    std::copy_n(data.begin(), taken, buffer_.begin() + static_cast<std::ptrdiff_t>(buffered_));
    buffered_ += taken;
    data = data.subspan(taken);
  }
}

void Blake2b::compress(bool last) {
  length_ += buffered_;
  std::array<std::uint64_t, 16> words, v;
  for (std::size_t i = 0; i < 16; ++i) words[i] = load_little_endian<std::uint64_t>(std::span(buffer_).subspan(8 * i));
  std::copy(state_.begin(), state_.end(), v.begin());
  std::copy(kInitial.begin(), kInitial.end(), v.begin() + 8);
  v[12] ^= length_;
  if (last) v[14] = ~v[14];
  for (std::size_t round = 0; round < 12; ++round) {
    const std::uint8_t* const order = kOrder[round % 10];
    for (std::size_t i = 0; i < 4; ++i)
      mix(v[i], v[4 + i], v[8 + i], v[12 + i], words[order[2 * i]], words[order[2 * i + 1]]);
    for (std::size_t i = 0; i < 4; ++i)
      mix(v[i], v[4 + (i + 1) % 4], v[8 + (i + 2) % 4], v[12 + (i + 3) % 4], words[order[8 + 2 * i]],
          words[order[9 + 2 * i]]);
  }
  for (std::size_t i = 0; i < 8; ++i) state_[i] ^= v[i] ^ v[8 + i];
  buffered_ = 0;
}

std::string Blake2b::finish() {
  std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(buffered_), buffer_.end(), std::byte{0});
  compress(true);
  std::array<std::byte, kDigestSize> bytes;
  for (std::size_t i = 0; i < kDigestSize; ++i)
    bytes[i] = static_cast<std::byte>(state_[i / 8] >> (8 * (i % 8)) & 0xff);
  return hexadecimal(bytes);
}

std::string digest(const Tensor& tensor) {
  Xxh3 hash;
  feed(hash, tensor);
  return kXxh3 + hash.finish();
}

std::string digest(const Json& document) {
  Xxh3 hash;
  feed(hash, document);
  return kXxh3 + hash.finish();
}

bool has_digest(const Tensor& tensor, const std::string& recorded) {
  if (recorded.starts_with(kXxh3)) return digest(tensor) == recorded;
  Blake2b hash;
  feed(hash, tensor);
  return hash.finish() == recorded;
}

}  // namespace h5bridge
