#include <functional>
#include <optional>
#include <set>

#include "facets/keras/composition.h"
#include "facets/keras/not_of_integers.h"
#include "facets/registry.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/products/equation.h"

namespace h5bridge::products {
namespace {

using Handle = KerasEmitter::Handle;

[[noreturn]] void refuse_operation(const std::vector<SymbolicShape>& inputs) {
  std::string shapes;
  for (const SymbolicShape& input : inputs) shapes += (shapes.empty() ? "" : " and ") + to_string(input);
  throw Unsupported("keras.ops.dot of inputs of shapes " + shapes +
                    " has no layer type; keras.ops.matmul or keras.ops.einsum says it");
}

KerasMapping dot() {
  KerasMapping mapping{
      .type = "Dot",
      .class_name = "Dot",
      .attributes = {{"axes", "axes", spelling::axes()}, {"normalize", "normalize", spelling::boolean()}}};
  mapping.inputs_as_list = true;
  mapping.lift = [](Json::Object& config, Attributes&, const std::vector<SymbolicShape>& inputs) {
    if (!config.contains("trainable")) refuse_operation(inputs);
  };
  return mapping;
}

std::vector<DTypeRule> of_dot(const Attributes& a) {
  return {a.boolean("normalize") ? promotes().at_least_float() : promotes().widening_int8().at_most_int32()};
}

using EmitProduct = Handle (*)(Composition&, Handle, Handle);

// What Keras's Matmul has for int64 is int32; its Einsum keeps them.
std::string equation_of_matmul(std::size_t first_rank, std::size_t second_rank) {
  const std::string first = first_rank > 1 ? "...ij" : "j";
  const std::string second = second_rank > 1 ? "...jk" : "j";
  const std::string batch = first_rank > 1 || second_rank > 1 ? "..." : "";
  return first + "," + second + "->" + batch + (first_rank > 1 ? "i" : "") + (second_rank > 1 ? "k" : "");
}

KerasEmitter::Results lower_matmul(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (emitter.integers() == DType::Int8) {
    const Handle product =
        named(emitter, "product").apply("Matmul", {emitter.input(0), emitter.input(1)}, emitter.output_shape());
    return Composition(emitter).last("Cast", {product}, {{"dtype", "int8"}}, kCore);
  }
  if (!emitter.has_int64()) return KerasMapping::emit_main(a, std::move(config), emitter);
  const std::string equation = equation_of_matmul(emitter.input_shapes()[0].size(), emitter.input_shapes()[1].size());
  return Composition(emitter).last("Einsum", {emitter.input(0), emitter.input(1)}, {{"subscripts", equation}});
}

KerasMapping matmul(KerasMapping mapping) {
  mapping.lower = lower_matmul;
  return keeping_integers(computing_in(promotes().widening_int8().at_most_int32(), std::move(mapping)));
}

Spelling equation_spelling() {
  Spelling result = spelling::text();
  result.to_keras = [](const AttributeValue& value) { return Json(plain_equation(std::get<std::string>(value))); };
  return result;
}

KerasMapping einsum() {
  const DTypeRules dtypes = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    const std::vector<DTypeRule> own = Registry::instance().find("einsum")->dtypes.of(a);
    return {own.at(0).widening_int8()};
  });
  return computing_in(dtypes, operation("einsum", "Einsum", {{"equation", "subscripts", equation_spelling()}}, {}));
}

// The axes of both along which Keras's Tensordot sums: the last ones of the first and the first of the second, if it
// says how many, or those that it lists.
std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> summed_axes(const Json& axes, std::int64_t first_rank,
                                                                            std::int64_t second_rank) {
  std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> result;
  if (axes.is_integer()) {
    const std::int64_t count = axes.as_integer();
    if (count < 0 || count > first_rank || count > second_rank)
      throw MalformedFile("it sums over " + axes.dump() + " axes, which its inputs do not have");
    for (std::int64_t i = 0; i < count; ++i) {
      result.first.push_back(first_rank - count + i);
      result.second.push_back(i);
    }
    return result;
  }
  const auto listed = [](const Json& side, std::int64_t rank) {
    std::vector<std::int64_t> found;
    for (const Json& axis : side.is_array() ? side.as_array() : Json::Array{side})
      found.push_back(resolve_axis(axis.as_integer(), rank));
    return found;
  };
  if (axes.as_array().size() != 2)
    throw MalformedFile("its axes are " + axes.dump() + ", expected those of two inputs");
  result = {listed(axes.as_array()[0], first_rank), listed(axes.as_array()[1], second_rank)};
  if (result.first.size() != result.second.size())
    throw MalformedFile("its axes are " + axes.dump() + ", expected equally many of both inputs");
  return result;
}

