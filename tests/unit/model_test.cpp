// Look-ups in attributes, architectures and weights.
#include "h5bridge/model.h"

#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>

#include "h5bridge/error.h"

using namespace h5bridge;
using Catch::Matchers::Message;

TEST_CASE("attributes are typed", "[model]") {
  Attributes attributes;
  attributes.set("stride", std::vector<std::int64_t>{2, 2});
  attributes.set("bias", true);
  attributes.set("epsilon", 1e-3);
  attributes.set("bias", false);
  attributes.set("limit", AttributeValue());
  CHECK(attributes.integers("stride") == std::vector<std::int64_t>{2, 2});
  CHECK_FALSE(attributes.boolean("bias"));
  CHECK(attributes.number("epsilon") == 1e-3);
  CHECK(attributes.is_none("limit"));
  CHECK_FALSE(attributes.is_none("bias"));
  CHECK(attributes.contains("limit"));
  CHECK_FALSE(attributes.contains("padding"));
  CHECK(std::distance(attributes.begin(), attributes.end()) == 4);
  CHECK_THROWS_MATCHES(attributes.at("padding"), UsageError, Message("no attribute 'padding' is set"));
  CHECK_THROWS_MATCHES(attributes.text("bias"), UsageError,
                       Message("attribute 'bias' is set with a value of another kind"));
}

TEST_CASE("an architecture finds what it names", "[model]") {
  Architecture architecture;
  architecture.inputs = {{"x", {Size::symbol("batch"), 3}, DType::Float32}};
  architecture.layers = {{"fc", "Linear", {}, {}}, {"relu", "relu", {}, {}}};
  architecture.nodes = {{"fc", "fc", {Value{"x"}}}, {"fc_1", "fc", {Value{"fc"}}}, {"lost", "gone", {}}};
  CHECK(architecture.find_layer("relu") == &architecture.layers[1]);
  CHECK(architecture.find_layer("x") == nullptr);
  CHECK(architecture.find_input("x") == &architecture.inputs[0]);
  CHECK(architecture.find_node("fc_1") == &architecture.nodes[1]);
  CHECK(architecture.find_node("relu") == nullptr);
  CHECK(&architecture.layer_of(architecture.nodes[1]) == &architecture.layers[0]);
  CHECK_THROWS_MATCHES(architecture.layer_of(architecture.nodes[2]), MalformedFile,
                       Message("node 'lost' calls the layer 'gone', which does not exist"));
  Architecture copy = architecture;
  CHECK(copy == architecture);
  copy.find_layer("fc")->attributes.set("bias", true);
  CHECK_FALSE(copy == architecture);
}

TEST_CASE("weights keep order and have unique names", "[model]") {
  Weights weights;
  weights.add("b", zeros(DType::Float32, {2}));
  weights.add("a", zeros(DType::Float32, {3}));
  weights.set("b", zeros(DType::Float32, {4}));
  weights.set("c", zeros(DType::Float32, {5}));
  std::vector<std::string> names;
  for (const NamedTensor& tensor : weights) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"b", "a", "c"});
  CHECK(weights.find("b")->shape() == Shape{4});
  CHECK(weights.find("d") == nullptr);
  CHECK(weights.size() == 3);
  CHECK_THROWS_MATCHES(weights.add("a", Tensor()), MalformedFile, Message("two tensors are called 'a'"));
}

TEST_CASE("unique_name counts up", "[model]") {
  const std::set<std::string> taken{"relu", "relu_1"};
  const auto is_taken = [&](const std::string& name) { return taken.contains(name); };
  CHECK(unique_name("relu", is_taken) == "relu_2");
  CHECK(unique_name("tanh", is_taken) == "tanh");
}
