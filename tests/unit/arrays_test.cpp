#include "convert/arrays.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "convert/random_inputs.h"
#include "h5bridge/error.h"
#include "unit/temporary_folder.h"

using namespace h5bridge;

namespace {

using Port = Presentation::Port;

Port port(const std::string& name, SymbolicShape shape = {}, DType dtype = DType::Float32) {
  return {name, std::move(shape), dtype, {}};
}

std::vector<std::string> names_for(const std::vector<std::string>& given, const std::vector<Port>& ports) {
  std::vector<NamedTensor> arrays;
  for (const std::string& name : given) arrays.push_back({name, zeros(DType::Float32, {1})});
  std::vector<std::string> result;
  for (const NamedTensor& array : named_for(arrays, ports, "input")) result.push_back(array.name);
  return result;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("arrays: names") {
  const std::vector<Port> ports{port("a"), port("b"), port("arr_7")};
  CHECK(names_for({"b", "a"}, ports) == Names{"b", "a"});
  CHECK(names_for({"", ""}, ports) == Names{"a", "b"});
  CHECK(names_for({"arr_0", "a"}, ports) == Names{"b", "a"});
  CHECK(names_for({"arr_7", ""}, ports) == Names{"arr_7", "a"});
  CHECK_THROWS_WITH(names_for({"c"}, ports), "the model has no input \"c\", only \"a\", \"b\", \"arr_7\"");
  CHECK_THROWS_WITH(names_for({"a", "a"}, ports), "input \"a\" is given twice");
  CHECK_THROWS_WITH(names_for({"", "", "", ""}, ports), "there are more arrays than inputs: \"a\", \"b\", \"arr_7\"");
}

TEST_CASE("arrays: files written are read back") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> arrays{{"x", tensor_of<float>(DType::Float32, {2}, {1, 2})},
                                        {"y", tensor_of<std::int32_t>(DType::Int32, {1}, {3})}};
  write_arrays(arrays, folder / "both.npz");
  const auto both = read_arrays({folder / "both.npz"});
  REQUIRE(both.size() == 2);
  CHECK(both[1].name == "y");
  CHECK(bit_equal(both[1].tensor, arrays[1].tensor));

  write_arrays({{"", cast(arrays[0].tensor, DType::BFloat16)}}, folder / "one.npy");
  const auto one = read_arrays({folder / "one.npy"});
  CHECK(one[0].name.empty());
  CHECK(bit_equal(one[0].tensor, arrays[0].tensor));  // NumPy has no bfloat16
  CHECK(read_arrays({"name=" + folder / "one.npy"})[0].name == "name");

  CHECK_THROWS_AS(write_arrays(arrays, folder / "both.npy"), UsageError);
  CHECK_THROWS_AS(write_arrays(arrays, folder / "both.txt"), UsageError);
  CHECK_THROWS_AS(read_arrays({"name=" + folder / "both.npz"}), UsageError);
  std::ofstream(folder / "noise.npy") << "noise";
  CHECK_THROWS_AS(read_arrays({folder / "noise.npy"}), MalformedFile);
  CHECK_THROWS_AS(read_arrays({folder / "absent.npy"}), SystemFailure);
}

TEST_CASE("random inputs: shapes, seeds and integers") {
  const Architecture architecture{};
  Presentation looks;
  const Size batch = Size::symbol("batch");
  const Size length = Size::symbol("length");
  looks.inputs = {port("x", {batch, 3, length}), port("mask", {batch, length}, DType::Bool),
                  port("ids", {batch, length * 2}, DType::Int32)};
  const auto made = [&](std::uint64_t seed) {
    return random_inputs(architecture, looks, {.rows = 5, .seed = seed, .shapes = {{"mask", {5, 7}}}});
  };
  const auto inputs = made(1);
  CHECK(inputs[0].tensor.shape() == Shape{5, 3, 7});
  CHECK(inputs[1].tensor.dtype() == DType::Bool);
  CHECK(inputs[2].tensor.shape() == Shape{5, 14});
  for (const std::int32_t id : inputs[2].tensor.values<std::int32_t>()) CHECK((id >= 1 && id < 10));
  CHECK(bit_equal(inputs[0].tensor, made(1)[0].tensor));
  CHECK_FALSE(bit_equal(inputs[0].tensor, made(2)[0].tensor));
  CHECK_THROWS_AS(random_inputs(architecture, looks, {.shapes = {{"z", {1}}}}), UsageError);
  CHECK_THROWS_AS(random_inputs(architecture, looks, {.shapes = {{"x", {1, 4, 7}}}}), UsageError);
}
