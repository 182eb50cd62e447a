// Every layer type of the registry, each with all of its samples. A sample that fails is named and fails alone.
#include "facets/libtorch/registry.h"
#include "facets/registry.h"
#include "passes/presentation.h"
#include "passes/rows.h"
#include "torch/catch.h"
#include "torch/model_builder.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

SymbolicShape sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

std::vector<SymbolicShape> sizes(const std::vector<Shape>& shapes) {
  std::vector<SymbolicShape> result;
  for (const Shape& shape : shapes) result.push_back(sizes(shape));
  return result;
}

bool is_integer(const Sample& sample, std::size_t input) {
  return sample.ids_below > 0 || sample.integers.contains(input);
}

/// The shapes of all outputs, as the type predicts them for inputs of these.
std::vector<SymbolicShape> predicted(const LayerType& type, const std::vector<Shape>& inputs,
                                     const Json::Object& attributes) {
  return type.shapes(attributes_from_json(type, attributes, type.name), sizes(inputs));
}

/// A model of the layer alone, all of whose outputs are its own.
Model model_of(const SampleCase& each, const std::vector<Shape>& inputs, const Json::Object& attributes) {
  ModelBuilder builder;
  std::vector<Value> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    SymbolicShape shape = sizes(inputs[i]);
    if (const std::size_t axis = each.sample.batch_axis(i); axis != Sample::kNoBatch)
      shape[axis] = Size::symbol("batch");
    builder.input("x" + std::to_string(i), shape, is_integer(each.sample, i) ? DType::Int64 : DType::Float32);
    values.push_back({"x" + std::to_string(i)});
  }
  if (each.type.operands.empty()) values.clear();
  builder.layer("layer", each.type.name, attributes, values);
  const auto outputs = static_cast<std::int64_t>(predicted(each.type, inputs, attributes).size());
  for (std::int64_t output = 0; output < outputs; ++output) builder.output({"layer", output});
  return builder.build();
}

Model model_of(const SampleCase& each) { return model_of(each, each.sample.inputs, each.sample.attributes); }

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

std::vector<torch::Tensor> run(const Model& model, const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  const auto module = to_module(model);
  module->eval();
  return module->forward(inputs);
}

torch::Tensor in_axes_of(const torch::Tensor& shown, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<std::int64_t>(i);
  return shown.permute(inverse);
}

// Whatever layout inputs and outputs are shown in: the axes are the architecture's own.
std::vector<torch::Tensor> run_as_kept(const Model& model, std::vector<torch::Tensor> inputs) {
  const Presentation shown = presentation_of(model);
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = inputs[i].permute(shown.inputs[i].axes);
  std::vector<torch::Tensor> outputs = run(model, inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = in_axes_of(outputs[i], shown.outputs[i].axes);
  return outputs;
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
  for_each_sample([](const SampleCase& each) {
    const Model model = model_of(each);
    const auto has_axes = [](const Shape& shape) { return !shape.empty(); };
    const auto first = std::ranges::find_if(each.sample.inputs, has_axes);
    const std::map<std::string, std::int64_t> batch{{"batch", first == each.sample.inputs.end() ? 1 : first->at(0)}};
    const Attributes& attributes = model.architecture->layers[0].attributes;
    std::vector<SymbolicShape> shapes = each.type.shapes(attributes, sizes(each.sample.inputs));
    const std::vector<torch::Tensor> outputs = run(model, random_inputs(each.sample));
    REQUIRE(outputs.size() == shapes.size());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      INFO("output " << i);
      for (Size& size : shapes[i]) size = size.bind(batch);
      CHECK(to_string(fixed(shapes[i]).value_or(Shape{-1})) == to_string(Shape(outputs[i].sizes().vec())));
      CHECK(outputs[i].isfinite().all().item<bool>());
    }
  });
}

