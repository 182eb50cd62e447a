#include "passes/network_difference.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "model/quoted.h"
#include "passes/network_side.h"
#include "passes/training_notes.h"

namespace h5bridge {
namespace {

std::string layer_called(const std::string& name) { return "layer \"" + shortened(name) + "\""; }

const Choice& choice_of(const Layer& layer) { return Registry::instance().type_of(layer).choice; }

// Keras's own merging layers of any number of inputs, whose order says nothing.
bool takes_any_order(const Layer& layer) {
  return choice_of(layer).group == "merge" && most_inputs(Registry::instance().type_of(layer).operands) > 2;
}

class Comparison {
 public:
  Comparison(const Architecture& a, const Architecture& b, const NetworkNames& names) : a_(a), b_(b), names_(names) {}

  std::vector<NetworkDifference> run() {
    compare_inputs();
    compare_training();
    compare_regularisation();
    for (const auto& [name, calls] : a_.weighted())
      if (const auto& others = b_.calls_of(name); !others.empty()) compare_weighted(calls, others);
    compare_outputs();
    std::vector<NetworkDifference> result;
    for (auto& [certainty, found] : first_) result.push_back({certainty, std::move(found.second)});
    return result;
  }

 private:
  // What takes a value of the first network, for messages.
  struct Taker {
    std::string name;
    std::size_t place;
  };

  // Of each certainty, the one that stands first in the first network.
  void report(Certainty certainty, std::size_t place, const std::string& text) {
    const auto [known, is_new] = first_.try_emplace(certainty, place, text);
    if (!is_new && place < known->second.first) known->second = {place, text};
  }

  std::string in_both(const std::string& a, const std::string& b) const {
    return b + " " + names_.here + ", " + a + " " + names_.there;
  }

  void report(const LayerDifference& difference, std::size_t place, const std::string& name) {
    const std::string what = difference.attribute.empty() ? "" : difference.attribute + " ";
    report(difference.certainty, place, layer_called(name) + " has " + what + in_both(difference.a, difference.b));
  }

  // Where the names are not the same, by place.
  void compare_inputs() {
    const auto& inputs_a = a_.architecture().inputs;
    const auto& inputs_b = b_.architecture().inputs;
    if (inputs_a.size() != inputs_b.size())
      return report(Certainty::Certain, 0, counted(inputs_a.size(), inputs_b.size(), "input"));
    const bool same_names =
        std::ranges::all_of(inputs_a, [&](const Input& input) { return b_.index().find_input(input.name); });
    for (std::size_t i = 0; i < inputs_a.size(); ++i) {
      const Input& b = same_names ? *b_.index().find_input(inputs_a[i].name) : inputs_b[i];
      twin_[inputs_a[i].name] = b.name;
      const auto is_other = [](const Size& x, const Size& y) { return !x.is_open() && !y.is_open() && x != y; };
      bool differs = inputs_a[i].shape.size() != b.shape.size();
      for (std::size_t axis = 0; !differs && axis < b.shape.size(); ++axis)
        differs = is_other(inputs_a[i].shape[axis], b.shape[axis]);
      if (differs)
        report(inputs_a[i].shape.size() != b.shape.size() ? Certainty::Certain : Certainty::Possible, 0,
               "input \"" + shortened(inputs_a[i].name) + "\" has shape " +
                   in_both(to_string(inputs_a[i].shape), to_string(b.shape)));
    }
  }

  std::string counted(std::size_t a, std::size_t b, const std::string& what) const {
    return "it has " + in_both(std::to_string(a), std::to_string(b) + " " + what + (b == 1 ? "" : "s"));
  }

  void compare_outputs() {
    const auto& a = a_.architecture().outputs;
    const auto& b = b_.architecture().outputs;
    const std::size_t end = a_.architecture().nodes.size() + 1;
    if (a.size() != b.size()) return report(Certainty::Certain, end, counted(a.size(), b.size(), "output"));
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto named = std::ranges::find(b, a[i].name, &Output::name);
      const bool by_name = !a[i].name.empty() && named != b.end();
      compare(a[i].value, by_name ? named->value : b[i].value, {"the output", end});
    }
  }

