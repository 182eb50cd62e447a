// From a Keras configuration to an architecture.
#include <algorithm>
#include <deque>
#include <optional>
#include <set>

#include "h5bridge/error.h"
#include "layers/registry.h"
#include "passes/keras_plan.h"
#include "passes/shapes.h"

namespace h5bridge {
namespace {

// A tensor in inbound_nodes and in input_layers: [layer, call, output].
struct History {
  std::string layer;
  std::int64_t call;
  std::int64_t tensor;
};

History history_of(const Json& json) {
  const Json::Array& triple = json.as_array();
  if (triple.size() < 3) throw MalformedFile("is " + json.dump() + ", expected [layer, call, output]");
  return {triple[0].as_string(), triple[1].as_integer(), triple[2].as_integer()};
}

bool is_history(const Json& json) { return json.is_array() && json.as_array().size() == 3 && json.as_array()[0].is_string() && json.as_array()[1].is_integer(); }

// The tensors among a call's arguments, lists taken apart. Anything else that is not null has no place in our graph.
void collect_tensors(const Json& argument, std::vector<History>& into) {
  if (argument.is_null()) return;
  if (argument.is_array()) {
    for (const Json& element : argument.as_array()) collect_tensors(element, into);
    return;
  }
  if (const Json* class_name = argument.find("class_name"); class_name && *class_name == Json("__keras_tensor__"))
    return into.push_back(history_of(argument.at("config").at("keras_history")));
  throw Unsupported("is called with the argument " + argument.dump());
}

struct PendingCall {
  const Json* layer;
  std::string name;
  std::int64_t call;
  std::vector<History> inputs;
};

class Lifter {
 public:
  Architecture run(const Json& model_config) {
    const std::string& class_name = model_config.at("class_name").as_string();
    const Json& config = model_config.at("config");
    architecture_.keras.set("class_name", class_name);
    if (const Json* name = config.find("name"); name && name->is_string()) {
      architecture_.name = name->as_string();
      architecture_.keras.set("name", *name);
    }
    if (const Json* trainable = config.find("trainable"); trainable && *trainable != Json(true)) architecture_.keras.set("trainable", *trainable);
    if (class_name == "Sequential")
      lift_sequential(config);
    else if (class_name == "Functional" || class_name == "Model")
      lift_functional(config);
    else
      throw Unsupported("a model of class " + class_name + " does not describe its layers; only Sequential and Functional models do");
    if (!problems_.empty()) throw Unsupported(problems_);
    check_graph(architecture_);
    if (differs_from(architecture_, DataFormat::ChannelsFirst))
      architecture_.keras.set("data_format", "channels_last");
    else if (differs_from(architecture_, DataFormat::ChannelsLast))
      architecture_.keras.set("data_format", "channels_first");
    return std::move(architecture_);
  }

 private:
  static const std::string& name_of_layer(const Json& layer) {
    if (const Json* name = layer.find("name"); name && name->is_string()) return name->as_string();
    return layer.at("config").at("name").as_string();
  }

  void lift_sequential(const Json& config) {
    const Json::Array& layers = config.at("layers").as_array();
    std::string last;
    for (const Json& layer : layers) {
      if (layer.at("class_name") == Json("InputLayer")) {
        if (!last.empty()) throw MalformedFile("the input layer \"" + name_of_layer(layer) + "\" is not the first");
        add_input(layer);
      } else {
        if (last.empty()) add_built_input(layer, config);
        add_call({&layer, name_of_layer(layer), 0, {{last.empty() ? architecture_.inputs[0].name : last, 0, 0}}});
      }
      last = name_of_layer(layer);
    }
    if (last.empty()) throw MalformedFile("the model has no layers");
    architecture_.outputs.push_back({"", values_.at({last, 0, 0})});
  }

  // A Sequential model without an InputLayer: the shape it was built with.
  void add_built_input(const Json& first, const Json& config) {
    const Json* shape = first.at("config").find("batch_input_shape");
    if (!shape) shape = config.find("build_input_shape");
    if (!shape || !shape->is_array()) throw Unsupported("the Sequential model was never built, so that its input's shape is not known");
    add_input("input", *shape, DType::Float32);
  }

  void lift_functional(const Json& config) {
    std::deque<PendingCall> pending;
    for (const Json& layer : config.at("layers").as_array()) {
      if (layer.at("class_name") == Json("InputLayer")) {
        input_layers_[name_of_layer(layer)] = &layer;
        continue;
      }
      std::int64_t count = 0;
      for (const Json& node : layer.at("inbound_nodes").as_array()) pending.push_back({&layer, name_of_layer(layer), count++, inputs_of(layer, node)});
    }
    for_each_port(config.at("input_layers"), [&](const std::string&, const History& input) {
      const auto layer = input_layers_.find(input.layer);
      if (layer == input_layers_.end()) throw MalformedFile("the model's input \"" + input.layer + "\" is no InputLayer");
      add_input(*layer->second);
    });
    // Layers come in no promised order; a layer that is called twice may wait for one that stands behind it.
    std::size_t waiting = 0;
    while (!pending.empty()) {
      PendingCall call = std::move(pending.front());
      pending.pop_front();
      const bool ready = std::all_of(call.inputs.begin(), call.inputs.end(), [&](const History& h) { return values_.contains(key(h)); });
      if (ready) {
        add_call(call);
        waiting = 0;
      } else {
        pending.push_back(std::move(call));
        if (++waiting > pending.size()) throw MalformedFile("the layer \"" + pending.front().name + "\" is called with tensors that no layer makes");
      }
    }
    for_each_port(config.at("output_layers"), [&](const std::string& name, const History& output) {
      const auto value = values_.find(key(output));
      if (value == values_.end()) throw MalformedFile("the model's output " + output.layer + " is made by no layer");
      architecture_.outputs.push_back({name, value->second});
    });
  }

