#include "picture/groups.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace h5bridge {
namespace {

using Path = std::vector<std::string>;

std::string text_of(const Path& path) {
  std::string text;
  for (const std::string& part : path) text += (text.empty() ? "" : ".") + part;
  return text;
}

Path common(const Path& a, const Path& b) {
  const auto [end, other] = std::ranges::mismatch(a, b);
  return {a.begin(), end};
}

// Where a layer's module stands: "layer1.0" of "layer1.0.conv1"; nullopt for a name without a path.
std::optional<Path> path_of(const std::string& layer) {
  Path path;
  std::size_t begin = 0;
  for (std::size_t dot; (dot = layer.find('.', begin)) != std::string::npos; begin = dot + 1)
    path.push_back(layer.substr(begin, dot - begin));
  return path.empty() ? std::nullopt : std::optional(path);
}

// Narrowed to what both have in common.
void meet(std::optional<Path>& known, const Path& other) { known = known ? common(*known, other) : other; }

// The paths that lead to a node; a few tell as much as all.
using Paths = std::set<Path>;
constexpr std::size_t kMostPaths = 8;

void add(Paths& to, const Paths& more) {
  for (const Path& path : more)
    if (to.size() < kMostPaths) to.insert(path);
}

// As deep in what it leads to as something is that leads to it: the sum of a residual block belongs to the block.
Path innermost(const Paths& before, const Path& led_to) {
  Path best;
  for (const Path& path : before)
    if (Path both = common(path, led_to); both.size() > best.size()) best = std::move(both);
  return best;
}

// Groups of paths that several nodes have.
class Groups {
 public:
  explicit Groups(const std::vector<Path>& paths) {
    std::map<Path, std::size_t> counts;
    for (const Path& path : paths)
      for (Path part = path; !part.empty(); part.pop_back()) ++counts[part];
    for (const auto& [path, count] : counts) {  // outer ones come first
      if (count < 2) continue;
      numbers_.emplace(path, result_.names.size());
      result_.names.push_back(text_of(path));
      result_.parents.push_back(found(Path(path.begin(), path.end() - 1)));
    }
    for (const Path& path : paths) result_.of_nodes.push_back(found(path));
  }
  NodeGroups take() { return std::move(result_); }

 private:
  std::optional<std::size_t> found(Path path) const {
    for (; !path.empty(); path.pop_back())
      if (const auto known = numbers_.find(path); known != numbers_.end()) return known->second;
    return std::nullopt;
  }

  NodeGroups result_;
  std::map<Path, std::size_t> numbers_;
};

// Where a function without a path joins values that one module's layers make, it ends that module's work, as a residual
// block's sum does; and so does what follows it directly, which in a block is its last function.
std::vector<Path> joined_paths(const std::vector<Node>& nodes, const std::map<std::string, std::size_t>& number) {
  std::vector<Path> result(nodes.size());
  std::vector<bool> joins(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (const std::optional<Path> own = path_of(nodes[i].layer)) {
      result[i] = *own;
      continue;
    }
    std::set<std::size_t> makers;
    for (const Value& value : nodes[i].values())
      makers.insert(number.contains(value.node) ? number.at(value.node) : nodes.size());
    if (makers.contains(nodes.size())) continue;
    joins[i] = makers.size() > 1;
    if (!joins[i] && (makers.empty() || !joins[*makers.begin()])) continue;
    const Path& path = result[*makers.begin()];
    if (std::ranges::all_of(makers, [&](std::size_t maker) { return result[maker] == path; })) result[i] = path;
  }
  return result;
}

// What has no path is within whatever has all that it leads to, and something that leads to it.
std::vector<Path> paths_of(const Architecture& architecture) {
  const std::vector<Node>& nodes = architecture.nodes;
  std::map<std::string, std::size_t> number;
  std::vector<Paths> before(nodes.size());
  std::vector<std::optional<Path>> after(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    number[nodes[i].name] = i;
    if (const std::optional<Path> own = path_of(nodes[i].layer)) {
      before[i] = {*own};
      continue;
    }
    for (const Value& value : nodes[i].values())
      if (const auto made = number.find(value.node); made != number.end()) add(before[i], before[made->second]);
  }
  for (const Output& output : architecture.outputs)
    if (const auto made = number.find(output.value.node); made != number.end()) meet(after[made->second], {});
  const std::vector<Path> joined = joined_paths(nodes, number);
  std::vector<Path> result(nodes.size());
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const std::optional<Path> own = path_of(nodes[i].layer);
    const Path led_to = own ? *own : after[i].value_or(Path());
    const bool begins = nodes[i].values().empty();  // a constant stands where it is used
    result[i] = own ? *own : begins ? led_to : innermost(before[i], led_to);
    if (joined[i].size() > result[i].size()) result[i] = joined[i];
    for (const Value& value : nodes[i].values())
      if (const auto made = number.find(value.node); made != number.end()) meet(after[made->second], led_to);
  }
  return result;
}

NodeGroups scope_groups(const Architecture& architecture) {
  NodeGroups result;
  std::map<std::string, std::size_t> numbers;
  // A call stands behind the one that it is a part of, or before it: rounds until all are in.
  for (std::size_t before = architecture.scope_calls.size() + 1; numbers.size() != before;) {
    before = numbers.size();
    for (const ScopeCall& call : architecture.scope_calls) {
      const bool is_ready = call.parent.empty() || numbers.contains(call.parent);
      if (!is_ready || !numbers.emplace(call.name, result.names.size()).second) continue;
      result.names.push_back(call.name == call.scope ? call.name : call.name + " (" + call.scope + ")");
      result.parents.push_back(call.parent.empty() ? std::nullopt : std::optional(numbers.at(call.parent)));
    }
  }
  for (const Node& node : architecture.nodes) {
    const auto found = numbers.find(node.scope_call);
    result.of_nodes.push_back(found == numbers.end() ? std::nullopt : std::optional(found->second));
  }
  return result;
}

}  // namespace

NodeGroups groups_of(const Architecture& architecture) {
  return architecture.scope_calls.empty() ? Groups(paths_of(architecture)).take() : scope_groups(architecture);
}

}  // namespace h5bridge
