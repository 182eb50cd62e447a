#include "pytorch/whole_module/transformer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/whole_module/layer.h"
#include "pytorch/whole_module/pickled_module.h"

namespace h5bridge {
namespace {

/// A module of those, and its calls of its parts.
class Block {
 public:
  Block(ModuleGraph& graph, const pickle::Value& module, const std::string& path)
      : graph_(graph), module_(module), path_(path) {}

  Value part(const std::string& name, const std::vector<Value>& given) const {
    return graph_.call_part(module_, path_, name, given);
  }
  Value sum(const Value& a, const Value& b) const { return graph_.call_function("add", "add", {a, b}); }
  bool has(const std::string& name) const {
    const NamedRefs children = children_of(module_);
    return std::ranges::any_of(children, [&](const auto& child) { return child.first == name; });
  }
  bool is_norm_first() const {  // which versions before 1.10 did not have
    const pickle::Ref stated = attribute_of(module_, "norm_first");
    const auto* truth = stated ? stated->as<bool>() : nullptr;
    return truth && *truth;
  }

  /// The layers of a stack, one after the other, and the norm behind them if there is one.
  Value stack(Value x, const std::vector<Value>& beside) const {
    for (const auto& [name, holder] : children_of(module_)) {
      if (name != "layers") continue;
      refuse_own_code(*holder, inner(name));
      for (const auto& [number, layer] : children_of(*holder)) {
        std::vector<Value> given{x};
        given.insert(given.end(), beside.begin(), beside.end());
        x = graph_.call(*layer, inner(name) + "." + number, given);
      }
    }
    return has("norm") ? part("norm", {x}) : x;
  }

  Value attend(const std::string& attention, const std::string& dropout, const Value& x, const Value& memory) const {
    const Json::Object without_weights{{"need_weights", false}};
    return part(dropout, {graph_.call_part(module_, path_, attention, {x, memory, memory}, without_weights)});
  }
  Value feed_forward(const Value& x, const std::string& last_dropout) const {
    return part(last_dropout, {part("linear2", {part("dropout", {activated(part("linear1", {x}))})})});
  }

 private:
  std::string inner(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }
  Value activated(const Value& x) const;

  ModuleGraph& graph_;
  const pickle::Value& module_;
  const std::string& path_;
};

/// By the name of the function; without one it is relu, as torch's __setstate__ has it.
Value Block::activated(const Value& x) const {
  static constexpr std::array<std::pair<std::string_view, const char*>, 2> kFunctions{
      {{"relu", "ReLU"}, {"gelu", "GELU"}}};
  if (has("activation")) return part("activation", {x});
  const pickle::Ref stated = attribute_of(module_, "activation");
  const auto* global = stated ? stated->as<pickle::Global>() : nullptr;
  const bool is_torchs = global && (global->module == "torch" || global->module.starts_with("torch."));
  for (const auto& [name, type] : kFunctions)
    if (!stated || (is_torchs && global->name == name)) return graph_.call_function(type, std::string(name), {x});
  throw Unsupported(describe_module(module_, path_) + " has an activation that is code: " +
                    shortened(global ? global->path() : pickle::describe(*stated)));
}

Value encoder_layer(ModuleGraph& graph, const pickle::Value& module, const std::string& path,
                    const std::vector<Value>& given) {
  const Block block(graph, module, path);
  Value x = given[0];
  const auto attend = [&](const Value& y) { return block.attend("self_attn", "dropout1", y, y); };
  if (block.is_norm_first()) {
    x = block.sum(x, attend(block.part("norm1", {x})));
    return block.sum(x, block.feed_forward(block.part("norm2", {x}), "dropout2"));
  }
  x = block.part("norm1", {block.sum(x, attend(x))});
  return block.part("norm2", {block.sum(x, block.feed_forward(x, "dropout2"))});
}

Value decoder_layer(ModuleGraph& graph, const pickle::Value& module, const std::string& path,
                    const std::vector<Value>& given) {
  const Block block(graph, module, path);
  Value x = given[0];
  const Value& memory = given[1];
  const auto attend = [&](const Value& y) { return block.attend("self_attn", "dropout1", y, y); };
  const auto look = [&](const Value& y) { return block.attend("multihead_attn", "dropout2", y, memory); };
  if (block.is_norm_first()) {
    x = block.sum(x, attend(block.part("norm1", {x})));
    x = block.sum(x, look(block.part("norm2", {x})));
    return block.sum(x, block.feed_forward(block.part("norm3", {x}), "dropout3"));
  }
  x = block.part("norm1", {block.sum(x, attend(x))});
  x = block.part("norm2", {block.sum(x, look(x))});
  return block.part("norm3", {block.sum(x, block.feed_forward(x, "dropout3"))});
}

Value stack(ModuleGraph& graph, const pickle::Value& module, const std::string& path, const std::vector<Value>& given) {
  return Block(graph, module, path).stack(given[0], {given.begin() + 1, given.end()});
}

Value transformer(ModuleGraph& graph, const pickle::Value& module, const std::string& path,
                  const std::vector<Value>& given) {
  const Block block(graph, module, path);
  return block.part("decoder", {given[1], block.part("encoder", {given[0]})});
}

const std::array<TransformerModule, 5>& table() {
  static const std::array<TransformerModule, 5> modules{{
      {"TransformerEncoderLayer", {"src"}, encoder_layer},
      {"TransformerDecoderLayer", {"tgt", "memory"}, decoder_layer},
      {"TransformerEncoder", {"src"}, stack},
      {"TransformerDecoder", {"tgt", "memory"}, stack},
      {"Transformer", {"src", "tgt"}, transformer},
  }};
  return modules;
}

}  // namespace

const TransformerModule* transformer_named(std::string_view class_name) {
  const auto found = std::ranges::find(table(), class_name, &TransformerModule::name);
  return found == table().end() ? nullptr : &*found;
}

}  // namespace h5bridge
