#include "convert/likely_cause.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/numbers.h"

namespace h5bridge {
namespace {

// Runs of the whole model, where the layer is not known: fewer of a large one.
constexpr std::int64_t kMostRuns = 200;
constexpr std::int64_t kMostElements = 400'000'000;  // of weights, in all of these runs

using Outputs = std::vector<Tensor>;

Outputs tensors_of(const std::vector<NamedTensor>& named) {
  Outputs tensors;
  for (const NamedTensor& item : named) tensors.push_back(item.tensor);
  return tensors;
}

// A supposition may fit no layer: then it is not what is meant.
template <typename Compute>
bool is_right(const Judge& judge, Compute&& compute) {
  try {
    return judge(compute());
  } catch (const std::exception&) {
    return false;
  }
}

Model with_call(Model model, const SupposedCall& call) {
  Architecture& architecture = *model.architecture;
  *architecture.find_layer(call.layer.name) = call.layer;
  *std::ranges::find(architecture.nodes, call.node.name, &Node::name) = call.node;
  for (const NamedTensor& tensor : call.tensors) model.weights.set(tensor.name, tensor.tensor);
  return model;
}

class Trials {
 public:
  explicit Trials(const FedModel& fed) : fed_(fed), model_(*fed.model.architecture) {
    for (std::size_t i = 0; i < model_.inputs.size(); ++i) made_[model_.inputs[i].name] = {fed.inputs.at(i).tensor};
    make_runner(fed.model, fed.options)->run(fed.inputs, [&](const std::string& node, const Outputs& outputs) {
      made_[node] = outputs;
    });
  }

  /// Of the call by itself, on what it is fed in the model.
  Outputs outputs_alone(const SupposedCall& call) const {
    Model alone;
    alone.framework = Framework::Torch;
    Architecture& architecture = alone.architecture.emplace();
    Node node = call.node;
    node.scope_call.clear();
    std::vector<NamedTensor> inputs;
    std::map<Value, std::string> names;
    const auto take = [&](Value& value) {
      const auto [known, is_new] = names.emplace(value, "argument_" + std::to_string(names.size()));
      if (is_new) {
        const Tensor& tensor = made_.at(value.node).at(static_cast<std::size_t>(value.output));
        const SymbolicShape shape(tensor.shape().begin(), tensor.shape().end());
        architecture.inputs.push_back({known->second, shape, tensor.dtype()});
        inputs.push_back({known->second, tensor});
      }
      value = {known->second, 0};
    };
    for (Node::Argument& argument : node.arguments) {
      if (auto* value = std::get_if<Value>(&argument)) take(*value);
      if (auto* list = std::get_if<Node::List>(&argument))
        for (std::optional<Value>& value : *list)
          if (value) take(*value);
    }
    architecture.layers.push_back(call.layer);
    architecture.outputs.push_back({"", {node.name, 0}});
    architecture.nodes.push_back(std::move(node));
    for (const NamedTensor& tensor : call.tensors) alone.weights.add(tensor.name, tensor.tensor);
    return tensors_of(make_runner(alone, fed_.options)->run(inputs));
  }

  Outputs outputs_of(const Model& model) const {
    return tensors_of(make_runner(model, fed_.options)->run(fed_.inputs));
  }

  std::vector<Supposition> suppositions_of(const Node& node) const {
    return suppositions(call_in(fed_.model, node), unflattened(node));
  }

 private:
  /// The shape of what a flatten before the call was given, without the batch.
  std::optional<Shape> unflattened(const Node& node) const {
    const Node* at = &node;
    for (std::size_t steps = 0; steps < model_.nodes.size(); ++steps) {
      const std::vector<Value> values = at->values();
      const Node* before = values.empty() ? nullptr : model_.find_node(values.front().node);
      if (!before || before->values().size() != 1) return std::nullopt;
      const Shape& given = made_.at(before->values().front().node).at(0).shape();
      const Shape& flat = made_.at(before->name).at(0).shape();
      if (flat.size() != 2) return std::nullopt;
      if (given.size() > 2) return Shape(given.begin() + 1, given.end());
      at = before;
    }
    return std::nullopt;
  }

