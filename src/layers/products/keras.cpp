#include "facets/keras/composition.h"
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
      computing_in(DTypeRules::Choice(of_dot), dot()),
  };
}

}  // namespace h5bridge::products
