// Every layer type of the registry, each with all of its samples.
#include "layers/registry.h"
#include "passes/presentation.h"
#include "runtime/families.h"
#include "torch/catch.h"
#include "torch/model_builder.h"

namespace h5bridge::testing {
namespace {

struct Case {
  std::string name;
  const LayerType* type;
  const Sample* sample;
};

std::vector<Case> all_cases() {
  std::vector<Case> result;
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types)
      for (const Sample& sample : type.samples)
        result.push_back({type.name + ": " + sample.what, Registry::instance().find(type.name), &sample});
  return result;
}

SymbolicShape sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

Model model_of(const Case& each, const std::vector<Shape>& inputs, const Json::Object& attributes) {
  ModelBuilder builder;
  std::vector<Value> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SymbolicShape shape = sizes(inputs[i]);
    if (const std::size_t axis = each.sample->batch_axis(i); axis != Sample::kNoBatch)
      shape[axis] = Size::symbol("batch");
    builder.input("x" + std::to_string(i), shape);
    values.push_back({"x" + std::to_string(i)});
  }
  if (each.type->most_inputs == 0) values.clear();
  return builder.layer("layer", each.type->name, attributes, values).output({"layer"}).build();
}

std::vector<torch::Tensor> random_inputs(const Sample& sample) {
  std::vector<torch::Tensor> result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    const Shape& shape = sample.inputs[i];
    if (const auto integers = sample.integers.find(i); integers != sample.integers.end())
      result.push_back(torch::tensor(integers->second, torch::kInt64).view(shape));
    else if (sample.ids_below > 0)
      result.push_back(torch::randint(sample.ids_below, shape, torch::kInt64));
    else if (sample.between)
      result.push_back(torch::rand(shape) * (sample.between->second - sample.between->first) + sample.between->first);
    else
      result.push_back(random(shape));
  }
  return result;
}

torch::Tensor run(const Model& model, const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  const auto module = to_module(model);
  module->eval();
  return module->forward(inputs).at(0);
}

// Whatever layout inputs and outputs are shown in: the axes are the architecture's own.
torch::Tensor run_as_kept(const Model& model, std::vector<torch::Tensor> inputs) {
  const Presentation shown = presentation_of(model);
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = inputs[i].permute(shown.inputs[i].axes);
  const torch::Tensor output = run(model, inputs);
  const auto& axes = shown.outputs[0].axes;
  std::vector<std::int64_t> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<std::int64_t>(i);
  return output.permute(inverse);
}

// Unless an axis or a shape of its own takes the data format's place.
bool follows_data_format(const LayerType& type, const Sample& sample) {
  return type.find_attribute("data_format") && !sample.attributes.contains("axis") &&
         !sample.attributes.contains("weight_shape");
}

Shape channels_last(const Shape& shape) {
  Shape result = shape;
  std::rotate(result.begin() + 1, result.begin() + 2, result.end());
  return result;
}

}  // namespace

TEST_CASE("every layer type has a LibTorch facet") {
  for (const Family& family : Registry::instance().families())
    for (const LayerType& type : family.types) {
      INFO(type.name);
      CHECK(find_torch_layer(type.name) != nullptr);
    }
}

TEST_CASE("a layer gives the shapes that its type predicts") {
  for (const Case& each : all_cases()) {
    INFO(each.name);
    const Model model = model_of(each, each.sample->inputs, each.sample->attributes);
    std::vector<SymbolicShape> shapes;
    for (const Shape& shape : each.sample->inputs) shapes.push_back(sizes(shape));
    std::map<std::string, std::int64_t> batch{{"batch", each.sample->inputs[0][0]}};
    SymbolicShape predicted = each.type->shapes(model.architecture->layers[0].attributes, shapes).at(0);
    for (Size& size : predicted) size = size.bind(batch);
    const torch::Tensor output = run(model, random_inputs(*each.sample));
    CHECK(to_string(fixed(predicted).value_or(Shape{-1})) == to_string(Shape(output.sizes().vec())));
    CHECK(output.isfinite().all().item<bool>());
  }
}

TEST_CASE("a layer's tensors have the names and shapes that its type declares") {
  for (const Case& each : all_cases()) {
    INFO(each.name);
    const Model model = model_of(each, each.sample->inputs, each.sample->attributes);
    const auto module = to_module(model);
    std::map<std::string, torch::Tensor> found;
    for (const auto& item : module->named_parameters()) found.emplace(item.key(), item.value());
    for (const auto& item : module->named_buffers()) found.emplace(item.key(), item.value());
    CHECK(found.size() == model.weights.size());
    for (const auto& [name, tensor] : model.weights) {
      REQUIRE(found.contains(name));
      CHECK(found.at(name).sizes().vec() == tensor.shape());
    }
  }
}

TEST_CASE("channels_last gives what channels_first gives") {
  for (const Case& each : all_cases()) {
    if (!follows_data_format(*each.type, *each.sample) || each.sample->inputs[0].size() < 3) continue;
    INFO(each.name);
    const Model first = model_of(each, each.sample->inputs, each.sample->attributes);
    Json::Object attributes = each.sample->attributes;
    attributes.set("data_format", "channels_last");
    const auto is_image = [&](std::size_t input) {
      return each.sample->batch_axis(input) != Sample::kNoBatch;
    };  // and no weight
    std::vector<Shape> shapes = each.sample->inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (is_image(i)) shapes[i] = channels_last(shapes[i]);
    Model last = model_of(each, shapes, attributes);
    last.weights = first.weights;
    std::vector<torch::Tensor> inputs = random_inputs(*each.sample);
    const torch::Tensor expected = run_as_kept(first, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (is_image(i)) inputs[i] = inputs[i].movedim(1, -1);
    const torch::Tensor moved = expected.dim() > 2 ? expected.movedim(1, -1) : expected;
    CHECK(difference(run_as_kept(last, inputs), moved) < 1e-4);
  }
}

}  // namespace h5bridge::testing
