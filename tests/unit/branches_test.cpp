// What is needed only where a condition is so.
#include "passes/branches.h"

#include <catch2/catch.hpp>

#include "convert/architecture_json.h"
#include "h5bridge/error.h"
#include "passes/infer_shapes.h"

using namespace h5bridge;

namespace {

// Of entries [name, type, inputs...], whose last one is the output.
Architecture graph_of(const std::vector<std::vector<std::string>>& entries) {
  Json::Array layers;
  for (const auto& entry : entries)
    layers.push_back(
        Json::Object{{"name", entry[0]}, {"type", entry[1]}, {"inputs", Json::Array(entry.begin() + 2, entry.end())}});
  return architecture_from_json(
      Json::Object{{"h5bridge", 1},
                   {"name", "graph"},
                   {"inputs", Json::Array{Json::Object{{"name", "x"}, {"shape", Json::Array{"batch", 3}}}}},
                   {"layers", std::move(layers)},
                   {"outputs", Json::Array{entries.back()[0]}}});
}

// "p+ q-": within the branch for p true, in it for q false.
std::string around(const Architecture& graph, const std::string& name) {
  const Branches branches(graph);
  std::string result;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].name == name)
      for (const Branch& branch : branches.around(i))
        result += (result.empty() ? "" : " ") + branch.predicate.node + (branch.when ? "+" : "-");
  return result;
}

}  // namespace

TEST_CASE("what one branch needs is needed there alone", "[branches]") {
  const Architecture graph = graph_of({{"p", "sum", "x"},
                                       {"both", "exp", "x"},
                                       {"a", "sin", "both"},
                                       {"b", "cos", "both"},
                                       {"c", "neg", "b"},
                                       {"end", "cond", "p", "a", "c"}});
  CHECK(around(graph, "p").empty());
  CHECK(around(graph, "both").empty());
  CHECK(around(graph, "a") == "p+");
  CHECK(around(graph, "b") == "p-");
  CHECK(around(graph, "c") == "p-");
  CHECK(around(graph, "end").empty());
}

TEST_CASE("a condition within a branch is asked there", "[branches]") {
  const Architecture graph = graph_of({{"p", "sum", "x"},
                                       {"q", "mean", "x"},
                                       {"a", "sin", "x"},
                                       {"inner_a", "cos", "x"},
                                       {"inner_b", "exp", "x"},
                                       {"shared", "neg", "x"},
                                       {"used", "add", "inner_b", "shared"},
                                       {"inner", "cond", "q", "inner_a", "used"},
                                       {"also", "add", "a", "shared"},
                                       {"end", "cond", "p", "also", "inner"}});
  CHECK(around(graph, "q") == "p-");
  CHECK(around(graph, "inner_a") == "p- q+");
  CHECK(around(graph, "used") == "p- q-");
  CHECK(around(graph, "shared").empty());
}

TEST_CASE("neighbours that ask the same choose as one", "[branches]") {
  const Architecture graph = graph_of({{"p", "sum", "x"},
                                       {"a", "sin", "x"},
                                       {"b", "cos", "x"},
                                       {"one", "cond", "p", "a", "b"},
                                       {"two", "cond", "p", "b", "a"},
                                       {"apart", "exp", "one"},
                                       {"other", "cond", "p", "apart", "two"},
                                       {"end", "add", "other", "one"}});
  const Branches branches(graph);
  CHECK(branches.first_of_choice(4) == 3);
  CHECK(branches.first_of_choice(6) == 6);
  CHECK(around(graph, "a").empty());  // either way
  CHECK(around(graph, "two") == "p-");
}

TEST_CASE("what stands before its condition is computed", "[branches]") {
  const Architecture graph = graph_of({{"a", "sin", "x"}, {"p", "sum", "x"}, {"end", "cond", "p", "a", "x"}});
  CHECK(around(graph, "a").empty());
}

TEST_CASE("a condition is one truth value, and its two tensors have one shape", "[branches]") {
  CHECK_THROWS_WITH(infer_shapes(graph_of({{"p", "sin", "x"}, {"end", "cond", "p", "x", "x"}})),
                    Catch::Matchers::Contains("expected one truth value"));
  CHECK_THROWS_AS(infer_shapes(graph_of({{"p", "sum", "x"}, {"end", "cond", "p", "x", "p"}})), MalformedFile);
}