  // Steps that do nothing in evaluation have no place in a chain; they are known by their names.
  void compare_training() {
    const auto names = [](const Architecture& architecture) {
      std::set<std::string> result;
      for (const Layer& layer : architecture.layers)
        if (const LayerType& type = Registry::instance().type_of(layer); type.is_identity && !type.attributes.empty())
          result.insert(layer.name);
      return result;
    };
    const std::set<std::string> in_a = names(a_.architecture()), in_b = names(b_.architecture());
    for (const std::string& name : in_a) {
      if (!in_b.contains(name)) continue;
      const auto& calls_a = a_.index().calls_of(name);
      const auto& calls_b = b_.index().calls_of(name);
      for (std::size_t call = 0; call < std::min(calls_a.size(), calls_b.size()); ++call)
        if (const auto difference = layer_difference(a_.layer_of(*calls_a[call]), b_.layer_of(*calls_b[call]), 0))
          report(*difference, a_.place_of(calls_a[call]->name), name);
    }
    if (in_a.size() != in_b.size())
      report(Certainty::InTraining, 0,
             "of layers that act in training alone, " + counted(in_a.size(), in_b.size(), "layer"));
  }

  // What Keras's training does for layers of one name, which no attribute says.
  void compare_regularisation() {
    for (const Node& node : a_.architecture().nodes) {
      const Layer* other = b_.index().find_layer(node.layer);
      if (!other) continue;
      auto there = regularisation_of(*a_.index().find_layer(node.layer)), here = regularisation_of(*other);
      std::set<std::string> keys;
      for (const auto* side : {&there, &here})
        for (const auto& [key, value] : *side) keys.insert(key);
      for (const std::string& key : keys)
        if (!is_same_regularisation(there[key], here[key]))
          report(Certainty::InTraining, a_.place_of(node.name),
                 layer_called(node.layer) + " has " + key + " " + in_both(worded(there[key]), worded(here[key])));
    }
  }

  static std::string worded(const Json& value) {
    const Json* class_name = value.is_object() ? value.find("class_name") : nullptr;
    if (!class_name || !class_name->is_string()) return value.is_null() ? "none" : quoted(value);
    const Json* config = value.find("config");
    return shortened(class_name->as_string()) + (config ? " " + quoted(*config) : "");
  }

  void compare_weighted(const std::vector<const Node*>& a, const std::vector<const Node*>& b) {
    const Layer layer_a = a_.layer_of(*a[0]);
    const Layer layer_b = b_.layer_of(*b[0]);
    const std::size_t place = a_.place_of(a[0]->name);
    if (auto difference = layer_difference(layer_a, layer_b, a_.rank_of(a[0]->values().at(0)))) {
      // Margins may as well be a layer of their own before it.
      const AttributeSpec* spec = Registry::instance().type_of(layer_a).find_attribute(difference->attribute);
      if (spec && spec->decides == Decides::Margins &&
          a_.chain_to(a[0]->values()[0]).steps.size() != b_.chain_to(b[0]->values()[0]).steps.size())
        difference->certainty = Certainty::Possible;
      report(*difference, place, layer_a.name);
    }
    if (a.size() != b.size())
      report(Certainty::Possible, place,
             layer_called(layer_a.name) + " is called " +
                 in_both(std::to_string(a.size()), std::to_string(b.size()) + " times"));
    for (std::size_t call = 0; call < std::min(a.size(), b.size()); ++call) {
      if (call > 0) compare_settings(*a[call], *b[call]);
      compare_taken(*a[call], *b[call]);
    }
  }

  // What further calls of a layer have in place of its own attributes.
  void compare_settings(const Node& a, const Node& b) {
    if (a.attributes.empty() && b.attributes.empty()) return;
    if (const auto difference = layer_difference(a_.layer_of(a), b_.layer_of(b), a_.rank_of(a.values().at(0))))
      report(*difference, a_.place_of(a.name), a.layer);
  }

