#include "convert/suppositions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "convert/tensor_agreement.h"
#include "facets/registry.h"
#include "facets/spec/operand.h"
#include "model/numbers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Axes = std::vector<std::int64_t>;

// What frameworks, and versions of them, have as their defaults for one attribute.
struct CommonValues {
  const char* attribute;
  const char* kind;
  std::vector<AttributeValue> values;
};

const std::vector<CommonValues>& common_values() {
  static const std::vector<CommonValues> table{
      {"eps", "epsilon", {1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12}},
      {"training", "statistics", {true}},
      {"correction", "statistics", {0.0, 1.0, std::int64_t{0}, std::int64_t{1}}},
      {"use_causal_mask", "mask", {true, false}},
      {"is_causal", "mask", {true, false}},
      {"zero_output_for_mask", "mask", {true, false}},
      {"reset_after", "gate order", {true, false}},
      {"go_backwards", "direction", {true, false}},
      {"activation", "activation", {"tanh", "relu", "linear", "sigmoid", "hard_sigmoid"}},
      {"recurrent_activation", "activation", {"sigmoid", "hard_sigmoid"}},
      {"approximate", "activation", {"tanh", "none"}},
      {"negative_slope", "activation", {0.01, 0.2, 0.3}},
      {"alpha", "activation", {1.0, 0.3}},
      {"padding", "padding", {"same"}},
      {"padding_mode", "padding", {"zeros", "reflect"}},
      {"ceil_mode", "padding", {true, false}},
      {"count_include_pad", "padding", {true, false}},
      {"align_corners", "resizing", {true, false}},
      {"antialias", "resizing", {true, false}},
  };
  return table;
}

// Layers that are a function each, as networks have them with their defaults.
constexpr std::array kCommonFunctions{"ReLU", "GELU", "SiLU", "LeakyReLU", "ELU", "Tanh", "Sigmoid", "Hardswish"};

bool is_function(const LayerType& type) { return type.choice.group == "function"; }

std::string with_function(const std::string& type, const std::string& own) {
  return "with " + type + " in place of " + own;
}

void set_function(SupposedCall& call, const Layer& function, const Attributes& settings) {
  call.layer.type = function.type;
  call.layer.attributes = settings;
  call.node.attributes = {};
}

