// What depends on the order of elements by their size.
#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::sorting {
namespace {

using Shapes = std::vector<SymbolicShape>;

DTypeRules elements_and_places() { return {keeps(), gives(DType::Int64)}; }

AttributeSpec last_axis() { return integer("dim", -1, "the axis"); }

Size& extent(SymbolicShape& shape, const Attributes& a) {
  return shape[resolve_axis(a.integer("dim"), static_cast<std::int64_t>(shape.size()))];
}

// `outputs` of the input's shape.
LayerType along(LayerType type, std::size_t outputs) {
  type.dtypes = outputs == 2 ? elements_and_places() : DTypeRules(gives(DType::Int64));
  type.shapes = [outputs](const Attributes& a, const Shapes& inputs) -> Shapes {
    resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs.at(0).size()));
    return Shapes(outputs, inputs[0]);
  };
  return type;
}

LayerType sort(const std::string& name, const std::string& summary, std::size_t outputs) {
  LayerType type = function_type(name, summary,
                                 {last_axis(), boolean("descending", false, "whether the largest come first"),
                                  boolean("stable", false, "whether equal elements stay in order")},
                                 counts_axis("dim"));
  type.samples = {
      {"last axis", {}, {{3, 7}}},
      {"channels", {{"dim", 1}}, {{2, 5, 4, 3}}},
      {"descending", {{"dim", -2}, {"descending", true}}, {{3, 4, 5}}},
      {"stable", {{"stable", true}, {"descending", true}}, {{2, 3, 6}}},
      {"the batch", {{"dim", 0}}, {{5, 3}}},
  };
  type.samples.push_back(
      {.what = "equal elements", .attributes = {{"stable", true}, {"dim", 1}}, .inputs = {{3, 9}}, .ids_below = 3});
  return along(std::move(type), outputs);
}

void check_number(const Size& k, std::int64_t least, const Size& size) {
  if (k.value() && (*k.value() < least || (size.value() && *k.value() > *size.value())))
    throw MalformedFile("\"k\" is " + k.str() + ", but the axis has the size " + size.str());
}

LayerType topk() {
  LayerType type = function_type(
      "topk", "the k largest or smallest elements of an axis, and their places",
      {required_integer("k", "how many"), last_axis(), boolean("largest", true, "whether the largest or the smallest"),
       boolean("sorted", true, "whether they come in order")},
      counts_axis("dim"));
  type.dtypes = elements_and_places();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    Size& size = extent(result, a);
    check_number(a.open_integer("k"), 0, size);
    size = a.open_integer("k");
    return {result, result};
  };
  type.samples = {
      {"last axis", {{"k", 3}}, {{3, 7}}},
      {"channels", {{"k", 2}, {"dim", 1}}, {{2, 5, 4, 3}}},
      {"smallest", {{"k", 2}, {"largest", false}}, {{1, 3, 5}}},
      {"smallest of an axis", {{"k", 4}, {"dim", -2}, {"largest", false}}, {{2, 4, 5}}},
      {"in any order", {{"k", 1}, {"sorted", false}}, {{3, 7}}},
      {"an open number", {{"k", "batch"}}, {{3, 7}}},
  };
  return type;
}

SymbolicShape without_axis(SymbolicShape shape, const Attributes& a) {
  const auto axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(shape.size()));
  if (a.boolean("keepdim"))
    shape[axis] = 1;
  else
    shape.erase(shape.begin() + axis);
  return shape;
}

AttributeSpec keepdim() { return boolean("keepdim", false, "whether the axis stays, with size 1"); }

LayerType kthvalue() {
  LayerType type = function_type("kthvalue", "the k-th smallest element of an axis, and its place",
                                 {required_integer("k", "which, from 1 on"), last_axis(), keepdim()}, reduces_axes());
  type.dtypes = elements_and_places();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape input = inputs.at(0);
    check_number(a.open_integer("k"), 1, extent(input, a));
    return Shapes(2, without_axis(input, a));
  };
  type.samples = {{"last axis", {{"k", 2}}, {{3, 7}}},
                  {"channels", {{"k", 5}, {"dim", 1}}, {{2, 5, 4, 3}}},
                  {"kept", {{"k", 1}, {"dim", -2}, {"keepdim", true}}, {{2, 4, 5}}},
                  {"an open place", {{"k", "batch + 1"}}, {{3, 7}}}};
  return type;
}

LayerType median(const std::string& name, const std::string& summary) {
  LayerType type = function_type(name, summary, {or_none(integer("dim", 0, "the axis; None: all elements")), keepdim()},
                                 reduces_axes());
  type.dtypes = elements_and_places();
  type.check = [](const Attributes& a) {
    if (a.is_none("dim") && a.boolean("keepdim")) throw MalformedFile("\"keepdim\" is for an axis, but there is none");
  };
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (a.is_none("dim")) return {SymbolicShape{}};
    return Shapes(2, without_axis(inputs.at(0), a));
  };
  type.samples = {
      {"an odd number", {{"dim", -1}}, {{3, 7}}},
      {"an even number", {{"dim", 1}}, {{2, 6, 4, 3}}},
      {"kept", {{"dim", -2}, {"keepdim", true}}, {{2, 5, 4}}},
      {"the batch", {{"dim", 0}}, {{5, 3}}},
      {"all elements", {}, {{3, 3, 3}}},
  };
  return type;
}

