// Tensors that are written while others are read.
#include "files/data_writer.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <random>

#include "files/blocks.h"
#include "files/read_ahead.h"
#include "h5bridge/error.h"
#include "random_tensors.h"
#include "temporary_folder.h"

using namespace h5bridge;
using namespace h5bridge::testing;
using Catch::Matchers::Message;

namespace {

void make_empty(const std::string& path) { std::ofstream(path, std::ios::binary); }

/// A source that cannot be read.
class Broken final : public ByteSource {
 public:
  std::uint64_t size() const override { return 400; }

 protected:
  void read_range(std::uint64_t, std::span<std::byte>) const override { throw MalformedFile("it is gone"); }
};

std::vector<std::byte> joined_parts(const Tensor& tensor, std::uint64_t largest) {
  std::vector<std::byte> bytes;
  for_each_part(tensor, largest, [&](const Tensor& part) {
    CHECK(part.byte_count() <= std::max<std::uint64_t>(largest, size_of(tensor.dtype())));
    const std::vector<std::byte> more = part.read();
    bytes.insert(bytes.end(), more.begin(), more.end());
  });
  return bytes;
}

}  // namespace

TEST_CASE("the parts of a tensor are its elements in order", "[data_writer]") {
  const Tensor tensor = counting_tensor({3, 1, 5, 7, 2});
  const Tensor turned = tensor.permute(Shape{4, 2, 0, 1, 3});
  for (const std::uint64_t largest : {1, 4, 8, 28, 60, 100, 420, 10000}) {
    CHECK(joined_parts(tensor, largest) == tensor.read());
    CHECK(joined_parts(turned, largest) == turned.read());
  }
  CHECK(joined_parts(counting_tensor({}), 4) == counting_tensor({}).read());
  CHECK(joined_parts(counting_tensor({0, 3}), 4).empty());
}

TEST_CASE("tensors of all sizes arrive at their places", "[data_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "data";
  make_empty(path);
  std::map<std::uint64_t, Tensor> placed;
  std::uint64_t place = 0;
  for (int i = 0; i < 200; ++i) {
    const Tensor tensor = random_tensor(DType::Int16, {i % 7 + 1, 11, i});
    placed.emplace(place, i % 2 == 0 ? tensor : tensor.permute(Shape{2, 0, 1}));
    place += tensor.byte_count() + 5;
  }
  placed.emplace(place, random_tensor(DType::Float32, {2000, 3001}).permute(Shape{1, 0}));  // of several blocks
  {
    DataWriter writer(path, 3);
    for (const auto& [at, tensor] : placed) writer.write(tensor, at);
    writer.finish();
  }
  const ByteSourcePtr written = open_file(path);
  for (const auto& [at, tensor] : placed) {
    std::vector<std::byte> bytes(tensor.byte_count());
    written->read_at(at + 3, bytes);
    CHECK(bytes == tensor.read());
  }
}

TEST_CASE("tensors are read ahead, one behind the other", "[data_writer]") {
  std::vector<Tensor> tensors;
  std::vector<std::byte> expected;
  for (int i = 0; i < 300; ++i) {
    const Tensor tensor = random_tensor(DType::Int16, {i % 7 + 1, 11, i});
    tensors.push_back(i % 2 == 0 ? tensor : tensor.permute(Shape{2, 0, 1}));
  }
  tensors.push_back(random_tensor(DType::Float32, {2000, 3001}).permute(Shape{1, 0}));  // of several blocks
  tensors.push_back(random_tensor(DType::Bool, {3}));
  for (const Tensor& tensor : tensors) {
    const std::vector<std::byte> bytes = tensor.read();
    expected.insert(expected.end(), bytes.begin(), bytes.end());
  }
  ReadAhead ahead(tensors);
  std::vector<std::byte> read;
  const auto sink = [&](std::span<const std::byte> bytes) { read.insert(read.end(), bytes.begin(), bytes.end()); };
  for (const Tensor& tensor : tensors) ahead.pass(tensor.byte_count(), sink);
  CHECK(read == expected);
  CHECK_THROWS_AS(ahead.pass(1, sink), std::logic_error);

  ReadAhead left_early(tensors);
  left_early.pass(7, sink);
  ReadAhead broken({tensors[0], tensors[5], Tensor(DType::Float32, {100}, std::make_shared<Broken>())});
  CHECK_THROWS_MATCHES(broken.pass(1'000'000, sink), MalformedFile, Message("it is gone"));
}

TEST_CASE("what goes wrong with a tensor is thrown at the end", "[data_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "data";
  make_empty(path);
  for (const int large : {0, 5}) {
    DataWriter writer(path, 0);
    for (int i = 0; i < large; ++i) writer.write(random_tensor(DType::UInt8, {2'000'000}), 4'000'000);
    writer.write(Tensor(DType::Float32, {100}, std::make_shared<Broken>()), 0);
    for (int i = 0; i < large; ++i) writer.write(random_tensor(DType::UInt8, {2'000'000}), 4'000'000);
    CHECK_THROWS_MATCHES(writer.finish(), MalformedFile, Message("it is gone"));
  }
  CHECK_THROWS_AS(DataWriter(folder / "none", 0), SystemFailure);
}