// The other way round: the axes of both that an equation sums over, where it does nothing else; nullopt where it does.
std::optional<Json> axes_summed_by(const Equation& equation) {
  if (equation.inputs.size() != 2) return std::nullopt;
  const std::string &first = equation.inputs[0], &second = equation.inputs[1];
  Json::Array first_axes, second_axes;
  std::string rest;
  for (std::size_t i = 0; i < first.size(); ++i)
    if (const std::size_t place = second.find(first[i]); place == std::string::npos) {
      rest += first[i];
    } else {
      first_axes.push_back(i);
      second_axes.push_back(place);
    }
  for (const char letter : second)
    if (first.find(letter) == std::string::npos) rest += letter;
  const bool has_ellipsis = (first + second).find('.') != std::string::npos;
  const std::set<char> letters(rest.begin(), rest.end());
  if (has_ellipsis || rest != equation.output || letters.size() != rest.size()) return std::nullopt;
  return Json::Array{std::move(first_axes), std::move(second_axes)};
}

// What Keras sums along axes of two tensors, as an equation. `set_axes` has the configuration say them; it gives false
// where it cannot.
KerasMapping contraction(const std::string& class_name,
                         const std::function<Json(const Json::Object&, const std::vector<SymbolicShape>&)>& axes_of,
                         const std::function<bool(Json::Object&, Json axes, KerasEmitter&)>& set_axes) {
  KerasMapping mapping = read_only(operation("einsum", class_name, {}, {"x1", "x2"}));
  mapping.of_integers = not_of_integers;
  // Another layout may have moved the axes.
  mapping.lower = [set_axes](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::optional<Json> axes = axes_summed_by(parse_equation(a.text("equation"), emitter.inputs().size()));
    if (axes && set_axes(config, *axes, emitter)) return emitter.main(std::move(config), emitter.inputs());
    return Composition(emitter).last("Einsum", {emitter.input(0), emitter.input(1)},
                                     {{"subscripts", plain_equation(a.text("equation"))}});
  };
  mapping.lift = [axes_of](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const std::size_t first_rank = inputs.at(0).size(), second_rank = inputs.at(1).size();
    constexpr std::size_t kLetters = 26;
    if (first_rank + second_rank > kLetters) throw Unsupported("its inputs have more axes than there are letters");
    const auto [first_axes, second_axes] = summed_axes(axes_of(config, inputs), static_cast<std::int64_t>(first_rank),
                                                       static_cast<std::int64_t>(second_rank));
    std::string first, second, result;
    for (std::size_t i = 0; i < first_rank; ++i) first += static_cast<char>('a' + i);
    for (std::size_t i = 0; i < second_rank; ++i) second += static_cast<char>('a' + first_rank + i);
    for (std::size_t i = 0; i < first_axes.size(); ++i) second.at(second_axes[i]) = first.at(first_axes[i]);
    for (const char letter : first)
      if (second.find(letter) == std::string::npos) result += letter;
    for (const char letter : second)
      if (first.find(letter) == std::string::npos) result += letter;
    attributes.set("equation", first + "," + second + "->" + result);
    config.erase("axes");
  };
  return mapping;
}

KerasMapping tensordot() {
  KerasMapping mapping = contraction(
      "Tensordot",
      [](const Json::Object& config, const auto&) {
        const Json* axes = config.find("axes");
        return axes ? *axes : Json(2);
      },
      [](Json::Object& config, Json axes, KerasEmitter&) {
        config.set("axes", std::move(axes));
        return true;
      });
  mapping.samples = {
      {"one axis", {{"axes", 1}}, {{2, 3, 4}, {4, 5}}},
      {"two axes", {}, {{2, 3, 4}, {3, 4, 5}}},
      {"axes of both", {{"axes", Json::Array{Json::Array{2, 1}, Json::Array{0, -1}}}}, {{2, 3, 4}, {4, 5, 3}}},
  };
  return mapping;
}

KerasMapping inner() {
  KerasMapping mapping = contraction(
      "Inner",
      [](const Json::Object&, const std::vector<SymbolicShape>& inputs) -> Json {
        if (inputs[0].empty() || inputs[1].empty()) throw Unsupported("one of its inputs is a number");
        return Json::Array{Json::Array{-1}, Json::Array{-1}};
      },
      [](Json::Object&, const Json& axes, KerasEmitter& emitter) {
        const auto last = [&](std::size_t input) { return Json::Array{emitter.input_shapes()[input].size() - 1}; };
        return axes == Json(Json::Array{last(0), last(1)});
      });
  mapping.samples = {{"last axes", {}, {{2, 3, 4}, {5, 4}}}};
  return mapping;
}

