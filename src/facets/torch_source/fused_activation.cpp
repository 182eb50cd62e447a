#include "facets/torch_source/fused_activation.h"

#include <algorithm>

#include "facets/registry.h"

namespace h5bridge {
namespace {

// What an Activation layer of that name is read as.
Layer activation_layer(const std::string& name) {
  const Json::Object config{{"activation", name}};
  for (const KerasMapping* mapping : Registry::instance().keras_class("Activation"))
    if (const Json* fixed = mapping->fixed.find("activation"); fixed && *fixed == config.at("activation"))
      return *layer_from_config(*mapping, config, {{}});
  throw Unsupported("activation \"" + name + "\" is not known");
}

// Where there is no call yet.
class HelpersAlone : public SourcePlace {
 public:
  explicit HelpersAlone(std::vector<const PythonHelper*>& helpers) : helpers_(helpers) {}
  Python size(const Size& size) override { throw Unsupported("its size " + size.str() + " is open"); }
  std::string helper(const PythonHelper& helper) override {
    helpers_.push_back(&helper);
    return helper.name;
  }
  std::string device() override { return "x.device"; }

 private:
  std::vector<const PythonHelper*>& helpers_;
};

Python applied(const SourceCall& call, const Layer& layer, const Python& to) {
  const LayerType& type = Registry::instance().type_of(layer);
  const TorchSource& source = torch_source_of(layer);
  const auto& function = source.function ? source.function : source.call;
  if (source.constructor && !source.function)
    throw Unsupported("activation " + layer.type + " within a layer has no Python source");
  return function({layer, type, "", {{to}}, {call.outputs}, call.outputs, call.place});
}

}  // namespace

Python keras_activation_function(const std::string& name, std::vector<const PythonHelper*>& helpers) {
  HelpersAlone place(helpers);
  const Layer outer{};
  const SourceCall call{outer, Registry::instance().type_of(activation_layer("relu")), "", {}, {}, {TensorType{}},
                        place};
  const std::string text = name == "linear" ? "x" : applied(call, activation_layer(name), "x").text;
  const std::string plain = "(x)";
  const std::string function = text.substr(0, text.size() - std::min(text.size(), plain.size()));
  const bool is_call = text.ends_with(plain) && function.find_first_of("( ") == std::string::npos;
  return is_call ? function : "lambda x: " + text;
}

// One that works along an axis is Keras's last, wherever PyTorch has it.
Python with_activation(const SourceCall& call, Python result) {
  const std::string& name = call.attributes().text("activation");
  const std::int64_t axis =
      call.attributes().contains("activation_axis") ? call.attributes().integer("activation_axis") : -1;
  const Layer layer = activation_layer(name);
  if (axis == -1 || !layer.attributes.contains("dim")) return applied(call, layer, result);
  const std::string place = std::to_string(axis);
  const Python moved = applied(call, layer, result.receiver() + ".movedim(" + place + ", -1)");
  return moved.receiver() + ".movedim(-1, " + place + ")";
}

}  // namespace h5bridge
