#include "model/strided_copy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace h5bridge {
namespace {

// A tile is as many elements wide and high as its rows and columns stay in the caches and the pages that a processor
// remembers; a block within it fills lines of the cache on both sides.
constexpr std::int64_t kTileColumns = 128;
constexpr std::int64_t kTileRows = 64;
constexpr std::int64_t kBlock = 16;
constexpr std::size_t kLongestRun = std::size_t{1} << 16;

template <std::size_t ElementSize>
struct Element {
  std::array<std::byte, ElementSize> bytes;
};

/// Element i of column j goes to place j of row i: `columns` columns that lie `stride` elements apart, to the places
/// `rows` after `to`.
template <typename T>
void transpose_some(const T* from, std::int64_t stride, std::int64_t columns, std::span<const std::int64_t> rows,
                    T* to) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      std::memcpy(to + rows[i] + j, from + j * stride + static_cast<std::int64_t>(i), sizeof(T));
}

template <typename T>
void transpose_block(const T* from, std::int64_t stride, const std::int64_t* rows, T* to) {
  transpose_some(from, stride, kBlock, std::span(rows, kBlock), to);
}

using Float = Element<4>;
using Four = std::uint32_t __attribute__((vector_size(16)));

Four load_four(const Float* from) {
  Four value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// Four columns of four 4-byte elements, in registers.
void transpose_four(const Float* from, std::int64_t stride, const std::int64_t* rows, Float* to) {
  const Four a = load_four(from), b = load_four(from + stride);
  const Four c = load_four(from + 2 * stride), d = load_four(from + 3 * stride);
  const Four low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const std::array<Four, 4> transposed{
      __builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5), __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7),
      __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5), __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7)};
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(to + rows[i], &transposed[i], sizeof(Four));
}

template <>
void transpose_block(const Float* from, std::int64_t stride, const std::int64_t* rows, Float* to) {
  for (std::int64_t i = 0; i < kBlock; i += 4)
    for (std::int64_t j = 0; j < kBlock; j += 4) transpose_four(from + j * stride + i, stride, rows + i, to + j);
}

template <typename T>
void transpose_tile(const T* from, std::int64_t stride, std::int64_t columns, std::span<const std::int64_t> rows,
                    T* to) {
  const auto block = static_cast<std::size_t>(kBlock);
  for (std::size_t i = 0; i < rows.size(); i += block) {
    const std::span<const std::int64_t> some = rows.subspan(i, std::min(block, rows.size() - i));
    const T* const start = from + static_cast<std::int64_t>(i);
    std::int64_t j = 0;
    if (some.size() == block)
      for (; j + kBlock <= columns; j += kBlock) transpose_block(start + j * stride, stride, some.data(), to + j);
    transpose_some(start + j * stride, stride, columns - j, some, to + j);
  }
}

template <typename T>
void transpose(const T* from, std::int64_t stride, std::int64_t columns, std::span<const std::int64_t> rows, T* to) {
  const auto tile = static_cast<std::size_t>(kTileRows);
  for (std::int64_t j = 0; j < columns; j += kTileColumns)
    for (std::size_t i = 0; i < rows.size(); i += tile)
      transpose_tile(from + j * stride + static_cast<std::int64_t>(i), stride, std::min(kTileColumns, columns - j),
                     rows.subspan(i, std::min(tile, rows.size() - i)), to + j);
}

/// The axes that are neither along what is written as one run nor along what is read as one.
template <typename Inner>
void for_each_of(std::span<const Axis> axes, std::int64_t from, std::int64_t to, const Inner& inner) {
  if (axes.empty()) return inner(from, to);
  for (std::int64_t i = 0; i < axes.front().extent; ++i)
    for_each_of(axes.subspan(1), from + i * axes.front().from_stride, to + i * axes.front().to_stride, inner);
}

/// Takes the axes that are read as one run out of `axes`, which are sorted by it; where the run's elements go.
std::vector<std::int64_t> take_run(std::vector<Axis>& axes) {
  std::vector<std::int64_t> places{0};
  while (!axes.empty() && axes.back().from_stride == static_cast<std::int64_t>(places.size()) &&
         static_cast<std::size_t>(axes.back().extent) <= kLongestRun / places.size()) {
    const std::size_t before = places.size();
    for (std::int64_t i = 1; i < axes.back().extent; ++i)
      for (std::size_t j = 0; j < before; ++j) places.push_back(places[j] + i * axes.back().to_stride);
    axes.pop_back();
  }
  return places;
}

template <std::size_t ElementSize>
void copy(std::span<const Axis> all, const std::byte* from_bytes, std::byte* to_bytes) {
  using T = Element<ElementSize>;
  const T* const from = reinterpret_cast<const T*>(from_bytes);
  T* const to = reinterpret_cast<T*>(to_bytes);
  std::vector<Axis> axes(all.begin(), all.end());
  const auto nearest = std::ranges::min_element(axes, {}, &Axis::to_stride);
  const Axis written = nearest == axes.end() ? Axis{1, 1, 1} : *nearest;
  if (nearest != axes.end()) axes.erase(nearest);
  std::ranges::sort(axes, std::greater(), &Axis::to_stride);
  if (written.from_stride == 1 && written.to_stride == 1)
    return for_each_of(axes, 0, 0, [&](std::int64_t source, std::int64_t target) {
      std::memcpy(to + target, from + source, static_cast<std::size_t>(written.extent) * ElementSize);
    });
  if (written.to_stride != 1) {
    axes.push_back(written);
    return for_each_of(axes, 0, 0, [&](std::int64_t source, std::int64_t target) { to[target] = from[source]; });
  }
  std::ranges::sort(axes, std::greater(), &Axis::from_stride);
  const std::vector<std::int64_t> rows = take_run(axes);
  for_each_of(axes, 0, 0, [&](std::int64_t source, std::int64_t target) {
    transpose<T>(from + source, written.from_stride, written.extent, rows, to + target);
  });
}

}  // namespace

void strided_copy(std::span<const Axis> axes, std::size_t element_size, const std::byte* from, std::byte* to) {
  switch (element_size) {
    case 1: return copy<1>(axes, from, to);
    case 2: return copy<2>(axes, from, to);
    case 4: return copy<4>(axes, from, to);
    case 8: return copy<8>(axes, from, to);
    case 16: return copy<16>(axes, from, to);
    default: throw std::logic_error("no element type has " + std::to_string(element_size) + " bytes");
  }
}

}  // namespace h5bridge
