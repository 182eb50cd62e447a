#include "pytorch/python_source/calls.h"

#include <algorithm>
#include <array>
#include <functional>

#include "facets/registry.h"

namespace h5bridge::torch_source {
namespace {

constexpr std::size_t kMostInputs = 8;  // a module that takes more is none that anybody would call

// The leaves below a module, itself included.
void collect_leaves(const SourceModule& module, std::vector<const SourceModule*>& leaves) {
  if (module.is_leaf()) leaves.push_back(&module);
  for (const auto& child : module.children) collect_leaves(*child, leaves);
}

bool contains(const SourceModule& outer, const SourceModule* inner) {
  for (; inner; inner = inner->parent)
    if (inner == &outer) return true;
  return false;
}

SourceModule* common(SourceModule* a, SourceModule* b) {
  while (a && !contains(*a, b)) a = a->parent;
  return a;
}

// The module that runs what stands at a place: the nearest one around it that is called.
SourceModule* runner_of(SourceModule* place) {
  while (place->parent && !place->is_called) place = place->parent;
  return place;
}

// No node is in two of them.
bool are_apart(const std::vector<std::set<std::size_t>>& groups) {
  std::size_t count = 0;
  std::set<std::size_t> together;
  for (const auto& group : groups) {
    count += group.size();
    together.insert(group.begin(), group.end());
  }
  return count == together.size();
}

void reset(SourceModule& module) {
  module.nodes.clear();
  module.is_called = false;
  for (const auto& child : module.children) reset(*child);
}

}  // namespace

Calls::Calls(ModuleTree& tree) : tree_(tree), purposes_(purposes_of(tree)) {
  index_values();
  analyse();
}

// Two modules that need each other's results in turn are not called as wholes.
void Calls::analyse() {
  SourceModule& root = tree_.root();
  for (;;) {
    reset(root);
    owner_.assign(tree_.architecture().nodes.size(), nullptr);
    calls_.clear();
    sequential_.clear();
    for (const auto& child : root.children) visit(*child);
    root.is_called = true;
    Nodes all;
    for (std::size_t node = 0; node < owner_.size(); ++node) all.insert(node);
    const Architecture& a = tree_.architecture();
    const bool gives_one = a.inputs.size() == 1 && a.outputs.size() == 1 && a.outputs[0].name.empty();
    if (gives_one && !root.children.empty() && is_chain(root, 0, {all})) sequential_.insert(&root);
    calls_[&root] = {std::move(all)};
    place_the_rest();
    const SourceModule* knot = knot_in(root);
    if (!knot) return;
    never_.insert(knot);
  }
}

void Calls::dissolve(const SourceModule& module) {
  never_.insert(&module);
  analyse();
}

void Calls::index_values() {
  const Architecture& a = tree_.architecture();
  before_.resize(a.nodes.size());
  after_.resize(a.nodes.size());
  for (std::size_t i = 0; i < a.nodes.size(); ++i) numbers_[a.nodes[i].name] = i;
  for (std::size_t i = 0; i < a.nodes.size(); ++i)
    for (const Value& value : a.nodes[i].values()) {
      users_[value].push_back(i);
      if (const auto maker = maker_of(value)) {
        before_[i].insert(*maker);
        after_[*maker].insert(i);
      }
    }
  for (const Output& output : a.outputs) ++given_[output.value];
}

std::optional<std::size_t> Calls::maker_of(const Value& value) const {
  const auto found = numbers_.find(value.node);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

const std::vector<std::size_t>& Calls::users_of(const Value& value) const {
  static const std::vector<std::size_t> none;
  const auto found = users_.find(value);
  return found == users_.end() ? none : found->second;
}

const std::string& Calls::purpose_of(const Value& value) const {
  static const std::string none;
  const auto found = purposes_.find(value);
  return found == purposes_.end() ? none : found->second;
}

std::size_t Calls::times_given(const Value& value) const {
  const auto found = given_.find(value);
  return found == given_.end() ? 0 : found->second;
}

// It is made of nothing, a parameter or a range of numbers, and stands where it is used.
bool Calls::is_free(std::size_t node) const { return tree_.architecture().nodes[node].values().empty(); }

bool Calls::is_free_function(std::size_t node) const {
  return !is_free(node) && !owner_[node] && !tree_.module_of(tree_.layer_of(node));
}

bool Calls::keeps_shape(std::size_t node) const {
  const Node& called = tree_.architecture().nodes[node];
  const std::vector<Value> values = called.values();
  const auto& outputs = tree_.types().outputs_of(called.name);
  return values.size() == 1 && outputs.size() == 1 && tree_.types().of(values[0]).shape == outputs[0].shape;
}

// Made of nothing, and reached from within a module: its own tensors are, those of others are not.
bool Calls::is_at_hand(std::size_t node, const SourceModule& module) const {
  if (!is_free(node)) return false;
  const SourceModule* tensor = tree_.module_of(tree_.layer_of(node));
  return !tensor || contains(module, tensor);
}

std::vector<Value> Calls::taken_by(const SourceModule& module, const Nodes& nodes) const {
  std::vector<Value> result;
  for (const std::size_t node : nodes)
    for (const Value& value : tree_.architecture().nodes[node].values()) {
      const auto maker = maker_of(value);
      if (maker && (nodes.contains(*maker) || is_at_hand(*maker, module))) continue;
      if (std::ranges::find(result, value) == result.end()) result.push_back(value);
    }
  return result;
}

std::vector<Value> Calls::given_by(const Nodes& nodes) const {
  std::vector<Value> result;
  for (const std::size_t node : nodes) {
    const Node& called = tree_.architecture().nodes[node];
    const auto count = static_cast<std::int64_t>(tree_.types().outputs_of(called.name).size());
    for (std::int64_t output = 0; output < count; ++output) {
      const Value value{called.name, output};
      // What is made of nothing is made again in another call of the module.
      const bool used_outside = !is_free(node) && std::ranges::any_of(users_of(value), [&](std::size_t user) {
        return !nodes.contains(user);
      });
      if (used_outside || times_given(value) > 0) result.push_back(value);
    }
  }
  return result;
}

// The functions that compute with a tensor, up to where anything else is needed: what is done where it is held.
std::vector<std::size_t> Calls::uses_of(const SourceModule& tensor, const SourceModule& within) const {
  std::set<std::size_t> found;
  std::vector<std::string> made;
  for (const Node* read : tree_.index().calls_of(tensor.path)) made.push_back(read->name);
  while (!made.empty()) {
    const Value value{made.back()};
    made.pop_back();
    for (const std::size_t user : users_of(value)) {
      if (is_free(user) || tree_.module_of(tree_.layer_of(user)) || found.contains(user)) continue;
      if (owner_[user] && !contains(within, owner_[user])) continue;
      found.insert(user);
      const auto is_known = [&](const Value& each) {
        const auto maker = maker_of(each);
        return maker && (is_free(*maker) || found.contains(*maker));
      };
      const Node& node = tree_.architecture().nodes[user];
      if (std::ranges::all_of(node.values(), is_known)) made.push_back(node.name);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::vector<std::size_t>> Calls::calls_within(const SourceModule& module, bool with_tensors) const {
  std::vector<const SourceModule*> leaves;
  collect_leaves(module, leaves);
  std::vector<std::vector<std::size_t>> result;
  for (const SourceModule* leaf : leaves) {
    if (leaf->tensor && with_tensors) result.push_back(uses_of(*leaf, module));
    if (!leaf->layer) continue;
    result.emplace_back();
    for (const Node* call : tree_.index().calls_of(leaf->layer->name)) result.back().push_back(numbers_.at(call->name));
  }
  return result;
}

// How often a module is called as a whole, from how often its parts are.
std::size_t Calls::times_called(const std::vector<std::vector<std::size_t>>& within) {
  std::size_t fewest = 0;
  for (const auto& calls : within)
    if (!calls.empty()) fewest = fewest == 0 ? calls.size() : std::min(fewest, calls.size());
  for (const auto& calls : within)
    if (fewest == 0 || calls.size() % fewest != 0) return std::min<std::size_t>(fewest, 1);
  return fewest;
}

// The calls of parts that belong to one of a module's calls, if each has its share of them in turn.
Calls::Nodes Calls::nodes_in(const SourceModule& module, const std::vector<std::vector<std::size_t>>& within,
                             std::size_t call, std::size_t count) const {
  Nodes result;
  for (const auto& calls : within) {
    const std::size_t share = calls.size() / count;
    for (std::size_t i = call * share; i < (call + 1) * share; ++i) result.insert(calls[i]);
  }
  for (const auto& [called, groups] : calls_) {
    if (!contains(module, called)) continue;
    for (const Nodes& group : groups)
      if (std::ranges::any_of(group, [&](std::size_t node) { return result.contains(node); }))
        result.insert(group.begin(), group.end());
  }
  return result;
}

// Children first: what they call is called.
void Calls::visit(SourceModule& module) {
  for (const auto& child : module.children) visit(*child);
  if (module.is_leaf() || never_.contains(&module)) return;
  const bool numbered = std::ranges::all_of(module.children, [](const auto& child) {
    return std::ranges::all_of(child->name, [](char c) { return c >= '0' && c <= '9'; });
  });
  // What computes with its tensors is a part of it, unless that is done elsewhere.
  for (const bool with_tensors : {true, false})
    if (visit_with(module, calls_within(module, with_tensors), numbered)) return;
}

bool Calls::visit_with(SourceModule& module, const std::vector<std::vector<std::size_t>>& within, bool numbered) {
  const std::size_t times = times_called(within);
  for (const std::size_t count : std::set<std::size_t, std::greater<>>{times, 1}) {
    if (times == 0) return false;
    std::vector<Nodes> groups;
    for (std::size_t call = 0; call < count; ++call) groups.push_back(nodes_in(module, within, call, count));
    bool fits = are_apart(groups);
    for (std::size_t call = 0; fits && call < count; ++call)
      fits = numbered ? is_chain(module, call, groups) : is_whole(module, groups[call]);
    fits = fits && are_apart(groups);
    for (std::size_t call = 1; fits && call < count; ++call)
      fits = signature(module, groups[call]) == signature(module, groups[0]);
    if (!fits) continue;
    if (numbered) sequential_.insert(&module);
    take(module, std::move(groups));
    return true;
  }
  return false;
}

// What comes out of the next part of a chain; none where it is no such part.
std::optional<Value> Calls::step_of_chain(const SourceModule& child, std::size_t call, std::size_t count,
                                          const std::optional<Value>& last, Nodes& seen) const {
  Nodes nodes;
  if (child.layer) {
    const auto& calls = tree_.index().calls_of(child.layer->name);
    if (calls.size() != count || !tree_.source_of(*child.layer).calls_module_plainly) return std::nullopt;
    const Attributes& a = child.layer->attributes;
    const bool is_wrapped = (a.contains("activation") && a.text("activation") != "linear") ||
                            (a.contains("data_format") && a.text("data_format") != "channels_first");
    if (is_wrapped || tree_.types().outputs_of(calls[call]->name).size() != 1) return std::nullopt;
    nodes = {numbers_.at(calls[call]->name)};
    if (calls[call]->values().size() != 1) return std::nullopt;
  } else {
    if (!child.is_called || calls_.at(&child).size() != count) return std::nullopt;
    nodes = calls_.at(&child)[call];
  }
  const std::vector<Value> inputs = taken_by(child, nodes), outputs = given_by(nodes);
  if (inputs.size() != 1 || outputs.size() != 1 || (last && inputs[0] != *last)) return std::nullopt;
  // What came before is for this part alone.
  if (last && (times_given(*last) > 0 ||
               !std::ranges::all_of(users_of(*last), [&](std::size_t user) { return nodes.contains(user); })))
    return std::nullopt;
  seen.insert(nodes.begin(), nodes.end());
  return outputs[0];
}

bool Calls::is_chain(const SourceModule& module, std::size_t call, const std::vector<Nodes>& own) const {
  std::optional<Value> last;
  Nodes seen;
  for (std::size_t i = 0; i < module.children.size(); ++i) {
    const SourceModule& child = *module.children[i];
    if (child.name != std::to_string(i) || child.tensor || !child.children.empty() == child.is_leaf()) return false;
    last = step_of_chain(child, call, own.size(), last, seen);
    if (!last) return false;
  }
  if (!module.parent && last != tree_.architecture().outputs[0].value) return false;
  return seen == own[call];
}

// What a call does, whatever its nodes are called: two of one module are alike.
std::string Calls::signature(const SourceModule& module, const Nodes& nodes) const {
  std::map<std::size_t, std::size_t> places;
  for (const std::size_t node : nodes) places.emplace(node, places.size());
  const std::vector<Value> inputs = taken_by(module, nodes);
  const auto text_of = [&](const Value& value) {
    const auto maker = maker_of(value);
    if (maker && places.contains(*maker))
      return "n" + std::to_string(places[*maker]) + ":" + std::to_string(value.output);
    if (maker && is_at_hand(*maker, module)) {
      const Layer& layer = tree_.layer_of(*maker);
      return "f" + (tree_.module_of(layer)
                        ? layer.name
                        : layer.type +
                              Json(attributes_to_json(Registry::instance().type_of(layer), layer.attributes)).dump());
    }
    return "i" + std::to_string(std::ranges::find(inputs, value) - inputs.begin());
  };
  std::string result;
  for (const std::size_t node : nodes) {
    const Layer& layer = tree_.layer_of(node);
    const std::string settings = Json(attributes_to_json(Registry::instance().type_of(layer), layer.attributes)).dump();
    result += (tree_.module_of(layer) ? layer.name : layer.type) + settings + "(";
    for (const Node::Argument& argument : tree_.architecture().nodes[node].arguments) {
      if (const auto* value = std::get_if<Value>(&argument)) result += text_of(*value);
      if (const auto* list = std::get_if<Node::List>(&argument))
        for (const std::optional<Value>& value : *list) result += (value ? text_of(*value) : "none") + ";";
      result += ",";
    }
    result += ")\n";
  }
  for (const Value& value : given_by(nodes)) result += text_of(value) + ",";
  return result;
}

void Calls::take(SourceModule& module, std::vector<Nodes> calls) {
  for (const Nodes& nodes : calls)
    for (const std::size_t node : nodes)
      if (!owner_[node]) owner_[node] = &module;
  module.is_called = true;
  calls_[&module] = std::move(calls);
}

// With all functions on the way from one of the nodes to another; false where something else lies there.
bool Calls::complete(Nodes& nodes) const {
  std::set<std::size_t> behind, within;
  for (std::size_t i = *nodes.begin(); i < owner_.size(); ++i)
    if (std::ranges::any_of(before_[i], [&](std::size_t p) { return nodes.contains(p) || behind.contains(p); }))
      behind.insert(i);
  for (std::size_t i = *nodes.rbegin() + 1; i-- > 0;)
    if (std::ranges::any_of(after_[i], [&](std::size_t s) { return nodes.contains(s) || within.contains(s); }))
      within.insert(i);
  Nodes between;
  for (const std::size_t node : behind)
    if (within.contains(node) && !nodes.contains(node)) between.insert(node);
  if (!std::ranges::all_of(between, [&](std::size_t node) { return is_free_function(node); })) return false;
  nodes.insert(between.begin(), between.end());
  return true;
}

// Where a module gives several values that functions alone bring together (a cat of two branches), these are a part of
// it; half of the way there is none.
void Calls::absorb_joints(Nodes& nodes) const {
  Nodes more = nodes;
  std::size_t fewest = given_by(nodes).size();
  for (bool changed = fewest > 1; changed;) {
    changed = false;
    const std::vector<Value> given = given_by(more);
    for (const Value& value : given) {
      if (times_given(value) > 0 || users_of(value).size() != 1) continue;
      const std::size_t user = users_of(value)[0];
      const std::vector<Value> values = tree_.architecture().nodes[user].values();
      const bool is_known =
          std::ranges::all_of(values, [&](const Value& each) { return std::ranges::find(given, each) != given.end(); });
      if (!is_free_function(user) || !is_known) continue;
      more.insert(user);
      changed = complete(more);
      break;
    }
    const std::size_t count = given_by(more).size();
    if (changed && count < fewest) {
      fewest = count;
      nodes = more;
      changed = count > 1;
    }
  }
}

// Blocks are numbered, or called so; what is called by what it does ("attention", "mlp") leaves it to the block that it
// is a part of to add what it takes.
bool may_be_residual(const SourceModule& module) {
  if (module.name.find_first_of("0123456789") != std::string::npos || !module.parent->parent) return true;
  return std::ranges::any_of(std::array{"res", "block", "layer", "unit", "stage"},
                             [&](const char* word) { return module.name.find(word) != std::string::npos; });
}

// A function that joins what the module gives and takes (x + block(x)) is a part of it, and so is what then follows
// element by element.
void Calls::absorb_behind(const SourceModule& module, Nodes& nodes) const {
  absorb_joints(nodes);
  for (bool changed = true; changed;) {
    changed = false;
    const std::vector<Value> given = given_by(nodes), taken = taken_by(module, nodes);
    const auto is_known = [&](const Value& value, const std::vector<Value>& among) {
      return std::ranges::find(among, value) != among.end();
    };
    for (const Value& value : given) {
      if (times_given(value) > 0) continue;
      for (const std::size_t user : users_of(value)) {
        if (nodes.contains(user) || !is_free_function(user)) continue;
        const std::vector<Value> values = tree_.architecture().nodes[user].values();
        const bool joins =
            values.size() > 1 && std::ranges::all_of(values, [&](const Value& each) {
              const auto maker = maker_of(each);
              return is_known(each, given) || is_known(each, taken) || (maker && is_at_hand(*maker, module));
            });
        const bool is_given_back = keeps_shape(user) || purpose_of(value) == kAttended;
        const bool follows = given.size() == 1 && values.size() == 1 && is_given_back && users_of(value).size() == 1;
        const bool is_residual = tree_.layer_of(user).type == "add" &&
                                 std::ranges::any_of(values, [&](const Value& each) { return is_known(each, taken); });
        if (!(joins && (may_be_residual(module) || !is_residual)) && !follows) continue;
        Nodes more = nodes;
        more.insert(user);
        if (given_by(more).size() > given.size() || !complete(more)) continue;
        nodes = std::move(more);
        changed = true;
        break;
      }
      if (changed) break;
    }
  }
}

// What is made for the module alone, if the module then takes less: x + conv(relu(x)), a mask that is made of its
// buffer.
void Calls::absorb_before(const SourceModule& module, Nodes& nodes) const {
  for (bool changed = true; changed;) {
    changed = false;
    const std::size_t most = taken_by(module, nodes).size();
    for (const Value& value : taken_by(module, nodes)) {
      Nodes more = nodes;
      Value next = value;
      // Along the way that leads to it, as far as nothing else is needed.
      for (;;) {
        const auto maker = maker_of(next);
        if (!maker || !is_free_function(*maker) || more.contains(*maker) || times_given(next) > 0) break;
        more.insert(*maker);
        if (given_by(more).size() > given_by(nodes).size() || taken_by(module, more).size() > most) break;
        if (taken_by(module, more).size() < most) {
          changed = complete(more);
          break;
        }
        const std::vector<Value> values = tree_.architecture().nodes[*maker].values();
        if (values.size() != 1) break;
        next = values[0];
      }
      if (!changed) continue;
      nodes = std::move(more);
      break;
    }
  }
}

// What only moves the axes for the module and back behind it is a part of it.
void Calls::absorb_moves_around(const SourceModule& module, Nodes& nodes) const {
  const std::vector<Value> taken = taken_by(module, nodes), given = given_by(nodes);
  if (taken.size() != 1 || given.size() != 1 || times_given(given[0]) > 0 || users_of(given[0]).size() != 1) return;
  const auto before = maker_of(taken[0]);
  const std::size_t behind = users_of(given[0])[0];
  const auto is_move = [&](std::size_t node) {
    return is_free_function(node) && !nodes.contains(node) && tree_.layer_of(node).type == "permute";
  };
  if (!before || !is_move(*before) || !is_move(behind) || times_given(taken[0]) > 0) return;
  const bool is_for_it =
      std::ranges::all_of(users_of(taken[0]), [&](std::size_t user) { return nodes.contains(user); });
  const Value first = tree_.architecture().nodes[*before].values()[0];
  const Value last{tree_.architecture().nodes[behind].name};
  if (!is_for_it || tree_.types().of(first).shape != tree_.types().of(last).shape) return;
  nodes.insert(*before);
  nodes.insert(behind);
}

bool Calls::is_whole(const SourceModule& module, Nodes& own) const {
  if (own.empty() || !complete(own)) return false;
  const bool has_no_layer = std::ranges::all_of(own, [&](std::size_t node) { return is_free_function(node); });
  if (has_no_layer && taken_by(module, own).empty()) return false;
  absorb_moves_around(module, own);
  absorb_before(module, own);
  absorb_behind(module, own);
  const std::size_t outputs = given_by(own).size();
  return outputs > 0 && outputs <= kMostInputs && taken_by(module, own).size() <= kMostInputs;
}

// What no module has taken is the network's; what is made of nothing goes to those who use it, as far up as the tensors
// that it reads can be reached.
void Calls::place_the_rest() {
  SourceModule& root = tree_.root();
  for (std::size_t node = owner_.size(); node-- > 0;) {
    if (!is_free(node)) {
      if (!owner_[node]) owner_[node] = &root;
      continue;
    }
    SourceModule* place = nullptr;
    for (const std::size_t user : after_[node]) place = place ? common(place, owner_[user]) : owner_[user];
    if (SourceModule* own = tree_.module_of(tree_.layer_of(node)))
      place = place ? common(place, own->parent) : own->parent;
    bool given = false;
    const auto count = tree_.types().outputs_of(tree_.architecture().nodes[node].name).size();
    for (std::size_t output = 0; output < count; ++output)
      given = given || times_given({tree_.architecture().nodes[node].name, static_cast<std::int64_t>(output)}) > 0;
    owner_[node] = place && !given ? runner_of(place) : &root;
  }
  for (std::size_t node = 0; node < owner_.size(); ++node) {
    if (!is_in_later_call(*owner_[node], node)) owner_[node]->nodes.push_back(node);
    for (SourceModule* module = owner_[node]; module; module = module->parent)
      if (module->is_called && !is_in_later_call(*module, node)) calls_[module][0].insert(node);
  }
}

// What is made of nothing is in the call that uses it.
bool Calls::is_in_later_call(const SourceModule& module, std::size_t node) const {
  const std::vector<Nodes>& calls = calls_.at(&module);
  const auto is_later = [&](std::size_t each) {
    return std::any_of(calls.begin() + 1, calls.end(), [&](const Nodes& nodes) { return nodes.contains(each); });
  };
  if (!is_free(node)) return is_later(node);
  return !after_[node].empty() && std::ranges::all_of(after_[node], is_later);
}

// By the numbers of their first nodes, as far as what they need is there.
std::vector<SourceItem> Calls::ordered(const SourceModule& module) const {
  std::map<std::size_t, std::size_t> item_of;  // of each node: its item's first node
  std::map<std::size_t, SourceItem> items;
  for (const std::size_t node : module.nodes) {
    items[node] = {.node = node};
    item_of[node] = node;
  }
  for (const auto& [called, groups] : calls_) {
    if (called == &module || !contains(module, called)) continue;
    const SourceModule* holder = called->parent;
    while (holder != &module && !holder->is_called) holder = holder->parent;
    if (holder != &module) continue;
    for (std::size_t call = 0; call < groups.size(); ++call) {
      const std::size_t first = *groups[call].begin();
      if (!calls_.at(&module)[0].contains(first)) continue;
      items[first] = {.node = first, .module = called, .call = call};
      for (const std::size_t node : groups[call]) item_of[node] = first;
    }
  }
  std::map<std::size_t, std::set<std::size_t>> needs, needed_by;
  for (const auto& [node, item] : item_of)
    for (const std::size_t earlier : before_[node])
      if (const auto found = item_of.find(earlier); found != item_of.end() && found->second != item) {
        needs[item].insert(found->second);
        needed_by[found->second].insert(item);
      }
  std::set<std::size_t> ready;
  for (const auto& [first, item] : items)
    if (!needs.contains(first)) ready.insert(first);
  std::vector<SourceItem> result;
  while (!ready.empty()) {
    const std::size_t next = *ready.begin();
    ready.erase(ready.begin());
    result.push_back(items.at(next));
    for (const std::size_t later : needed_by[next]) {
      needs[later].erase(next);
      if (needs[later].empty()) ready.insert(later);
    }
  }
  return result.size() == items.size() ? result : std::vector<SourceItem>{};
}

// A called part of a module whose own parts have no order; nullptr where all have one.
const SourceModule* Calls::knot_in(const SourceModule& module) const {
  if (module.is_called && ordered(module).empty() && !calls_.at(&module)[0].empty()) {
    const SourceModule* last = nullptr;
    const auto find = [&](auto&& self, const SourceModule& place) -> void {
      for (const auto& child : place.children) {
        if (child->is_called)
          last = child.get();
        else
          self(self, *child);
      }
    };
    find(find, module);
    return last;
  }
  for (const auto& child : module.children)
    if (const SourceModule* knot = knot_in(*child)) return knot;
  return nullptr;
}

// With what is made of nothing and is made by others, too.
std::vector<SourceItem> Calls::items_of(const SourceModule& module) const {
  std::vector<SourceItem> items = ordered(module);
  std::set<std::size_t> made;
  for (const SourceItem& item : items)
    if (!item.module) made.insert(item.node);
  Nodes missing;
  for (const SourceItem& item : items) {
    const std::vector<Value> values =
        item.module ? inputs_of(*item.module, item.call) : tree_.architecture().nodes[item.node].values();
    for (const Value& value : values)
      if (const auto maker = maker_of(value); maker && is_at_hand(*maker, module) && !made.contains(*maker))
        missing.insert(*maker);
  }
  std::vector<SourceItem> result;
  for (const std::size_t node : missing) result.push_back({.node = node});
  result.insert(result.end(), items.begin(), items.end());
  return result;
}
std::vector<Value> Calls::inputs_of(const SourceModule& module, std::size_t call) const {
  return taken_by(module, calls_.at(&module)[call]);
}
std::vector<Value> Calls::outputs_of(const SourceModule& module, std::size_t call) const {
  return given_by(calls_.at(&module)[call]);
}

}  // namespace h5bridge::torch_source
