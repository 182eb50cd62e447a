#include "picture/groups.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace h5bridge {
namespace {

using Path = std::vector<std::string>;
using KeepsShape = std::function<bool(const Node&)>;

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

// The deepest path that has both `path` and either where a value is made or where an earlier layer takes it.
Path common_with_value(const Path& path, const Path& made, const Paths& taken) {
  const Path both = common(path, made);
  const Path used = innermost(taken, path);
  return used.size() > both.size() ? used : both;
}

// Where a function without a path joins values that one module's layers make, or what the module was given with what it
// made of it, as a residual block's sum does, it ends that module's work; and so does what follows it directly and
// keeps its shape, which in a block is its last function.
std::vector<Path> joined_paths(const std::vector<Node>& nodes, const std::map<std::string, std::size_t>& number,
                               const KeepsShape& keeps_shape) {
  std::vector<Path> result(nodes.size());
  std::vector<bool> joins(nodes.size());
  std::map<std::string, Paths> takers;  // of each node's or input's values
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::map<std::string, Path> makers;
    for (const Value& value : nodes[i].values())
      makers.emplace(value.node, number.contains(value.node) ? result[number.at(value.node)] : Path());
    if (const std::optional<Path> own = path_of(nodes[i].layer)) {
      result[i] = *own;
      for (const auto& [maker, path] : makers) add(takers[maker], {*own});
      continue;
    }
    joins[i] = makers.size() > 1;
    if (makers.empty()) continue;
    const auto before = number.find(makers.begin()->first);
    if (!joins[i]) {
      if (before != number.end() && joins[before->second] && keeps_shape(nodes[i])) result[i] = result[before->second];
      continue;
    }
    for (const auto& [maker, path] : makers) {
      Path whole = path;
      for (const auto& [other, made] : makers)
        if (other != maker) whole = common_with_value(whole, made, takers[other]);
      if (whole.size() > result[i].size()) result[i] = std::move(whole);
    }
  }
  return result;
}

// What has no path is within whatever has all that it leads to, and something that leads to it.
std::vector<Path> paths_of(const Architecture& architecture, const KeepsShape& keeps_shape) {
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
  const std::vector<Path> joined = joined_paths(nodes, number, keeps_shape);
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

NodeGroups groups_of(const Architecture& architecture, const KeepsShape& keeps_shape) {
  return architecture.scope_calls.empty() ? Groups(paths_of(architecture, keeps_shape)).take()
                                          : scope_groups(architecture);
}

}  // namespace h5bridge