TEST_CASE("what says that it keeps the rows of a batch apart gives each the same by itself") {
  int kept = 0;
  for_each_sample([&](const SampleCase& each) {
    const Model model = model_of(each);
    const bool has_rows = !each.type.operands.empty() && each.sample.integers.empty();
    if (!has_rows || !keeps_rows_apart(*model.architecture, Size::symbol("batch"))) return;
    ++kept;
    Sample three = each.sample;
    for (std::size_t i = 0; i < three.inputs.size(); ++i)
      if (three.batch_axis(i) == 0) three.inputs[i][0] = 3;
    const std::vector<torch::Tensor> inputs = random_inputs(three), together = run_as_kept(model, inputs);
    for (std::int64_t row = 0; row < 3; row += 2) {
      std::vector<torch::Tensor> alone, expected;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        alone.push_back(three.batch_axis(i) == 0 ? inputs[i].slice(0, row, row + 1) : inputs[i]);
      for (const torch::Tensor& output : together) expected.push_back(output.slice(0, row, row + 1));
      CHECK(relative_difference(run_as_kept(model, alone), expected) <= 1e-5);
    }
  });
  CHECK(kept > 200);
}

// Two modules, since some keep something from call to call.
TEST_CASE("a plan computes what each layer does") {
  for_each_sample([](const SampleCase& each) {
    const Model model = model_of(each);
    const auto module = to_module(model), planned = to_module(model);
    module->eval();
    planned->eval();
    const auto plan = compile(planned);
    for (int call = 0; call < 2; ++call) {
      const std::vector<torch::Tensor> inputs = random_inputs(each.sample);
      const torch::NoGradGuard no_grad;
      CHECK(relative_difference(plan->forward(inputs), module->forward(inputs)) <= 1e-5);
    }
  });
}

TEST_CASE("a layer's tensors have the names and shapes that its type declares") {
  for_each_sample([](const SampleCase& each) {
    const Model model = model_of(each);
    const auto module = to_module(model);
    std::map<std::string, torch::Tensor> found;
    for (const auto& item : module->named_parameters()) found.emplace(item.key(), item.value());
    for (const auto& item : module->named_buffers()) found.emplace(item.key(), item.value());
    CHECK(found.size() == model.weights.size());
    for (const auto& [name, tensor] : model.weights) {
      REQUIRE(found.contains(name));
      CHECK(found.at(name).sizes().vec() == tensor.shape());
    }
  });
}

TEST_CASE("a group normalisation trains, whatever its input's axes look like in memory") {
  const auto module = to_module(ModelBuilder()
                                    .input("x", {Size::symbol("batch"), 4, 5, 3})
                                    .layer("norm", "GroupNorm", {{"num_groups", 2}, {"num_channels", 4}}, {{"x"}})
                                    .output({"norm"})
                                    .build());
  const torch::Tensor x = random({2, 4, 5, 3});
  const auto gradient = [&](const torch::Tensor& input) {
    module->zero_grad();
    module->forward(std::vector{input})[0].square().sum().backward();
    return module->named_parameters()["norm.weight"].grad().clone();
  };
  const torch::Tensor last = x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  CHECK(difference(gradient(last), gradient(x)) < 1e-4);
}

TEST_CASE("channels_last gives what channels_first gives") {
  for_each_sample([](const SampleCase& each) {
    if (!follows_data_format(each.type, each.sample) || each.sample.inputs[0].size() < 3) return;
    const Model first = model_of(each);
    Json::Object attributes = each.sample.attributes;
    attributes.set("data_format", "channels_last");
    // And no weight, nor the places that no layout moves.
    const auto is_image = [&](std::size_t input) {
      const bool stays = input < each.type.operands.size() && each.type.operands[input].keeps_axes;
      return each.sample.batch_axis(input) != Sample::kNoBatch && !stays;
    };
    std::vector<Shape> shapes = each.sample.inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (is_image(i)) shapes[i] = channels_last(shapes[i]);
    Model last = model_of(each, shapes, attributes);
    last.weights = first.weights;
    std::vector<torch::Tensor> inputs = random_inputs(each.sample);
    const std::vector<torch::Tensor> expected = run_as_kept(first, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (is_image(i)) inputs[i] = inputs[i].movedim(1, -1);
    const std::vector<torch::Tensor> found = run_as_kept(last, inputs);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("output " << i);
      CHECK(difference(found[i], expected[i].dim() > 2 ? expected[i].movedim(1, -1) : expected[i]) < 1e-4);
    }
  });
}

}  // namespace h5bridge::testing
