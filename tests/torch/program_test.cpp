// Steps over slots, with layers made by hand.
#include "runtime/program.h"

#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {

TEST_CASE("a call with inputs by name is told the open sizes, that of a named input among them") {
  Architecture architecture;
  architecture.inputs = {{"x", {Size::symbol("batch"), 3}}, {"mask", {Size::symbol("batch"), Size::symbol("steps")}}};
  architecture.layers = {{"layer", "Softmax", {}, {}}};
  architecture.nodes = {{"layer", "layer", {Value{"x"}, Value{"mask"}}}};
  architecture.outputs = {{"", {"layer"}}};
  Symbols told;
  const auto forward = [&](const TorchCall& call) {
    told = call.symbols;
    return call.inputs;
  };
  const Program program(architecture, {{&architecture.layers[0], {nullptr, forward}}});
  program.run({random({2, 3}), random({2, 5})}, {});
  CHECK(told == Symbols{{"batch", 2}, {"steps", 5}});
}

}  // namespace h5bridge::testing