std::string text_of(const AttributeValue& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return short_number(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return "\"" + shortened(*text) + "\"";
  if (const auto* integers = std::get_if<Axes>(&value)) return to_string(*integers);
  if (const auto* sizes = std::get_if<SymbolicShape>(&value)) return to_string(*sizes);
  return std::holds_alternative<std::monostate>(value) ? "none" : "another";
}

std::string with_setting(const std::string& attribute, const AttributeValue& value, const AttributeValue& own) {
  return "with \"" + attribute + "\" " + text_of(value) + " in place of " + text_of(own);
}

void set_attribute(SupposedCall& call, const std::string& attribute, const AttributeValue& value) {
  (call.node.attributes.contains(attribute) ? call.node.attributes : call.layer.attributes).set(attribute, value);
}

// Elements stop - start of one axis, in another order of its parts.
Tensor parts_in_order(const Tensor& tensor, std::int64_t axis, std::int64_t size, const Axes& order) {
  std::vector<Tensor> parts;
  for (const std::int64_t part : order) parts.push_back(tensor.slice(axis, part * size, (part + 1) * size));
  return concatenate(parts, axis);
}

Tensor flipped(Tensor tensor, std::int64_t axis) {
  Axes order(static_cast<std::size_t>(tensor.shape()[static_cast<std::size_t>(axis)]));
  std::iota(order.rbegin(), order.rend(), 0);
  return parts_in_order(tensor, axis, 1, order);
}

Tensor with_each(const Tensor& tensor, double (*change)(double)) {
  std::vector<double> values = as_doubles(tensor);
  std::ranges::transform(values, values.begin(), change);
  return cast(tensor_of(DType::Float64, tensor.shape(), values), tensor.dtype());
}

Shape without_first(const Shape& shape) { return {shape.begin() + 1, shape.end()}; }

class Suppositions {
 public:
  Suppositions(const SupposedCall& call, const std::optional<Shape>& unflattened)
      : call_(call),
        type_(Registry::instance().type_of(call.layer)),
        settings_(as_called(call.layer, call.node).attributes) {
    add_settings();
    add_functions();
    add_masks();
    if (unflattened) add_columns(*unflattened);
    add_gates();
    for (const NamedTensor& tensor : call.tensors) {
      if (!is_floating_point(tensor.tensor.dtype())) continue;
      add_axes(tensor);
      add_flips(tensor);
      add_reshaped(tensor);
    }
    add_statistics();
    add_exchanged();
    add_biases();
  }

  std::vector<Supposition> take() { return std::move(found_); }

 private:
  SupposedCall& add(const std::string& kind, const std::string& text) {
    return found_.emplace_back(Supposition{kind, text, call_}).call;
  }

  void add_tensor(const std::string& kind, const std::string& text, std::size_t which, Tensor tensor) {
    add(kind, text).tensors[which].tensor = std::move(tensor);
  }
  void add_tensor(const std::string& kind, const std::string& text, const NamedTensor& which, Tensor tensor) {
    add_tensor(kind, text, static_cast<std::size_t>(&which - call_.tensors.data()), std::move(tensor));
  }

  void add_settings() {
    for (const CommonValues& row : common_values()) {
      if (!settings_.contains(row.attribute)) continue;
      const AttributeValue& own = settings_.at(row.attribute);
      for (const AttributeValue& value : row.values)
        if (value != own && (value.index() == own.index() || std::string_view(row.attribute) == "padding"))
          set_attribute(add(row.kind, with_setting(row.attribute, value, own)), row.attribute, value);
    }
    // "same" as PyTorch's networks spell it.
    if (settings_.contains("padding") && settings_.at("padding") == AttributeValue("same"))
      if (const auto* sizes = std::get_if<Axes>(&settings_.at("kernel_size"))) {
        Axes half = *sizes;
        for (std::int64_t& size : half) size /= 2;
        set_attribute(add("padding", with_setting("padding", half, settings_.at("padding"))), "padding", half);
      }
  }

  void add_functions() {
    if (!is_function(type_)) return;
    for (const char* name : kCommonFunctions)
      if (name != type_.name)
        set_function(add("activation", with_function(name, type_.name)), Layer{{}, name, {}, {}}, {});
  }

  void add_masks() {
    for (std::size_t i = 0; i < std::min(type_.operands.size(), call_.node.arguments.size()); ++i) {
      const Operand& operand = type_.operands[i];
      const bool is_mask = !operand.mask_of.empty() || operand.name.find("mask") != std::string::npos;
      const bool is_given = std::holds_alternative<Value>(call_.node.arguments[i]);
      if (!is_mask || !is_given || operand.kind == Operand::Kind::Required) continue;
      SupposedCall& call = add("mask", "without its \"" + operand.name + "\"");
      call.node.arguments[i] = {};
      while (!call.node.arguments.empty() && std::holds_alternative<std::monostate>(call.node.arguments.back()))
        call.node.arguments.pop_back();
    }
  }

  // Of a matrix behind a flatten.
  void add_columns(const Shape& unflattened) {
    for (const NamedTensor& tensor : call_.tensors) {
      const Shape& shape = tensor.tensor.shape();
      if (shape.size() != 2 || unflattened.size() < 2 || shape[1] != element_count(unflattened)) continue;
      const std::int64_t rank = static_cast<std::int64_t>(unflattened.size()) + 1;
      Shape first{shape[0]}, last{shape[0]};
      first.insert(first.end(), unflattened.begin(), unflattened.end());
      last.insert(last.end(), unflattened.begin() + 1, unflattened.end());
      last.push_back(unflattened[0]);
      Axes to_first{0, rank - 1}, to_last{0};
      for (std::int64_t axis = 2; axis < rank; ++axis) to_last.push_back(axis);
      for (std::int64_t axis = 1; axis < rank - 1; ++axis) to_first.push_back(axis);
      to_last.push_back(1);
      const std::string text = "with the columns of \"" + tensor.name + "\" ";
      add_tensor("layout", text + "brought from the order of channels last to channels first", tensor,
                 tensor.tensor.reshape(last).permute(to_first).reshape(shape));
      add_tensor("layout", text + "brought from the order of channels first to channels last", tensor,
                 tensor.tensor.reshape(first).permute(to_last).reshape(shape));
    }
  }

  void add_gates() {
    if (!settings_.contains("hidden_size")) return;
    const auto* size = std::get_if<std::int64_t>(&settings_.at("hidden_size"));
    if (!size || *size < 1) return;
    for (const std::int64_t gates : {3, 4}) {
      const auto has_gates = [&](const NamedTensor& tensor) {
        return !tensor.tensor.shape().empty() && tensor.tensor.shape()[0] == gates * *size;
      };
      if (std::ranges::none_of(call_.tensors, has_gates)) continue;
      Axes order(static_cast<std::size_t>(gates));
      std::iota(order.begin(), order.end(), 0);
      while (std::ranges::next_permutation(order).found) {
        SupposedCall& call = add("gate order", "with its gates in the order " + to_string(order));
        for (NamedTensor& tensor : call.tensors)
          if (has_gates(tensor)) tensor.tensor = parts_in_order(tensor.tensor, 0, *size, order);
      }
    }
  }

  void add_axes(const NamedTensor& tensor) {
    const Shape& shape = tensor.tensor.shape();
    if (shape.size() < 2 || shape.size() > 4) return;
    Axes axes(shape.size());
    std::iota(axes.begin(), axes.end(), 0);
    while (std::ranges::next_permutation(axes).found) {
      const Tensor moved = tensor.tensor.permute(axes);
      if (moved.shape() == shape)
        add_tensor("layout", "with the axes of \"" + tensor.name + "\" in the order " + to_string(axes), tensor, moved);
    }
  }

  // A true convolution flips what a cross-correlation does not.
  void add_flips(const NamedTensor& tensor) {
    if (!settings_.contains("kernel_size") || tensor.tensor.rank() < 3) return;
    Tensor turned = tensor.tensor;
    for (std::int64_t axis = 2; axis < tensor.tensor.rank(); ++axis) turned = flipped(turned, axis);
    add_tensor("flipped kernel", "with the kernels of \"" + tensor.name + "\" flipped", tensor, turned);
  }

  // Elements that stand where Keras has them, under PyTorch's shape.
  void add_reshaped(const NamedTensor& tensor) {
    const Shape& shape = tensor.tensor.shape();
    if (shape.size() < 2) return;
    Shape keras = without_first(without_first(shape));
    keras.push_back(shape[1]);
    keras.push_back(shape[0]);
    const auto rank = static_cast<std::int64_t>(shape.size());
    Axes axes{rank - 1, rank - 2};
    for (std::int64_t axis = 0; axis < rank - 2; ++axis) axes.push_back(axis);
    add_tensor("layout", "with the elements of \"" + tensor.name + "\" read in the order that Keras has them", tensor,
               tensor.tensor.reshape(keras).permute(axes));
  }

  void add_statistics() {
    for (std::size_t i = 0; i < call_.tensors.size(); ++i) {
      const auto& [name, tensor] = call_.tensors[i];
      if (!name.ends_with("running_var")) continue;
      const std::string whose = "with \"" + name + "\" ";
      add_tensor("statistics", whose + "squared (it was a deviation)", i,
                 with_each(tensor, [](double value) { return value * value; }));
      add_tensor("statistics", whose + "as its square root", i,
                 with_each(tensor, [](double value) { return std::sqrt(value); }));
      SupposedCall& call = add("statistics", "with the statistics of a layer that was never trained");
      call.tensors[i].tensor = with_each(tensor, [](double) { return 1.0; });
      for (NamedTensor& other : call.tensors)
        if (other.name.ends_with("running_mean")) other.tensor = zeros(other.tensor.dtype(), other.tensor.shape());
    }
  }

  void add_exchanged() {
    for (std::size_t i = 0; i < call_.tensors.size(); ++i)
      for (std::size_t j = i + 1; j < call_.tensors.size(); ++j) {
        const NamedTensor &a = call_.tensors[i], &b = call_.tensors[j];
        if (a.tensor.shape() != b.tensor.shape() || a.tensor.dtype() != b.tensor.dtype()) continue;
        SupposedCall& call = add("weights", "with \"" + a.name + "\" and \"" + b.name + "\" exchanged");
        std::swap(call.tensors[i].tensor, call.tensors[j].tensor);
      }
  }

  void add_biases() {
    for (const NamedTensor& tensor : call_.tensors)
      if (tensor.name.substr(tensor.name.rfind('.') + 1).starts_with("bias"))
        add_tensor("weights", "with \"" + tensor.name + "\" zero", tensor,
                   zeros(tensor.tensor.dtype(), tensor.tensor.shape()));
  }

  const SupposedCall& call_;
  const LayerType& type_;
  const Attributes settings_;
  std::vector<Supposition> found_;
};

}  // namespace

