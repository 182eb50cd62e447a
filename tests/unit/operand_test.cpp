#include "facets/spec/operand.h"

#include <catch2/catch.hpp>

#include "h5bridge/error.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

const Value x{"x"}, y{"y"}, z{"z"}, m{"m", 1};

/// Both ways: a call as Python writes it, and its arguments.
void check_both_ways(const std::vector<Operand>& operands, const PlainCall& call,
                     const std::vector<Node::Argument>& arguments, const Attributes& attributes = {}) {
  CHECK(arguments_of(operands, attributes, call) == arguments);
  const PlainCall back = plain_call(operands, attributes, arguments);
  CHECK(back.inputs == call.inputs);
  CHECK(back.named == call.named);
}

}  // namespace

TEST_CASE("a call has an argument for each operand") {
  const std::vector<Operand> layer_norm{required("input"), optional("weight"), optional("bias")};
  check_both_ways(layer_norm, {{x}}, {x});
  check_both_ways(layer_norm, {{x, y}}, {x, y});
  check_both_ways(layer_norm, {{x, y, z}}, {x, y, z});
  check_both_ways(layer_norm, {{x}, {{"bias", z}}}, {x, {}, z});
  CHECK(arguments_of(layer_norm, {}, {{x}, {{"weight", y}}}) == arguments_of(layer_norm, {}, {{x, y}}));

  const std::vector<Operand> lstm{required("input"), list("hx", 0, 2), by_name("mask")};
  check_both_ways(lstm, {{x, y, z}}, {x, Node::List{y, z}});
  check_both_ways(lstm, {{x}, {{"mask", m}}}, {x, {}, m});
  check_both_ways(lstm, {{x, y}, {{"mask", m}}}, {x, Node::List{y}, m});

  check_both_ways({list("tensors")}, {{x, y, z}}, {Node::List{x, y, z}});
  check_both_ways({}, {}, {});
}

TEST_CASE("an attribute in place of an operand moves the others up") {
  const std::vector<Operand> where{required("condition"), or_attribute(required("self"), "self"),
                                   or_attribute(required("other"), "other")};
  Attributes number;
  number.set("self", 7.0);
  number.set("other", {});
  check_both_ways(where, {{x, y}}, {x, {}, y}, number);
  check_both_ways(where, {{x, y, z}}, {x, y, z});
}

TEST_CASE("values that no operand is left for stay, for check_graph to refuse") {
  const std::vector<Operand> relu{required("input")};
  check_both_ways(relu, {{x, y}}, {x, y});
  CHECK(wrong_arguments(relu, {x, y}) == "has 2 inputs, expected 1");
  CHECK(wrong_arguments({by_name("mask")}, arguments_of({by_name("mask")}, {}, {{x}})) == "has 1 input, expected 0");
}

TEST_CASE("arguments that do not fit are told with the names of those wanted") {
  const std::vector<Operand> linear{required("input"), required("weight"), optional("bias")};
  CHECK(wrong_arguments(linear, {x, y}).empty());
  CHECK(wrong_arguments(linear, {x, y, z}).empty());
  CHECK(wrong_arguments(linear, {x}) == "has 1 input, expected at least 2: input, weight, bias (may be left out)");
  CHECK(wrong_arguments(linear, {x, {}, z}) == "has no input \"weight\"");
  CHECK(wrong_arguments(linear, {Node::List{x, y}, y}) == "has a list as its input \"input\", expected one value");
  const std::vector<Operand> joined{list("tensors", 1, 2)};
  CHECK(wrong_arguments(joined, {Node::List{x, y, z}}) == "has 3 inputs, expected at least 1: tensors (a list)");
  CHECK_THROWS_WITH(arguments_of(linear, {}, {{x, y}, {{"gain", z}}}), "takes no input by the name \"gain\"");
  CHECK_THROWS_WITH(arguments_of(linear, {}, {{x, y}, {{"weight", z}}}),
                    "has its input \"weight\" twice, in order and by name");
}

TEST_CASE("a list has values alone: one in which any is left out is refused") {
  const std::vector<Operand> indices{required("input"), list("indices")};
  CHECK(wrong_arguments(indices, {x, Node::List{std::nullopt, y}}) ==
        "has a list in which one is left out as its input \"indices\", expected values");
  CHECK(to_string(indices) == "input, indices (a list)");
  const Node node{"taken", "taken", {x, Node::List{std::nullopt, y}}};
  CHECK(node.values() == std::vector{x, y});
}

TEST_CASE("every sample's call is the same after a turn through its operands") {
  for_each_sample([](const SampleCase& each) {
    const Architecture architecture = each.architecture();
    const Node& node = architecture.nodes.at(0);
    const Layer& layer = architecture.layers.at(0);
    CHECK(node_of(node.name, layer, plain_call(layer, node)) == node);
    CHECK(wrong_arguments(each.type.operands, node.arguments).empty());
    if (!each.type.operands.empty()) CHECK(node.values().size() == each.sample.inputs.size());
  });
}

}  // namespace h5bridge::testing