  const FedModel& fed_;
  const Architecture& model_;
  std::map<std::string, Outputs> made_;  // by input or node
};

// What may have been done to an input.
struct InputChange {
  const char* text;
  double factor;
  double shift;
};
constexpr std::array<InputChange, 4> kInputChanges{{{"divided by 255", 1 / 255.0, 0},
                                                    {"multiplied by 255", 255, 0},
                                                    {"brought from 0..255 to -1..1", 1 / 127.5, -1},
                                                    {"brought from 0..1 to -1..1", 2, -1}}};

// Of each input, another tensor of its shape, and how it came about.
std::vector<std::pair<std::string, Tensor>> other_inputs(const NamedTensor& input) {
  std::vector<std::pair<std::string, Tensor>> result;
  const Tensor& tensor = input.tensor;
  if (!is_floating_point(tensor.dtype())) return result;
  const std::string whose = "with the input \"" + input.name + "\" ";
  for (const InputChange& change : kInputChanges) {
    std::vector<double> values = as_doubles(tensor);
    for (double& value : values) value = value * change.factor + change.shift;
    result.emplace_back(whose + change.text, cast(tensor_of(DType::Float64, tensor.shape(), values), tensor.dtype()));
  }
  if (tensor.rank() < 3 || tensor.rank() > 5) return result;
  std::vector<Tensor> channels;
  for (std::int64_t i = tensor.shape()[1]; i-- > 0;) channels.push_back(tensor.slice(1, i, i + 1));
  if (channels.size() > 1)
    result.emplace_back(whose + "with its channels the other way round (BGR, RGB)", concatenate(channels, 1));
  std::vector<std::int64_t> axes(static_cast<std::size_t>(tensor.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  while (std::next_permutation(axes.begin() + 1, axes.end())) {
    const Tensor moved = tensor.permute(axes);
    if (moved.shape() == tensor.shape())
      result.emplace_back(whose + "with its axes in the order " + to_string(axes), moved.contiguous());
  }
  return result;
}

std::optional<LikelyCause> cause_in_inputs(const FedModel& fed, const Judge& outputs_are_right) {
  for (std::size_t i = 0; i < fed.inputs.size(); ++i)
    for (const auto& [text, tensor] : other_inputs(fed.inputs[i])) {
      std::vector<NamedTensor> inputs = fed.inputs;
      inputs[i].tensor = tensor;
      if (is_right(outputs_are_right, [&] { return tensors_of(make_runner(fed.model, fed.options)->run(inputs)); }))
        return LikelyCause{"", "input", text, true};
    }
  return std::nullopt;
}

std::int64_t runs_for(const Model& model) {
  std::int64_t elements = 1;
  for (const NamedTensor& tensor : model.weights) elements += tensor.tensor.element_count();
  return std::clamp<std::int64_t>(kMostElements / elements, 10, kMostRuns);
}

// The text without the layer's name, by which what is done to several layers is one.
std::string without_names(const Supposition& supposition) {
  std::string text = supposition.text;
  const std::string name = "\"" + supposition.call.layer.name + ".";
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; ++at) text.replace(at, name.size(), "\"");
  return text;
}

// What the layer is called, without where it stands and the number that makes it one of several: "bn" of
// "block.1.bn_2".
std::string kind_of_name(const std::string& name) {
  std::string last = name.substr(name.rfind('.') + 1);
  last.erase(last.find_last_not_of("0123456789") + 1);
  return last.ends_with('_') ? last.substr(0, last.size() - 1) : last;
}

using Members = std::vector<const Supposition*>;

// What is done alike to several layers: to all of them, and to those that go by one name.
std::vector<std::pair<std::string, Members>> alike_in(const std::vector<Supposition>& all) {
  std::map<std::string, Members> everywhere;
  std::map<std::pair<std::string, std::string>, Members> by_name;
  for (const Supposition& supposition : all) {
    const std::string text = without_names(supposition);
    everywhere[text].push_back(&supposition);
    by_name[{text, kind_of_name(supposition.call.layer.name)}].push_back(&supposition);
  }
  std::vector<std::pair<std::string, Members>> result;
  for (const auto& [text, members] : everywhere)
    if (members.size() > 1) result.emplace_back(text, members);
  for (const auto& [key, members] : by_name)
    if (members.size() > 1 && members.size() < everywhere.at(key.first).size()) result.emplace_back(key.first, members);
  return result;
}

std::optional<LikelyCause> cause_in_several(const FedModel& fed, const Trials& trials, const Members& members,
                                            const std::string& text, const Judge& outputs_are_right) {
  Model changed = fed.model;
  for (const Supposition* member : members) changed = with_call(std::move(changed), member->call);
  if (!is_right(outputs_are_right, [&] { return trials.outputs_of(changed); })) return std::nullopt;
  return LikelyCause{"", members[0]->kind, text + ", in " + std::to_string(members.size()) + " layers,", true};
}

// What makes one layer right, done to all that are like it.
std::optional<LikelyCause> cause_in_all_alike(const FedModel& fed, const Trials& trials, const Supposition& right,
                                              const std::optional<SupposedCall>& other,
                                              const Judge& outputs_are_right) {
  const std::string wanted = without_names(right);
  std::vector<Supposition> all;
  for (const Node& node : fed.model.architecture->nodes) {
    std::vector<Supposition> of_node;
    if (other) of_node = suppositions_of_another(call_in(fed.model, node), *other);
    std::ranges::move(trials.suppositions_of(node), std::back_inserter(of_node));
    const auto same = std::ranges::find(of_node, wanted, without_names);
    if (same != of_node.end()) all.push_back(std::move(*same));
  }
  for (const auto& [text, members] : alike_in(all))
    if (auto cause = cause_in_several(fed, trials, members, text, outputs_are_right)) return cause;
  return std::nullopt;
}

}  // namespace

std::string describe(const LikelyCause& cause) {
  return "likely cause, " + cause.kind + ": " + cause.text + " " +
         (cause.explains_all ? "all outputs agree" : "this layer agrees, and what follows it still differs");
}

Json to_json(const std::optional<LikelyCause>& cause) {
  if (!cause) return {};
  return Json::Object{{"kind", cause->kind},
                      {"what", cause->text},
                      {"layer", cause->layer.empty() ? Json() : Json(cause->layer)},
                      {"all_outputs_agree", cause->explains_all}};
}

std::optional<LikelyCause> likely_cause_in(const std::string& name, const FedModel& fed, const Judge& layer_is_right,
                                           const Judge& outputs_are_right,
                                           const std::optional<SupposedCall>& other) try {
  const Node* node = fed.model.architecture->find_node(name);
  if (!node) return std::nullopt;
  const Trials trials(fed);
  std::vector<Supposition> all;
  if (other) all = suppositions_of_another(call_in(fed.model, *node), *other);
  std::ranges::move(trials.suppositions_of(*node), std::back_inserter(all));
  for (const Supposition& supposition : all) {
    if (!is_right(layer_is_right, [&] { return trials.outputs_alone(supposition.call); })) continue;
    const bool explains_all =
        is_right(outputs_are_right, [&] { return trials.outputs_of(with_call(fed.model, supposition.call)); });
    if (!explains_all)
      if (auto cause = cause_in_all_alike(fed, trials, supposition, other, outputs_are_right)) return cause;
    return LikelyCause{name, supposition.kind, supposition.text, explains_all};
  }
  return std::nullopt;
} catch (const std::exception&) {  // what cannot be tried is no reason to say nothing of the difference
  return std::nullopt;
}

std::optional<LikelyCause> likely_cause_anywhere(const FedModel& fed, const Judge& outputs_are_right) try {
  if (auto cause = cause_in_inputs(fed, outputs_are_right)) return cause;
  const Trials trials(fed);
  std::vector<Supposition> all;
  for (const Node& node : fed.model.architecture->nodes)
    std::ranges::move(trials.suppositions_of(node), std::back_inserter(all));
  std::int64_t runs = runs_for(fed.model);
  for (const auto& [text, members] : alike_in(all)) {
    if (runs-- <= 0) break;
    if (auto cause = cause_in_several(fed, trials, members, text, outputs_are_right)) return cause;
  }
  for (const Supposition& supposition : all) {
    if (runs-- <= 0) break;
    if (is_right(outputs_are_right, [&] { return trials.outputs_of(with_call(fed.model, supposition.call)); }))
      return LikelyCause{supposition.call.node.name, supposition.kind,
                         "in the layer \"" + supposition.call.node.name + "\", " + supposition.text, true};
  }
  return std::nullopt;
} catch (const std::exception&) {
  return std::nullopt;
}

}  // namespace h5bridge