SupposedCall call_in(const Model& model, const Node& node) {
  SupposedCall call{model.architecture->layer_of(node), node, {}};
  for (const ParameterSpec& spec : Registry::instance().type_of(call.layer).parameters(call.layer.attributes)) {
    const std::string name = tensor_name(call.layer.name, spec.name);
    if (const Tensor* tensor = model.weights.find(name)) call.tensors.push_back({name, *tensor});
  }
  return call;
}

std::optional<SupposedCall> call_in(const Model& model, const std::string& node) {
  const Node* found = model.architecture->find_node(node);
  return found ? std::optional(call_in(model, *found)) : std::nullopt;
}

std::vector<Supposition> suppositions(const SupposedCall& call, const std::optional<Shape>& unflattened) {
  return Suppositions(call, unflattened).take();
}

std::vector<Supposition> suppositions_of_another(const SupposedCall& call, const SupposedCall& other) {
  std::vector<Supposition> found;
  if (call.layer.type != other.layer.type) {
    const Registry& registry = Registry::instance();
    if (!is_function(registry.type_of(call.layer)) || !is_function(registry.type_of(other.layer))) return found;
    found.push_back({"activation", with_function(other.layer.type, call.layer.type), call});
    set_function(found.back().call, other.layer, as_called(other.layer, other.node).attributes);
    return found;
  }
  const Attributes own = as_called(call.layer, call.node).attributes;
  for (const auto& [attribute, value] : as_called(other.layer, other.node).attributes) {
    if (!own.contains(attribute) || own.at(attribute) == value) continue;
    const auto row = std::ranges::find(common_values(), attribute, &CommonValues::attribute);
    found.push_back({row == common_values().end() ? "setting" : row->kind,
                     with_setting(attribute, value, own.at(attribute)), call});
    set_attribute(found.back().call, attribute, value);
  }
  return found;
}

}  // namespace h5bridge
