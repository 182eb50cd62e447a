// Which parameter is which number of an optimizer. tests/python/test_state_by_name.py has the files of PyTorch.
#include "passes/parameter_order.h"

#include <catch2/catch.hpp>

#include "convert/name_prefix.h"

using namespace h5bridge;

namespace {

using Orders = std::vector<ParameterOrder>;
using States = std::vector<std::optional<Shape>>;

const std::optional<Shape> kUntold;
const Shape kA{4, 4}, kB{4}, kC{2, 4};

const ParameterList kBody{{"body.weight", kA}, {"body.bias", kB}};
const ParameterList kAll{{"body.weight", kA}, {"body.bias", kB}, {"neck.weight", kA}, {"head.weight", kC}};
const ParameterOrder kNames{"body.weight", "body.bias", "neck.weight", "head.weight"};

}  // namespace

TEST_CASE("parameter order: one group as long as a list is that list") {
  CHECK(parameter_orders({kA, kB, kA, kC}, 1, {kAll}) == Orders{kNames});
  CHECK(parameter_orders({kA, kUntold, kUntold, kC}, 1, {kAll}) == Orders{kNames});
  CHECK(parameter_orders({kUntold, kUntold}, 1, {kAll, kBody}) == Orders{{"body.weight", "body.bias"}});
  CHECK(parameter_orders({}, 1, {{}}) == Orders{{}});
  // Two lists of that length that both fit leave it open.
  const ParameterList other{{"body.weight", kA}, {"head.bias", kB}};
  CHECK(parameter_orders({kA, kB}, 1, {kBody, other}).size() == 2);
  CHECK(parameter_orders({kA, kB}, 1, {kBody, kBody}) == Orders{{"body.weight", "body.bias"}});
}

TEST_CASE("parameter order: one group of fewer is a selection in order, where shapes leave one") {
  CHECK(parameter_orders({kA, kC}, 1, {kAll}).size() == 2);  // of the body or of the neck
  CHECK(parameter_orders({kB, kA, kC}, 1, {kAll}) == Orders{{"body.bias", "neck.weight", "head.weight"}});
  CHECK(parameter_orders({kA, kB}, 1, {kAll}) == Orders{{"body.weight", "body.bias"}});
  CHECK(parameter_orders({kC}, 1, {kAll}) == Orders{{"head.weight"}});
  CHECK(parameter_orders({kUntold}, 1, {kAll}).size() == 2);
  CHECK(parameter_orders({kUntold, kC}, 1, {{{"a", kA}, {"c", kC}, {"b", kB}}}) == Orders{{"a", "c"}});
}

TEST_CASE("parameter order: one group in no such order goes by shapes alone") {
  CHECK(parameter_orders({kC, kB}, 1, {kAll}) == Orders{{"head.weight", "body.bias"}});
  CHECK(parameter_orders({kC, kB, kA}, 1, {kAll}).size() == 2);
  CHECK(parameter_orders({kC, kC}, 1, {kAll}).empty());
  CHECK(parameter_orders({kA, kB, kA, kC, kC}, 1, {kAll}).empty());
  CHECK(parameter_orders({Shape{7}}, 1, {kAll}).empty());
}

TEST_CASE("parameter order: several groups go by shapes alone") {
  const ParameterList distinct{{"a", kA}, {"b", kB}, {"c", kC}};
  CHECK(parameter_orders({kC, kA, kB}, 2, {distinct}) == Orders{{"c", "a", "b"}});
  CHECK(parameter_orders({kC, kUntold, kB}, 2, {distinct}) == Orders{{"c", "a", "b"}});
  CHECK(parameter_orders({kC, kUntold, kUntold}, 2, {distinct}).size() == 2);
  CHECK(parameter_orders({kC, kA}, 2, {distinct}) == Orders{{"c", "a"}});
  CHECK(parameter_orders({kC, kUntold}, 2, {distinct}).size() == 2);
  // Though the order of registration fits.
  const Orders two = parameter_orders({kA, kB, kA, kC}, 2, {kAll});
  REQUIRE(two.size() == 2);
  CHECK(two[0] == kNames);
  CHECK(two[1] == ParameterOrder{"neck.weight", "body.bias", "body.weight", "head.weight"});
  // What is frozen is known, so that there is one neck or body.
  const ParameterList thawed{{"body.bias", kB}, {"neck.weight", kA}, {"head.weight", kC}};
  CHECK(parameter_orders({kC, kA, kB}, 2, {kAll, thawed}) == Orders{{"head.weight", "neck.weight", "body.bias"}});
}

