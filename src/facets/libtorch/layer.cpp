#include "facets/libtorch/layer.h"

#include "h5bridge/error.h"

namespace h5bridge {

torch::Scalar scalar_of(const AttributeValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  return std::get<double>(value);
}

torch::Tensor TorchCall::input(std::string_view name) const {
  const auto found = named.find(name);
  return found == named.end() ? torch::Tensor() : found->second;
}

bool TorchCall::is_on(std::string_view name, const Attributes& of_layer) const {
  return (attributes.contains(name) ? attributes : of_layer).boolean(name);
}

std::int64_t known_size(const Size& size, const Symbols& symbols) {
  if (const auto value = size.bind(symbols).value()) return *value;
  throw UsageError("its size " + size.str() + " does not follow from the model's inputs");
}

namespace {

// What takes its inputs in order knows of no others; some heed a mask in training alone (BatchNormalization).
void refuse_names(const TorchCall& call) {
  for (const auto& [name, value] : call.named)
    if (name != "mask") throw Unsupported("its input " + name + " is given by name, and nothing would be done with it");
}

}  // namespace

TorchInstance unary(TorchModulePtr module, TorchFunction forward) {
  return {std::move(module), [forward = std::move(forward)](const TorchCall& call) {
            refuse_names(call);
            return TorchValues{forward(call.inputs.at(0))};
          }};
}

TorchInstance unary(TorchFunction forward) { return unary(nullptr, std::move(forward)); }

TorchInstance function_of_all(std::function<torch::Tensor(const TorchValues&)> function) {
  return {nullptr, [function = std::move(function)](const TorchCall& call) {
            refuse_names(call);
            return TorchValues{function(call.inputs)};
          }};
}

TorchFunction in_data_format(const Attributes& attributes, TorchFunction forward) {
  if (attributes.text("data_format") == "channels_first") return forward;
  return [forward = std::move(forward)](const torch::Tensor& input) {
    return forward(input.movedim(-1, 1)).movedim(1, -1);
  };
}

TorchFunction with_activation(const Attributes& attributes, TorchFunction forward) {
  const std::string& name = attributes.text("activation");
  if (name == "linear") return forward;
  const std::int64_t axis = attributes.contains("activation_axis") ? attributes.integer("activation_axis") : -1;
  return [forward = std::move(forward), activation = keras_activation(name), axis](const torch::Tensor& input) {
    return activation(forward(input).movedim(axis, -1)).movedim(-1, axis);
  };
}

TorchFunction of_integers_too(TorchFunction forward) {
  return [forward = std::move(forward)](const torch::Tensor& input) {
    const torch::ScalarType type = input.scalar_type();
    if (!at::isIntegralType(type, /*includeBool=*/false) || type == torch::kLong) return forward(input);
    return forward(input.to(torch::kDouble)).to(type);
  };
}

}  // namespace h5bridge