  // What two calls that stand for each other take.
  void compare_taken(const Node& node_a, const Node& node_b) {
    const std::size_t place = a_.place_of(node_a.name);
    const PlainCall a = a_.call_of(node_a);
    PlainCall b = b_.call_of(node_b);
    if (a.inputs.size() != b.inputs.size())
      return report(Certainty::Possible, place,
                    layer_called(node_a.layer) + " takes " +
                        in_both(std::to_string(a.inputs.size()), std::to_string(b.inputs.size()) + " inputs"));
    if (takes_any_order(a_.layer_of(node_a))) align(a.inputs, b.inputs);
    const Taker taker{layer_called(node_b.layer), place};
    for (std::size_t i = 0; i < a.inputs.size(); ++i) compare(a.inputs[i], b.inputs[i], taker);
    for (const auto& [name, value] : a.named)
      for (const auto& [other, twin] : b.named)
        if (name == other) compare(value, twin, taker);
    compare_names(layer_called(node_a.layer), a, b, place);
  }

  // A mask that one of them lacks: padding counts there.
  void compare_names(const std::string& called, const PlainCall& a, const PlainCall& b, std::size_t place) {
    const auto takes = [](const PlainCall& call, const std::string& name) {
      return std::ranges::any_of(call.named, [&](const auto& input) { return input.first == name; });
    };
    for (const PlainCall* call : {&a, &b})
      for (const auto& [name, value] : call->named)
        if (takes(a, name) != takes(b, name))
          report(Certainty::Certain, place,
                 called + (call == &b ? " takes a " : " takes no ") + name + " " + names_.here +
                     (call == &b ? ", none " : ", one ") + names_.there + " (mask_zero, Masking?)");
  }

  // Puts what begins alike beside each other.
  void align(const std::vector<Value>& a, std::vector<Value>& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const Chain chain = a_.chain_to(a[i]);
      const auto fits = [&](const Value& value) {
        const Chain other = b_.chain_to(value);
        return other.steps.size() == chain.steps.size() && begin_alike(chain.start, other.start);
      };
      const auto begin = b.begin() + static_cast<std::ptrdiff_t>(i);
      if (const auto found = std::find_if(begin, b.end(), fits); found != b.end()) std::iter_swap(begin, found);
    }
  }

  // Whether the two are one and the same input, call of a layer with weights, or kind of call.
  bool begin_alike(const Value& a, const Value& b) const {
    const Node* node_a = a_.node(a.node);
    const Node* node_b = b_.node(b.node);
    if (!node_a || !node_b) return !node_a && !node_b && twin_.contains(a.node) && twin_.at(a.node) == b.node;
    if (a.output != b.output) return false;
    const auto& calls_a = a_.calls_of(node_a->layer);
    const auto& calls_b = b_.calls_of(node_b->layer);
    if (calls_a.empty() && calls_b.empty())
      return in_general(a_.layer_of(*node_a)).type == in_general(b_.layer_of(*node_b)).type;
    return node_a->layer == node_b->layer &&
           std::ranges::find(calls_a, node_a) - calls_a.begin() == std::ranges::find(calls_b, node_b) - calls_b.begin();
  }

  // What makes two values that stand for each other.
  void compare(const Value& a, const Value& b, const Taker& taker) {
    if (!seen_.emplace(a, b).second) return;
    const Chain chain_a = a_.chain_to(a);
    const Chain chain_b = b_.chain_to(b);
    if (!begin_alike(chain_a.start, chain_b.start)) return report_starts(chain_a.start, chain_b.start, taker);
    compare_steps(chain_a.steps, chain_b.steps, taker.place);
    const Node* node_a = a_.node(chain_a.start.node);
    const Node* node_b = b_.node(chain_b.start.node);
    // Layers with weights are compared by themselves.
    if (!node_a || !a_.calls_of(node_a->layer).empty()) return;
    const std::vector<Value> taken = node_a->values();
    const std::size_t rank = taken.empty() ? 0 : a_.rank_of(taken[0]);
    if (const auto difference = layer_difference(a_.layer_of(*node_a), b_.layer_of(*node_b), rank))
      report(*difference, a_.place_of(node_a->name), node_b->layer);
    compare_taken(*node_a, *node_b);
  }

  bool is_in_a(const Node* node) const { return node && !a_.calls_of(node->layer).empty(); }
  bool is_in_b(const Node* node) const { return node && !b_.calls_of(node->layer).empty(); }