TEST_CASE("parameter order: a parameter of unknown shape is counted, but no shape tells it") {
  const ParameterList list{{"a", kA}, {"lost", std::nullopt}, {"c", kC}};
  CHECK(parameter_orders({kA, kB, kC}, 1, {list}) == Orders{{"a", "lost", "c"}});
  CHECK(parameter_orders({kC, kA}, 2, {list}).empty());
}

TEST_CASE("parameter order: modules beside the model's are as good as its own") {
  const ParameterList other{{"other.weight", kA}, {"other.bias", kB}}, neck{{"neck.weight", kA}};
  const Orders of_any = parameter_orders({kA, kB}, 1, {kBody}, {kBody, other, neck});
  CHECK(of_any == Orders{{"body.weight", "body.bias"}, {"other.weight", "other.bias"}});
  CHECK(parameter_orders({kA, kB}, 1, {kBody}, {other, kBody}).size() == 2);
  CHECK(parameter_orders({kUntold, kUntold}, 1, {kBody}, {kBody, other}).size() == 2);
  // A module is given whole, and so a weight of the loss's takes nobody's place.
  CHECK(parameter_orders({kA, kB}, 1, {kBody}, {kBody, {{"loss.weight", kB}}}) == Orders{{"body.weight", "body.bias"}});
  CHECK(parameter_orders({kA, kB}, 1, {kBody}, {kBody, {{"other.weight", kC}}}).size() == 1);
  CHECK(parameter_orders({kA, kB}, 2, {kBody}, {kBody, other}).size() == 2);
  CHECK(parameter_orders({kC}, 1, {kBody}, {kBody, other}).empty());
}

TEST_CASE("parameter order: many parameters of a shape take no longer than others") {
  ParameterList many;
  States states;
  for (int i = 0; i < 20000; ++i) many.push_back({std::to_string(i), kA});
  for (int i = 0; i < 10000; ++i) states.emplace_back(kA);
  CHECK(parameter_orders(states, 1, {many}).size() == 2);
  CHECK(parameter_orders(states, 2, {many}).size() == 2);
  std::vector<ParameterList> modules;
  for (const CountedParameter& parameter : many) modules.push_back({parameter});
  states.resize(many.size(), kA);
  CHECK(parameter_orders(states, 1, {many}, modules).size() == 1);
}

TEST_CASE("name prefix: what all names begin with goes where the rest is known") {
  CHECK(wrapper_prefix({"model.0.weight", "model.0.bias"}, {"0.weight", "0.bias"}) == "model.");
  CHECK(wrapper_prefix({"module.model.0.weight", "module.model.0.bias"}, {"0.weight", "0.bias"}) == "module.model.");
  CHECK(wrapper_prefix({"0.weight", "0.bias"}, {"0.weight", "0.bias"}).empty());
  CHECK(wrapper_prefix({"a.a.weight"}, {"a.weight"}) == "a.");
  CHECK(wrapper_prefix({"a.a.weight"}, {"a.weight", "a.a.weight"}).empty());
  CHECK(wrapper_prefix({"model.0.weight", "loss.weight"}, {"0.weight"}).empty());
  CHECK(wrapper_prefix({"model.fc.weight", "model.fc.other"}, {"fc.weight", "fc.bias"}) == "model.");
  CHECK(wrapper_prefix({"weight"}, {"w"}).empty());
  CHECK(wrapper_prefix({}, {"w"}).empty());
}

TEST_CASE("name prefix: a counter of averages is the wrapper's own") {
  CHECK(is_averages_counter("n_averaged"));
  CHECK(is_averages_counter("module.n_averaged"));
  CHECK_FALSE(is_averages_counter("n_averaged.weight"));
  CHECK_FALSE(is_averages_counter("run_averaged"));
}
