#include "keras/layer_order.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace h5bridge {
namespace {

// A walk from the outputs backwards, depth first.
struct Walk {
  std::vector<KerasCallId> finished;                   // every call after those it depends on
  std::vector<std::optional<std::size_t>> first_seen;  // of each layer: how many layers were met before it
};

class Walker {
 public:
  explicit Walker(const KerasGraph& graph) : graph_(graph) { walk_.first_seen.resize(graph.size()); }

  void visit(KerasCallId output) {
    enter(output);
    while (!open_.empty()) {
      auto& [call, next] = open_.back();
      const auto& inputs = graph_.at(call.layer).at(call.call);
      if (next < inputs.size()) {
        enter(inputs[next++]);
      } else {
        walk_.finished.push_back(call);
        open_.pop_back();
      }
    }
  }

  Walk take() { return std::move(walk_); }

 private:
  struct Open {
    KerasCallId call;
    std::size_t next_input = 0;
  };

  void enter(KerasCallId call) {
    if (!entered_.insert(call).second) return;
    if (auto& seen = walk_.first_seen.at(call.layer); !seen) seen = layers_seen_++;
    open_.push_back({call});
  }

  const KerasGraph& graph_;
  Walk walk_;
  std::vector<Open> open_;
  std::set<KerasCallId> entered_;
  std::size_t layers_seen_ = 0;
};

// How far each layer is from the outputs; a layer that is called several times counts from where it was deepest so far.
std::vector<std::size_t> depths_of(const KerasGraph& graph, const std::vector<KerasCallId>& finished) {
  std::vector<std::size_t> layer_depths(graph.size());
  std::map<KerasCallId, std::size_t> call_depths;
  for (auto call = finished.rbegin(); call != finished.rend(); ++call) {
    std::size_t& layer_depth = layer_depths[call->layer];
    layer_depth = std::max(layer_depth, call_depths[*call]);
    for (const KerasCallId& input : graph[call->layer][call->call]) {
      std::size_t& depth = call_depths[input];
      depth = std::max(depth, layer_depth + 1);
    }
  }
  return layer_depths;
}

}  // namespace

std::vector<std::size_t> keras_order(const KerasGraph& graph, const std::vector<KerasCallId>& outputs) {
  Walker walker(graph);
  for (const KerasCallId& output : outputs) walker.visit(output);
  const Walk walk = walker.take();
  const std::vector<std::size_t> depths = depths_of(graph, walk.finished);
  std::vector<std::size_t> order(graph.size());
  std::iota(order.begin(), order.end(), 0);
  // An absent first_seen compares less than any.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(depths[b], walk.first_seen[a]) < std::pair(depths[a], walk.first_seen[b]);
  });
  return order;
}

}  // namespace h5bridge