  void report_starts(const Value& a, const Value& b, const Taker& taker) {
    const Node* node_a = a_.node(a.node);
    const Node* node_b = b_.node(b.node);
    const std::string called_a = node_a ? layer_called(node_a->layer) : "input \"" + shortened(a.node) + "\"";
    const std::string called_b = node_b ? layer_called(node_b->layer) : "input \"" + shortened(b.node) + "\"";
    const bool is_only_in_a = is_in_a(node_a) && !is_in_b(node_a);
    const bool is_only_in_b = is_in_b(node_b) && !is_in_a(node_b);
    // Of layers that go by other names their weights tell.
    if (is_only_in_a && is_only_in_b) return;
    if (is_only_in_a) return report(Certainty::Certain, a_.place_of(a.node), called_a + " is only " + names_.there);
    if (is_only_in_b) return report(Certainty::Certain, taker.place, called_b + " is only " + names_.here);
    const bool are_known = (!node_a || is_in_a(node_a)) && (!node_b || is_in_b(node_b));
    if (node_a && node_b && !is_in_a(node_a) && !is_in_b(node_b) &&
        node_a->values().size() == node_b->values().size()) {
      const auto difference = layer_difference(a_.layer_of(*node_a), b_.layer_of(*node_b), 0);
      if (difference && difference->certainty == Certainty::Certain)
        return report(*difference, a_.place_of(a.node), node_b->layer);
    }
    report(are_known ? Certainty::Certain : Certainty::Possible, taker.place,
           taker.name + " takes what " + in_both(called_a, called_b + " makes"));
  }

  static bool is_same(const Step& a, const Step& b) { return !layer_difference(a.layer, b.layer, a.rank); }

  // Steps that stand alike at both ends are the same; what is between them is judged.
  void compare_steps(const std::vector<Step>& a, const std::vector<Step>& b, std::size_t place) {
    std::size_t begin = 0;
    while (begin < std::min(a.size(), b.size()) && is_same(a[begin], b[begin])) ++begin;
    std::size_t end = 0;
    while (end < std::min(a.size(), b.size()) - begin && is_same(a[a.size() - 1 - end], b[b.size() - 1 - end])) ++end;
    const std::vector<Step> left_a(a.begin() + begin, a.end() - end);
    const std::vector<Step> left_b(b.begin() + begin, b.end() - end);
    if (left_a.empty() && left_b.empty()) return;
    if (left_a.size() == left_b.size()) return compare_one_by_one(left_a, left_b);
    if (!left_a.empty() && !left_b.empty())
      return report(Certainty::Possible, left_a[0].place, "it has " + in_both(listed(left_a), listed(left_b)));
    const std::vector<Step>& more = left_a.empty() ? left_b : left_a;
    const auto function = std::ranges::find_if(more, [](const Step& s) { return !choice_of(s.layer).group.empty(); });
    const Step& step = function == more.end() ? more[0] : *function;
    report(function == more.end() ? Certainty::Possible : Certainty::Certain, left_a.empty() ? place : step.place,
           describe(step.layer) + " is only " + (left_a.empty() ? names_.here : names_.there));
  }

  // For certain only where each of them is another setting of the same, or another one of a group.
  void compare_one_by_one(const std::vector<Step>& a, const std::vector<Step>& b) {
    std::vector<std::pair<LayerDifference, std::size_t>> found;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (const auto difference = layer_difference(a[i].layer, b[i].layer, a[i].rank))
        found.emplace_back(*difference, i);
    const bool all_known = std::ranges::none_of(
        found, [](const auto& difference) { return difference.first.certainty == Certainty::Possible; });
    for (auto& [difference, i] : found) {
      if (!all_known) difference.certainty = Certainty::Possible;
      report(difference, a[i].place, b[i].layer.name);
    }
  }

  static std::string listed(const std::vector<Step>& steps) {
    std::string result;
    for (const Step& step : steps) result += (result.empty() ? "" : ", ") + step.layer.type;
    return result;
  }

  const NetworkSide a_;
  const NetworkSide b_;
  const NetworkNames& names_;
  std::map<std::string, std::string> twin_;  // the inputs of b, by those of a
  std::set<std::pair<Value, Value>> seen_;
  std::map<Certainty, std::pair<std::size_t, std::string>> first_;
};

}  // namespace

std::vector<NetworkDifference> network_differences(const Architecture& there, const Architecture& here,
                                                   const NetworkNames& names) {
  return Comparison(there, here, names).run();
}

}  // namespace h5bridge