LayerType extreme_so_far(const std::string& name, const std::string& summary) {
  LayerType type = function_type(name, summary, {required_integer("dim", "the axis")}, counts_axis("dim"));
  type.samples = {{"channels", {{"dim", 1}}, {{2, 5, 4, 3}}}, {"last axis", {{"dim", -1}}, {{3, 8}}}};
  type.samples.push_back({.what = "equal elements", .attributes = {{"dim", 1}}, .inputs = {{3, 9}}, .ids_below = 3});
  return along(std::move(type), 2);
}

DTypeRules places() {
  return DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    return {gives(a.boolean("out_int32") ? DType::Int32 : DType::Int64)};
  });
}

// Where elements belong among sorted ones.
std::vector<AttributeSpec> search_attributes() {
  return {boolean("out_int32", false, "whether places are int32, not int64"),
          boolean("right", false, "whether behind equal elements, not before them")};
}

LayerType searchsorted() {
  LayerType type = function_type(
      "searchsorted",
      "where the elements of the second input belong among those of the first, which are sorted along the last axis",
      search_attributes(), keeps_original_layout());
  type.attributes.push_back(or_none(text("side", "left", {"left", "right"}, "another word for right")));
  type.operands = {required("sorted_sequence"), required("input")};
  type.dtypes = places();
  type.check = [](const Attributes& a) {
    if (!a.is_none("side") && a.boolean("right") && a.text("side") == "left")
      throw MalformedFile("\"side\" is \"left\", but \"right\" is true");
  };
  type.shapes = [](const Attributes&, const Shapes& inputs) -> Shapes {
    const SymbolicShape& sorted = inputs.at(0);
    if (sorted.empty() || (sorted.size() > 1 && sorted.size() != inputs[1].size())) throw_misfit(sorted, inputs[1]);
    return {inputs[1]};
  };
  const Sample row{.what = {},
                   .attributes = {},
                   .inputs = {{5}, {3, 4}},
                   .batch_axes = {Sample::kNoBatch, 0},
                   .integers = {{0, {1, 3, 3, 6, 8}}, {1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 3}}}};
  const Sample rows{.what = {},
                    .attributes = {},
                    .inputs = {{2, 4}, {2, 3}},
                    .integers = {{0, {1, 3, 3, 6, -2, 0, 1, 1}}, {1, {3, 0, 9, 1, -2, 1}}}};
  const auto add = [&](const std::string& what, Json::Object attributes, Sample sample) {
    sample.what = what;
    sample.attributes = std::move(attributes);
    type.samples.push_back(std::move(sample));
  };
  add("one row", {}, row);
  add("one row, behind equal ones", {{"right", true}, {"out_int32", true}}, row);
  add("rows", {}, rows);
  add("rows, behind equal ones", {{"side", "right"}}, rows);
  return type;
}

LayerType bucketize() {
  LayerType type = function_type("bucketize", "where elements belong among sorted boundaries, a second input or a list",
                                 search_attributes(), any_layout());
  type.attributes.push_back(or_none(required_numbers("boundaries", 0, "the boundaries in place of a second input")));
  type.operands = {required("input"), or_attribute(required("boundaries"), "boundaries")};
  type.dtypes = places();
  type.layout = keeps_original_layout();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (a.is_none("boundaries") == (inputs.size() == 1))
      throw MalformedFile("it needs a second input, or a list \"boundaries\"");
    if (inputs.size() == 2 && inputs[1].size() != 1)
      throw MalformedFile("its boundaries have shape " + to_string(inputs[1]) + ", expected one axis");
    return {inputs.at(0)};
  };
  const Sample two{.what = {},
                   .attributes = {},
                   .inputs = {{3, 4}, {5}},
                   .batch_axes = {0, Sample::kNoBatch},
                   .integers = {{0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 3}}, {1, {1, 3, 3, 6, 8}}}};
  type.samples = {two,
                  two,
                  {"a list", {{"boundaries", Json::Array{-0.5, 0.25, 1}}, {"right", true}}, {{3, 7}}},
                  {"a list, before equal ones", {{"boundaries", Json::Array{-0.5, 0.25, 1}}}, {{2, 3, 4}}}};
  type.samples[0].what = "a second input";
  type.samples[1].what = "a second input, behind equal ones";
  type.samples[1].attributes = {{"right", true}, {"out_int32", true}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      sort("sort", "the elements of an axis in order, and their places", 2),
      sort("argsort", "the places of the elements of an axis in order", 1),
      topk(),
      kthvalue(),
      median("median", "the middle element of an axis, of two the smaller, and its place; or that of all elements"),
      median("nanmedian", "the same of those elements that are numbers"),
      extreme_so_far("cummax", "the largest elements so far along an axis, and their places"),
      extreme_so_far("cummin", "the smallest elements so far along an axis, and their places"),
      searchsorted(),
      bucketize(),
  };
}

}  // namespace h5bridge::sorting
