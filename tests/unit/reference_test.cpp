// What a model was seen to give, as files hold it.
#include "convert/reference.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Message;

namespace {

Reference some_reference() {
  Reference reference;
  reference.by = "somebody";
  reference.dtype = DType::Float16;
  reference.inputs = {{"x", tensor_of<float>(DType::Float32, {2, 1}, {1, 2})},
                      {"y", tensor_of<float>(DType::Float32, {2}, {3, 4})}};
  reference.outputs = {{"output", tensor_of<float>(DType::Float32, {2}, {5, 6})}};
  reference.layers = {{"fc", {0.5, 0.5, 1}}};
  return reference;
}

}  // namespace

TEST_CASE("a reference goes into a file's part of ours and comes back", "[reference]") {
  const Reference reference = some_reference();
  std::vector<NamedTensor> tensors;
  const Reference again = reference_from_json(reference_to_json(reference, tensors), tensors);
  CHECK(again.by == reference.by);
  CHECK(again.dtype == reference.dtype);
  CHECK(again.layers == reference.layers);
  REQUIRE(again.inputs.size() == 2);
  CHECK(again.inputs[1].name == "y");
  CHECK(again.inputs[1].tensor == reference.inputs[1].tensor);
  CHECK(again.outputs.at(0).tensor == reference.outputs[0].tensor);
}

TEST_CASE("a reference whose arrays are gone is refused", "[reference]") {
  std::vector<NamedTensor> tensors;
  const Json json = reference_to_json(some_reference(), tensors);
  tensors.erase(tensors.begin());
  CHECK_THROWS_MATCHES(reference_from_json(json, tensors), MalformedFile,
                       Message("/h5bridge/tensors: reference/inputs/0 is missing"));
}

TEST_CASE("what has no reference, or no architecture, says so", "[reference]") {
  CHECK_THROWS_AS(replay(Model(), {}, {}), UsageError);
  CHECK_THROWS_AS(random_reference(Model(), {}, {}), UsageError);
}
