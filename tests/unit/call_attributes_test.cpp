// Settings of a call: what a further call of a layer may have in place of the layer's own attributes, and how JSON says
// it; and lists of inputs that are refused.
#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"
#include "passes/network_difference.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

// One layer, called twice; what its calls have.
Json document(const std::string& of_layer, const std::string& of_second, int version = 2) {
  return Json::parse(R"({"h5bridge": )" + std::to_string(version) + R"(, "name": "twice",
          "inputs": [{"name": "x", "shape": ["batch", 5, 4], "dtype": "float32"}],
          "layers": [{"name": "a", "type": "Attention")" +
                     (of_layer.empty() ? "" : R"(, "attributes": )" + of_layer) + R"(, "inputs": ["x", "x"]},
                     {"name": "b", "call": "a")" +
                     (of_second.empty() ? "" : R"(, "attributes": )" + of_second) + R"(, "inputs": ["a", "x"]}],
          "outputs": ["b"]})");
}

Architecture read(const std::string& of_layer, const std::string& of_second) {
  return architecture_from_json(document(of_layer, of_second));
}

const std::string kCausal = R"({"use_causal_mask": true})";
const std::string kPlain = R"({"use_causal_mask": false})";

bool is_causal(const Architecture& architecture, std::size_t node) {
  return ArchitectureIndex(architecture).layer_of(architecture.nodes.at(node)).attributes.boolean("use_causal_mask");
}

void refuses(const std::string& of_second, const std::string& message) {
  CHECK_THROWS_AS(read("", of_second), MalformedFile);
  CHECK_THROWS_WITH(read("", of_second), "layer \"a\" (Attention), called by \"b\": " + message);
}

}  // namespace

TEST_CASE("a further call has settings of its own, or the layer's") {
  const Architecture own = read("", kCausal);
  CHECK_FALSE(is_causal(own, 0));
  CHECK(is_causal(own, 1));
  CHECK(architecture_to_json(own) == document("", kCausal));

  const Architecture other = read(kCausal, kPlain);
  CHECK(is_causal(other, 0));
  CHECK_FALSE(is_causal(other, 1));
  CHECK(architecture_to_json(other) == document(kCausal, kPlain));

  // As the first version has it.
  const Architecture none = read(kCausal, "");
  CHECK(is_causal(none, 1));
  CHECK(architecture_to_json(none) == document(kCausal, "", 1));
  CHECK(read(kCausal, kCausal) == none);
}

TEST_CASE("the shapes of a call are those of its own settings") {
  const Architecture architecture = read("", R"({"return_attention_scores": true})");
  const Shapes shapes = infer_shapes(architecture);
  CHECK(shapes.outputs_of("a").size() == 1);
  REQUIRE(shapes.outputs_of("b").size() == 2);
  CHECK(shapes.of({"b", 1}) == batch_of({5, 5}));
}

TEST_CASE("what is no setting of a call is refused") {
  refuses(R"({"use_scale": true})", "attribute \"use_scale\" of Attention is the layer's, and no call's");
  refuses(R"({"wobble": 1})", "Attention has no attribute \"wobble\"");
  refuses(R"({"use_causal_mask": 1})", "attribute \"use_causal_mask\": expected a boolean, found an integer");
}

TEST_CASE("settings of a call that a program made are checked") {
  Architecture architecture = read("", kCausal);
  CHECK(with_all_attributes(architecture) == architecture);
  architecture.nodes.at(1).attributes.set("use_scale", true);
  CHECK_THROWS_AS(with_all_attributes(architecture), UsageError);
  CHECK_THROWS_WITH(with_all_attributes(architecture),
                    "layer \"a\" (Attention), called by \"b\": attribute \"use_scale\" of Attention is the layer's, "
                    "and no call's");
}

TEST_CASE("a first call with settings of its own defines the layer by them in JSON") {
  Architecture architecture = read("", "");
  architecture.nodes.at(0).attributes.set("use_causal_mask", true);
  CHECK(architecture_to_json(architecture) == document(kCausal, kPlain));
}

TEST_CASE("networks whose calls have other settings are not the same") {
  const auto differences = network_differences(read(kCausal, ""), read(kCausal, kPlain));
  REQUIRE(differences.size() == 1);
  CHECK(differences[0].certainty == Certainty::Certain);
  CHECK(differences[0].text == "layer \"a\" has use_causal_mask false here, true there");
  CHECK(network_differences(read("", kCausal), read("", kCausal)).empty());
}

TEST_CASE("a list in which a value is left out, and a list for one value, are refused") {
  Architecture joined =
      ArchitectureBuilder(batch_of({5, 4})).layer("c", "cat", {{"dim", 1}}, {"x", "x"}).layer("a", "Tanh").build();
  check_graph(joined);
  joined.nodes.at(0).arguments = {Node::List{Value{"x"}, std::nullopt}};
  CHECK_THROWS_AS(check_graph(joined), MalformedFile);
  CHECK_THROWS_WITH(check_graph(joined),
                    "layer \"c\" (cat) has a list in which one is left out as its input \"tensors\", expected values");

  joined.nodes.at(0).arguments = {Node::List{Value{"x"}}};
  joined.nodes.at(1).arguments = {Node::List{Value{"c"}}};
  CHECK_THROWS_WITH(check_graph(joined), "layer \"a\" (Tanh) has a list as its input \"input\", expected one value");
}

TEST_CASE("JSON has no list for an input that is given by name") {
  const Json json = Json::parse(
      R"({"h5bridge": 2, "inputs": [{"name": "x", "shape": ["batch", 5, 4]}, {"name": "m", "shape": ["batch", 5]}],
          "layers": [{"name": "a", "type": "Attention", "inputs": ["x", "x"], "named_inputs": {"query_mask": ["m"]}}],
          "outputs": ["a"]})");
  CHECK_THROWS_AS(architecture_from_json(json), MalformedFile);
  CHECK_THROWS_WITH(architecture_from_json(json), Catch::Matchers::Contains("expected a string, found an array"));
}

}  // namespace h5bridge::testing
