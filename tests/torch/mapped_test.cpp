// Tensors of mapped files are used where they lie, if LibTorch's own would lie so.
#include <filesystem>
#include <fstream>

#include "facets/libtorch/tensors.h"
#include "model/mapped_file.h"
#include "torch/catch.h"

using namespace h5bridge;

namespace {

constexpr std::size_t kNumbers = 64;

struct Written {
  std::string path = (std::filesystem::temp_directory_path() / "h5bridge_mapped_test").string();
  Written() {
    std::vector<float> numbers(kNumbers);
    for (std::size_t i = 0; i < kNumbers; ++i) numbers[i] = static_cast<float>(i);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(numbers.data()), kNumbers * sizeof(float));
  }
  ~Written() { std::filesystem::remove(path); }
};

// Whether a tensor's memory is the file's, as the system has it.
bool lies_in(const torch::Tensor& tensor, const Written& file) {
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (!line.ends_with(file.path)) continue;
    std::size_t dash = 0;
    const std::uintptr_t first = std::stoull(line, &dash, 16), last = std::stoull(line.substr(dash + 1), nullptr, 16);
    if (begin >= first && begin < last) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("aligned and contiguous tensors of a mapped file are used in place", "[mapped]") {
  const Written file;
  const ByteSourcePtr bytes = map_file(file.path);
  const Tensor all(DType::Float32, {4, 16}, bytes);
  CHECK(lies_in(to_torch(all), file));
  CHECK(lies_in(to_torch(all.slice(0, 1, 3)), file));  // 64 bytes a row
  CHECK(lies_in(to_torch(Tensor(DType::Float32, {16}, part_of(bytes, 64, 64))), file));
  // Others are read.
  CHECK_FALSE(lies_in(to_torch(all.slice(1, 1, 16)), file));
  CHECK_FALSE(lies_in(to_torch(Tensor(DType::Float32, {16}, part_of(bytes, 4, 64))), file));
  const std::vector<std::int64_t> turned{1, 0};
  const torch::Tensor transposed = to_torch(all.permute(turned));
  CHECK_FALSE(lies_in(transposed, file));
  CHECK(transposed.equal(torch::arange(64, torch::kFloat32).reshape({4, 16}).t()));
}

TEST_CASE("what is written to a mapped tensor stays out of the file, which outlives its other users", "[mapped]") {
  const Written file;
  torch::Tensor tensor;
  {
    const ByteSourcePtr bytes = map_file(file.path);
    tensor = to_torch(Tensor(DType::Float32, {kNumbers}, bytes));
  }
  tensor.zero_();
  CHECK(tensor.sum().item<float>() == 0);
  CHECK(open_file(file.path)->size() == kNumbers * sizeof(float));
  const Tensor again(DType::Float32, {kNumbers}, open_file(file.path));
  CHECK(again.values<float>()[5] == 5);
}

TEST_CASE("what is written to one tensor of a mapped file is no other's", "[mapped]") {
  const Written file;
  const Tensor all(DType::Float32, {kNumbers}, map_file(file.path));
  torch::Tensor first = to_torch(all), second = to_torch(all);
  REQUIRE(lies_in(first, file));
  first.zero_();
  CHECK(second.equal(torch::arange(64, torch::kFloat32)));
  CHECK(all.values<float>()[3] == 3);
}
