// Element types as LibTorch has them: every sample of the registry, with inputs of all sorts of types.
#include "facets/libtorch/tensors.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/promotion.h"
#include "passes/infer_types.h"
#include "torch/catch.h"
#include "torch/model_builder.h"
#include "unit/architectures.h"

namespace h5bridge::testing {
namespace {

using DTypes = std::vector<DType>;

std::string words(const DTypes& dtypes) {
  std::string result;
  for (const DType dtype : dtypes) result += (result.empty() ? "" : ", ") + std::string(name_of(dtype));
  return result;
}

/// The types that the sample itself has.
DTypes own_dtypes(const Sample& sample) {
  DTypes result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i)
    result.push_back(sample.ids_below > 0 || sample.integers.contains(i) ? DType::Int64 : DType::Float32);
  return result;
}

/// Every input in one type, and the first in one and all others in another. Places stay what they are.
std::vector<DTypes> assignments(const Sample& sample) {
  const auto of = [&](DType first, DType others) {
    DTypes result = own_dtypes(sample);
    for (std::size_t i = 0; i < result.size(); ++i)
      if (!sample.integers.contains(i)) result[i] = i == 0 ? first : others;
    return result;
  };
  std::vector<DTypes> result{own_dtypes(sample)};
  for (const DType dtype : {DType::Bool, DType::UInt8, DType::Int8, DType::Int32, DType::Int64, DType::Float16,
                            DType::BFloat16, DType::Float32, DType::Float64})
    result.push_back(of(dtype, dtype));
  if (sample.inputs.size() == 1) return result;
  for (const auto& [first, others] : {std::pair{DType::Float32, DType::Int64},
                                      {DType::Int64, DType::Float32},
                                      {DType::Bool, DType::Int32},
                                      {DType::UInt8, DType::Int8},
                                      {DType::Float16, DType::BFloat16},
                                      {DType::Int64, DType::Float64}})
    result.push_back(of(first, others));
  return result;
}

torch::Tensor input_of(const Sample& sample, std::size_t i, DType dtype) {
  const torch::ScalarType type = scalar_type_of(dtype);
  if (const auto places = sample.integers.find(i); places != sample.integers.end())
    return torch::tensor(places->second, torch::kInt64).view(sample.inputs[i]).to(type);
  if (sample.ids_below > 0) return torch::randint(sample.ids_below, sample.inputs[i], torch::kInt64).to(type);
  return torch::randint(1, 3, sample.inputs[i], torch::kInt64).to(type);  // integers that may be divided by
}

/// A model of the layer alone, whose tensors have the type of the floating-point inputs.
Model model_of(const SampleCase& each, const DTypes& dtypes) {
  Model model;
  model.architecture = each.architecture();
  model.architecture->outputs.clear();
  for (std::size_t i = 0; i < dtypes.size(); ++i) model.architecture->inputs[i].dtype = dtypes[i];
  const std::size_t outputs = infer_types(*model.architecture).outputs_of("layer").size();
  for (std::size_t i = 0; i < outputs; ++i)
    model.architecture->outputs.push_back({"", {"layer", static_cast<std::int64_t>(i)}});
  const auto floating = std::ranges::find_if(dtypes, is_floating_point);
  for (const auto& [name, tensor] : random_weights(*model.architecture))
    model.weights.add(name,
                      is_floating_point(tensor.dtype()) && floating != dtypes.end() ? cast(tensor, *floating) : tensor);
  return model;
}

/// Nothing where LibTorch refuses these types.
std::optional<std::vector<torch::Tensor>> computed(const Model& model, const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  try {
    const auto module = to_module(model);
    module->eval();
    return module->forward(inputs);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

TEST_CASE("types are promoted as LibTorch promotes them") {
  std::vector<DType> all;
  for (int dtype = 0; dtype <= static_cast<int>(DType::Complex128); ++dtype) all.push_back(static_cast<DType>(dtype));
  for (const DType a : all)
    for (const DType b : all) {
      INFO(name_of(a) << ", " << name_of(b));
      std::optional<torch::ScalarType> expected;
      try {
        expected = c10::promoteTypes(scalar_type_of(a), scalar_type_of(b));
      } catch (const c10::Error&) {  // refused
        continue;
      }
      CHECK(promoted(a, b) == dtype_of(*expected));
    }
}

TEST_CASE("tensors without axes and numbers count less, as LibTorch has it") {
  const DTypes some{DType::Bool,    DType::UInt8,    DType::Int32,   DType::Int64,
                    DType::Float16, DType::BFloat16, DType::Float32, DType::Float64};
  for (const DType a : some)
    for (const DType b : some) {
      INFO(name_of(a) << ", " << name_of(b));
      const torch::Tensor tensor = torch::zeros({2}, scalar_type_of(a));
      const auto with = [&](auto&& add) {
        Promotion promotion;
        promotion.add_tensor(a, true);
        add(promotion);
        return *promotion.result();
      };
      CHECK(with([&](Promotion& p) { p.add_tensor(b, false); }) ==
            dtype_of(at::result_type(tensor, torch::zeros({}, scalar_type_of(b)))));
      CHECK(with([&](Promotion& p) { p.add_number(true); }) == dtype_of(at::result_type(tensor, 2)));
      CHECK(with([&](Promotion& p) { p.add_number(false); }) == dtype_of(at::result_type(tensor, 2.5)));
    }
}

TEST_CASE("a layer gives the element types that its type predicts") {
  for_each_sample([](const SampleCase& each) {
    for (const DTypes& dtypes : assignments(each.sample)) {
      const Model model = model_of(each, dtypes);
      std::vector<torch::Tensor> inputs;
      for (std::size_t i = 0; i < dtypes.size(); ++i) inputs.push_back(input_of(each.sample, i, dtypes[i]));
      const auto outputs = computed(model, inputs);
      INFO("inputs: " << words(dtypes));
      CHECK((outputs || dtypes != own_dtypes(each.sample)));
      if (!outputs) continue;
      // Not FloatTypes::common(): inputs come in types of their own here.
      const auto floating = std::ranges::find_if(
          model.weights, [](const NamedTensor& weight) { return is_floating_point(weight.tensor.dtype()); });
      std::vector<TensorType> operands;
      if (!each.type.operands.empty())
        for (const Input& input : model.architecture->inputs) operands.push_back({input.dtype, input.shape});
      const std::vector<TensorType> types =
          each.type.outputs(model.architecture->layers[0].attributes, operands,
                            floating == model.weights.end() ? std::nullopt : std::optional((*floating).tensor.dtype()));
      DTypes expected;
      DTypes found;
      for (const torch::Tensor& output : *outputs) expected.push_back(dtype_of(output.scalar_type()));
      for (const TensorType& type : types) found.push_back(type.dtype);
      CHECK(words(found) == words(expected));
    }
  });
}

TEST_CASE("fractions among a layer's settings stay fractions beside integers") {
  const auto of_integers = [](const std::string& type, const Json::Object& attributes) {
    ModelBuilder builder;
    const Model model =
        builder.input("x", {3}, DType::Int64).layer("layer", type, attributes, {{"x"}}).output({"layer"}).build();
    return to_module(model)->forward(torch::tensor({1, 2, 4}, torch::kInt64));
  };
  const torch::Tensor x = torch::tensor({1, 2, 4}, torch::kInt64);
  CHECK(same_bits(of_integers("div", {{"self", 2.5}}), torch::div(torch::tensor(2.5), x)));
  CHECK(same_bits(of_integers("floor_divide", {{"self", 2.5}}), torch::floor_divide(torch::tensor(2.5), x)));
  CHECK(same_bits(of_integers("Rescaling", {{"scale", 0.5}, {"offset", 0.25}}), x * 0.5 + 0.25));
}

}  // namespace h5bridge::testing
