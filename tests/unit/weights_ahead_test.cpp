// What is read of a model while its engine is loaded.
#include "runner/weights_ahead.h"

#include <catch2/catch.hpp>

#include "model/handed_bytes.h"
#include "unit/random_tensors.h"

namespace h5bridge {
namespace {

using testing::random_tensor;

/// Bytes that cannot be read: a disk that fails.
class Unreadable final : public ByteSource {
 public:
  std::uint64_t size() const override { return 24; }

 protected:
  void read_range(std::uint64_t, std::span<std::byte>) const override { throw SystemFailure("the disk is gone"); }
};

const HandedBytes* handed(const Tensor& tensor) { return dynamic_cast<const HandedBytes*>(tensor.source().get()); }

}  // namespace

TEST_CASE("weights that are read ahead are the model's, row-major, in memory to be taken once") {
  Model model;
  const Tensor kernel = random_tensor(DType::Float32, {3, 5, 7});
  model.weights.add("kernel", kernel.permute(std::vector<std::int64_t>{2, 0, 1}));
  model.weights.add("tied", kernel.permute(std::vector<std::int64_t>{2, 0, 1}));
  model.weights.add("steps", random_tensor(DType::Int64, {}));
  model.weights.add("none", Tensor());
  const Model read = WeightsAhead(model).model();

  REQUIRE(read.weights.size() == model.weights.size());
  for (auto wanted = model.weights.begin(); const NamedTensor& found : read.weights) {
    CHECK(found.name == wanted->name);
    CHECK(bit_equal(found.tensor, wanted->tensor));
    CHECK(found.tensor.is_contiguous());
    ++wanted;
  }
  const Tensor& first = *read.weights.find("kernel");
  CHECK(read.weights.find("tied")->source() == first.source());
  const std::shared_ptr<std::byte> memory = handed(first)->take();
  REQUIRE(memory);
  CHECK(reinterpret_cast<std::uintptr_t>(memory.get()) % HandedBytes::kAlignment == 0);
  CHECK_FALSE(handed(first)->take());
}

TEST_CASE("weights that cannot be read ahead stay where they are, for who reads them to be told") {
  Model model;
  model.weights.add("lost", Tensor(DType::Float32, {2, 3}, std::make_shared<Unreadable>()));
  model.weights.add("there", random_tensor(DType::Float32, {2}));
  const Model read = WeightsAhead(model).model();
  CHECK(handed(*read.weights.find("there")));
  CHECK_THROWS_AS(read.weights.find("lost")->read(), SystemFailure);
}

TEST_CASE("reading ahead ends where nobody wants it") {
  Model model;
  for (int i = 0; i < 100; ++i) model.weights.add(std::to_string(i), random_tensor(DType::Float32, {100, 100}));
  const WeightsAhead unwanted(model);
}

}  // namespace h5bridge
