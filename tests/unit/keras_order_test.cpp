// The order of layers is Keras's own: the expected ones were printed by keras.Model(...).layers.
#include <catch2/catch.hpp>

#include "keras/layer_order.h"
#include "keras/plan.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

using Order = std::vector<std::size_t>;

TEST_CASE("layers stand by their distance from the outputs") {
  SECTION("a chain") { CHECK(keras_order({{{}}, {{{0, 0}}}, {{{1, 0}}}}, {{2, 0}}) == Order{0, 1, 2}); }
  SECTION("a residual whose side branch is shorter: in, a, b, side, add") {
    const KerasGraph graph{{{}}, {{{0, 0}}}, {{{1, 0}}}, {{{0, 0}}}, {{{2, 0}, {3, 0}}}};
    CHECK(keras_order(graph, {{4, 0}}) == Order{0, 1, 2, 3, 4});
    SECTION("listed in another order") {
      const KerasGraph shuffled{{{}}, {{{0, 0}}}, {{{0, 0}}}, {{{2, 0}}}, {{{3, 0}, {1, 0}}}};
      CHECK(keras_order(shuffled, {{4, 0}}) == Order{0, 2, 3, 1, 4});
    }
    SECTION("with the branches' inputs exchanged") {
      const KerasGraph exchanged{{{}}, {{{0, 0}}}, {{{1, 0}}}, {{{0, 0}}}, {{{3, 0}, {2, 0}}}};
      CHECK(keras_order(exchanged, {{4, 0}}) == Order{0, 1, 3, 2, 4});
    }
  }
  SECTION("outputs count in their order: in, a, b; b is the first output") {
    CHECK(keras_order({{{}}, {{{0, 0}}}, {{{0, 0}}}}, {{2, 0}, {1, 0}}) == Order{0, 2, 1});
  }
  SECTION("an input that joins late stands late") {
    const KerasGraph graph{{{}}, {{}}, {{{0, 0}}}, {{{2, 0}, {1, 0}}}};
    CHECK(keras_order(graph, {{3, 0}}) == Order{0, 2, 1, 3});
  }
  SECTION("a layer that is called twice stands where it is deepest: in, fc, relu, fc again") {
    CHECK(keras_order({{{}}, {{{0, 0}}, {{2, 0}}}, {{{1, 0}}}}, {{1, 1}}) == Order{0, 1, 2});
  }
  SECTION("what no output depends on is not lost") {
    CHECK(keras_order({{{}}, {{{0, 0}}}, {{}}}, {{1, 0}}) == Order{0, 2, 1});
  }
  SECTION("a very long chain") {
    KerasGraph graph{{{}}};
    for (std::size_t i = 0; i < 200000; ++i) graph.push_back({{{i, 0}}});
    CHECK(keras_order(graph, {{200000, 0}}).back() == 200000);
  }
}

TEST_CASE("a plan lists the layers in Keras's order and leaves out what leads nowhere") {
  const Json::Object linear{{"in_features", 4}, {"out_features", 4}};
  const Architecture architecture = ArchitectureBuilder(batch_of({4}))
                                        .layer("side", "Linear", linear, {"x"})
                                        .layer("unused", "Linear", linear, {"x"})
                                        .layer("first", "Linear", linear, {"x"})
                                        .layer("second", "Linear", linear)
                                        .layer("sum", "add", {}, {"second", "side"})
                                        .build();
  const KerasPlan plan = plan_keras(architecture);
  CHECK(plan.layer_names == std::vector<std::string>{"x", "first", "second", "side", "sum"});
  std::vector<std::string> bound;
  for (const KerasBinding& binding : plan.bindings)
    if (bound.empty() || bound.back() != binding.layer) bound.push_back(binding.layer);
  CHECK(bound == std::vector<std::string>{"first", "second", "side"});
}

}  // namespace
}  // namespace h5bridge::testing