Handle emit_matmul(Composition& steps, Handle x, Handle y) {
  const SymbolicShape& a = steps.shape(x);
  const SymbolicShape& b = steps.shape(y);
  SymbolicShape shape(a.begin(), a.end() - 1);
  if (b.size() > 1) shape.push_back(b.back());
  if (steps.emitter().has_int64())
    return steps.apply("Einsum", {x, y}, std::move(shape), {{"subscripts", equation_of_matmul(a.size(), b.size())}});
  return steps.apply("Matmul", {x, y}, std::move(shape));
}

Handle emit_outer(Composition& steps, Handle x, Handle y) {
  return steps.elementwise("Multiply", {steps.expand(x, 1), y});
}

Handle emit_sum_of_matmul(Composition& steps, Handle x, Handle y) {
  return steps.reduce("Sum", emit_matmul(steps, x, y), 0, false);
}

// A product that is added to another input.
KerasMapping added(const std::string& type, EmitProduct emit_product) {
  KerasMapping mapping = write_only(operation(type, "Add"));
  mapping.lower = [emit_product](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    const auto scaled = [&](const char* factor, Handle x) {
      const Json number = attribute_to_json(a.at(factor));
      return number == Json(1) ? x : steps.elementwise("Multiply", {x, number});
    };
    const Handle product = emit_product(steps, emitter.input(1), emitter.input(2));
    return steps.last("Add", {scaled("beta", emitter.input(0)), scaled("alpha", product)});
  };
  return mapping;
}

// Keras's Outer takes all elements of its inputs in a row.
KerasMapping outer() {
  KerasMapping mapping = operation("outer", "Outer", {}, {"x1", "x2"});
  mapping.accepts = [](const std::vector<SymbolicShape>& inputs) {
    return inputs.size() == 2 && inputs[0].size() == 1 && inputs[1].size() == 1;
  };
  return mapping;
}

// Keras's own works on the last axis alone, where PyTorch is its backend. It is read.
KerasMapping cross() {
  KerasMapping mapping = read_only(operation("linalg_cross", "Cross", {}, {"x1", "x2"}));
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    for (const char* name : {"axisa", "axisb", "axisc"}) config.set(name, a.integer("dim"));
    return emitter.main(std::move(config), emitter.inputs());
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const auto axis = [&](const char* name) {
      const Json* given = config.find(name);
      return given && !given->is_null() ? given->as_integer() : -1;
    };
    const bool is_one = axis("axisa") == axis("axisb") && axis("axisa") == axis("axisc");
    if (inputs.at(0).size() != inputs.at(1).size() || !is_one)
      throw Unsupported("its vectors stand along different axes");
    attributes.set("dim", axis("axisa"));
    for (const char* name : {"axisa", "axisb", "axisc", "axis"}) config.erase(name);
  };
  mapping.samples = {{"last axis", {}, {{2, 4, 3}, {2, 4, 3}}}};
  return mapping;
}

// Elements 1, 2, 0 times elements 2, 0, 1, less the same the other way round.
KerasMapping emitted_cross(const std::string& type) {
  KerasMapping mapping = write_only(operation(type, "Subtract"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    const std::int64_t axis = cross_axis(a, emitter.output_shape());
    const auto product = [&](const std::vector<std::int64_t>& first, const std::vector<std::int64_t>& second) {
      return steps.elementwise("Multiply",
                               {steps.take(emitter.input(0), axis, first), steps.take(emitter.input(1), axis, second)});
    };
    return steps.last("Subtract", {product({1, 2, 0}, {2, 0, 1}), product({2, 0, 1}, {1, 2, 0})});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      matmul(operation("matmul", "Matmul", {}, {"x1", "x2"})),
      matmul(write_only(operation("bmm", "Matmul", {}, {"x1", "x2"}))),
      added("addmm", emit_matmul),
      added("addmv", emit_matmul),
      added("addr", emit_outer),
      added("baddbmm", emit_matmul),
      added("addbmm", emit_sum_of_matmul),
      outer(),
      giving(promotes().at_most_int32(), cross()),
      emitted_cross("linalg_cross"),
      emitted_cross("cross"),
      einsum(),
      tensordot(),
      inner(),
      computing_in(DTypeRules::Choice(of_dot), dot()),
  };
}

}  // namespace h5bridge::products
