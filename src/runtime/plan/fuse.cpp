#include "runtime/plan/fuse.h"

#include <algorithm>

namespace h5bridge::plan {
namespace {

void drop(Graph& graph, const std::vector<bool>& dropped) {
  std::vector<Node> kept;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (!dropped[i]) kept.push_back(std::move(graph.nodes[i]));
  graph.nodes = std::move(kept);
}

void drop_identities(Graph& graph) {
  std::vector<Slot> stands_for(graph.values.size());
  for (Slot slot = 0; slot < stands_for.size(); ++slot) stands_for[slot] = slot;
  std::vector<bool> dropped(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    for (Slot& slot : node.inputs) slot = stands_for[slot];
    for (auto& [name, slot] : node.named_inputs) slot = stands_for[slot];
    if (!std::holds_alternative<Identity>(node.operation)) continue;
    stands_for[node.output()] = node.inputs[0];
    dropped[i] = true;
  }
  for (Slot& slot : graph.outputs) slot = stands_for[slot];
  drop(graph, dropped);
}

// The parts of a layer that end with its weights: nothing follows them yet.
template <typename Kind>
Kind* ends_with_weights(Node& node) {
  auto* kind = std::get_if<Kind>(&node.operation);
  return kind && !kind->afterwards.function && !node.activation && !node.addend ? kind : nullptr;
}

bool ends_with_weights(Node& node) { return ends_with_weights<Convolution>(node) || ends_with_weights<Linear>(node); }

template <typename Weighted>
void fold(Weighted& into, const ChannelAffine& affine) {
  const torch::Tensor weight = into.weight.detach().to(torch::kDouble);
  std::vector<std::int64_t> along(static_cast<std::size_t>(weight.dim()), 1);
  along[0] = -1;
  into.weight = (weight * affine.scale.view(along)).to(torch::kFloat);
  const torch::Tensor bias = into.bias.defined() ? into.bias.detach() * affine.scale + affine.shift : affine.shift;
  into.bias = bias.to(torch::kFloat);
}

// Whether the channels that `affine` is for are those that the node makes.
bool fold_into(Node& node, const ChannelAffine& affine, std::size_t rank) {
  if (auto* convolution = ends_with_weights<Convolution>(node)) {
    if (convolution->channels_last != affine.on_last_axis) return false;
    fold(*convolution, affine);
    return true;
  }
  auto* linear = ends_with_weights<Linear>(node);
  if (!linear || !(affine.on_last_axis || rank == 2)) return false;
  fold(*linear, affine);
  return true;
}

// Hands each node for which `joins(node, maker)` says so to the node that makes its input, if nobody else wants that.
template <typename Joins>
void join_to_makers(Graph& graph, Joins&& joins) {
  const std::vector<std::size_t> uses = graph.uses();
  std::vector<std::size_t> makers = graph.makers();
  std::vector<bool> dropped(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (node.inputs.empty() || uses[node.inputs[0]] != 1) continue;
    const std::size_t maker = makers[node.inputs[0]];
    if (maker == graph.nodes.size() || !joins(node, graph.nodes[maker])) continue;
    graph.nodes[maker].outputs = node.outputs;
    makers[node.output()] = maker;
    dropped[i] = true;
  }
  drop(graph, dropped);
}

void fold_affines(Graph& graph) {
  join_to_makers(graph, [&](const Node& node, Node& maker) {
    const auto* affine = std::get_if<ChannelAffine>(&node.operation);
    return affine && fold_into(maker, *affine, graph.values[node.inputs[0]].sizes.size());
  });
}

// What oneDNN adds to may be followed by a ReLU alone.
void join_activations(Graph& graph) {
  join_to_makers(graph, [](const Node& node, Node& maker) {
    const auto* activation = std::get_if<Activation>(&node.operation);
    if (!activation || maker.activation) return false;
    const bool is_sum =
        maker.addend && activation->name == "relu" && std::holds_alternative<Convolution>(maker.operation);
    if (!is_sum && !ends_with_weights(maker)) return false;
    maker.activation = *activation;
    return true;
  });
}

// A convolution that makes one of two addends takes the other one in, and the place of their sum.
void join_sums(Graph& graph) {
  const std::vector<std::size_t> uses = graph.uses();
  std::vector<std::size_t> makers = graph.makers();
  std::vector<bool> dropped(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (!std::holds_alternative<Sum>(node.operation)) continue;
    if (graph.values[node.inputs[0]].sizes != graph.values[node.inputs[1]].sizes) continue;
    std::size_t chosen = graph.nodes.size();
    for (const Slot slot : node.inputs) {
      const std::size_t maker = makers[slot];
      if (maker < graph.nodes.size() && uses[slot] == 1 && ends_with_weights<Convolution>(graph.nodes[maker]) &&
          (chosen == graph.nodes.size() || maker > chosen))
        chosen = maker;
    }
    if (chosen == graph.nodes.size()) continue;
    Node joined = graph.nodes[chosen];
    joined.addend = joined.output() == node.inputs[0] ? node.inputs[1] : node.inputs[0];
    joined.outputs = node.outputs;
    graph.nodes[i] = std::move(joined);
    dropped[chosen] = true;
  }
  drop(graph, dropped);
}

// Zeros around all that convolutions take are these convolutions' own.
void join_padding(Graph& graph) {
  std::vector<std::size_t> uses = graph.uses();
  std::vector<bool> dropped(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* padding = std::get_if<ZeroPadding>(&graph.nodes[i].operation);
    if (!padding ||
        !std::ranges::all_of(padding->margins, [](const Margins& m) { return m.before == m.after && m.before >= 0; }))
      continue;
    const Slot padded = graph.nodes[i].output();
    std::vector<Node*> users;
    for (Node& node : graph.nodes) {
      auto* convolution = std::get_if<Convolution>(&node.operation);
      if (convolution && !convolution->lengthened && node.inputs[0] == padded &&
          convolution->channels_last == padding->channels_last)
        users.push_back(&node);
    }
    if (users.size() != uses[padded]) continue;
    for (Node* user : users) {
      auto& own = std::get<Convolution>(user->operation).padding;
      for (std::size_t axis = 0; axis < own.size(); ++axis) own[axis] += padding->margins[axis].before;
      user->inputs[0] = graph.nodes[i].inputs[0];
    }
    dropped[i] = true;
  }
  drop(graph, dropped);
}

}  // namespace

void fuse(Graph& graph) {
  drop_identities(graph);
  join_padding(graph);
  fold_affines(graph);
  join_sums(graph);
  join_activations(graph);
}

}  // namespace h5bridge::plan