  template <typename Visit>
  void for_each_port(const Json& ports, Visit&& visit) {
    if (is_history(ports)) return visit("", history_of(ports));
    if (ports.is_object()) {
      for (const auto& [name, port] : ports.as_object()) visit(name, history_of(port));
      return;
    }
    for (const Json& port : ports.as_array()) visit("", history_of(port));
  }

  std::vector<History> inputs_of(const Json& layer, const Json& node) {
    std::vector<History> result;
    try {
      if (node.is_array()) {  // Keras 1 and 2: [["x", 0, 0, {}], ...]
        for (const Json& input : node.as_array()) {
          result.push_back(history_of(input));
          if (input.as_array().size() > 3) check_kwargs(input.as_array()[3].as_object());
        }
      } else {
        collect_tensors(node.at("args"), result);
        check_kwargs(node.at("kwargs").as_object());
      }
    } catch (const Error& error) {
      rethrow_in_file(error, "layer \"" + name_of_layer(layer) + "\" (" + layer.at("class_name").as_string() + ")");
    }
    return result;
  }

  // Keras writes arguments at their default as well; what those of a rebuilt model do without being told is no loss.
  static void check_kwargs(const Json::Object& kwargs) {
    for (const auto& [name, value] : kwargs) {
      const bool is_default = value.is_null() || (name == "training" && value == Json(false));
      if (!is_default) throw Unsupported("is called with " + name + "=" + value.dump());
    }
  }

  void add_input(const Json& layer) {
    const Json& config = layer.at("config");
    const Json* shape = config.find("batch_shape");
    if (!shape) shape = config.find("batch_input_shape");
    if (!shape) throw MalformedFile("the input \"" + name_of_layer(layer) + "\" has no batch_shape");
    const Json* dtype = config.find("dtype");
    const auto known = dtype && dtype->is_string() ? dtype_named(dtype->as_string()) : DType::Float32;
    if (!known) throw Unsupported("the input \"" + name_of_layer(layer) + "\" has dtype " + dtype->dump());
    add_input(name_of_layer(layer), *shape, *known);
  }

  void add_input(const std::string& name, const Json& shape, DType dtype) {
    Input input{name, {}, dtype};
    for (std::size_t i = 0; i < shape.as_array().size(); ++i) {
      const Json& size = shape.as_array()[i];
      if (!size.is_null())
        input.shape.push_back(size.as_integer());
      else
        input.shape.push_back(i == 0 ? Size::symbol("batch") : open_size());
    }
    values_[{name, 0, 0}] = {name, 0};
    shapes_.set(name, {input.shape});
    architecture_.inputs.push_back(std::move(input));
  }

  // Keras does not say which open sizes are equal, so each gets a symbol of its own.
  Size open_size() { return Size::symbol("size" + std::to_string(++open_sizes_)); }

  void add_call(const PendingCall& call) {
    const std::string& class_name = call.layer->at("class_name").as_string();
    const std::string described = "layer \"" + call.name + "\" (" + class_name + ")";
    std::vector<Value> inputs;
    std::vector<SymbolicShape> shapes;
    for (const History& input : call.inputs) {
      inputs.push_back(values_.at(key(input)));
      shapes.push_back(shapes_.of(inputs.back()));
    }
    const std::string node = call.call == 0 ? call.name : unique_name(call.name, [&](const std::string& n) { return values_.contains({n, 0, 0}); });
    values_[{call.name, call.call, 0}] = {node, 0};
    try {
      // What comes after a layer that is not known cannot be checked; all such layers are reported together.
      const bool known_inputs = std::none_of(shapes.begin(), shapes.end(), [](const SymbolicShape& shape) { return shape.empty(); });
      if (!known_inputs && !Registry::instance().keras_class(class_name).empty()) return shapes_.set(node, {{}});
      if (call.call == 0) add_layer(call, class_name, shapes);
      const Layer& layer = *architecture_.find_layer(call.name);
      shapes_.set(node, Registry::instance().type_of(layer).shapes(layer.attributes, shapes));
    } catch (const Unsupported& error) {
      problems_ += (problems_.empty() ? "" : "; ") + described + ": " + error.what();
      shapes_.set(node, {{}});
    } catch (const Error& error) {
      rethrow_in_file(error, described);
    }
    architecture_.nodes.push_back({node, call.name, std::move(inputs), {}});
  }

  void add_layer(const PendingCall& call, const std::string& class_name, const std::vector<SymbolicShape>& shapes) {
    const auto mappings = Registry::instance().keras_class(class_name);
    if (mappings.empty()) throw Unsupported("there is no layer type for it yet");
    if (shapes.empty()) throw MalformedFile("has no inputs");
    for (const KerasMapping* mapping : mappings) {
      std::optional<Layer> layer = layer_from_config(*mapping, call.layer->at("config").as_object(), shapes);
      if (!layer) continue;
      layer->name = call.name;
      if (Registry::instance().keras_of(layer->type)[0]->class_name != class_name) layer->keras.set("class_name", class_name);
      architecture_.layers.push_back(std::move(*layer));
      return;
    }
    throw Unsupported("its configuration " + call.layer->at("config").dump() + " has no layer type yet");
  }

  using Key = std::tuple<std::string, std::int64_t, std::int64_t>;
  static Key key(const History& history) { return {history.layer, history.call, history.tensor}; }

  Architecture architecture_;
  Shapes shapes_;
  std::map<std::string, const Json*> input_layers_;
  std::map<Key, Value> values_;
  std::string problems_;
  int open_sizes_ = 0;
};

}  // namespace

Architecture architecture_from_keras(const Json& model_config) { return Lifter().run(model_config); }

}  // namespace h5bridge
