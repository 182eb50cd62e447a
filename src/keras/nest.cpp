#include "keras/nest.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "facets/keras/plan.h"

namespace h5bridge {
namespace {

// The part of a scope's name behind that of the scope that it is in.
std::string name_within(const std::string& scope, const std::string& outer) {
  const bool is_within = !outer.empty() && scope.starts_with(outer + ".");
  return keras_name(is_within ? scope.substr(outer.size() + 1) : scope);
}

bool same_call(const PlannedCall& a, const PlannedCall& b) {
  const auto same = [](const PlannedCall::Argument& x, const PlannedCall::Argument& y) {
    if (x.index() != y.index()) return false;
    if (const auto* constant = std::get_if<Json>(&x)) return *constant == std::get<Json>(y);
    if (const auto* tensor = std::get_if<KerasTensor>(&x)) return tensor->is_same(std::get<KerasTensor>(y));
    if (const auto* tensors = std::get_if<std::vector<KerasTensor>>(&x))
      return std::ranges::equal(*tensors, std::get<std::vector<KerasTensor>>(y), &KerasTensor::is_same);
    return std::ranges::equal(std::get<PlannedCall::List>(x), std::get<PlannedCall::List>(y),
                              [](const std::optional<KerasTensor>& s, const std::optional<KerasTensor>& t) {
                                return s.has_value() == t.has_value() && (!s || s->is_same(*t));
                              });
  };
  return std::ranges::equal(a.arguments, b.arguments, same) &&
         std::ranges::equal(a.keywords, b.keywords, [&](const auto& x, const auto& y) {
           return x.first == y.first && same(x.second, y.second);
         });
}

// A declared shape, if it still holds for all that is given; else what they have in common.
SymbolicShape shape_of_input(const SymbolicShape& declared, const std::vector<const SymbolicShape*>& given) {
  const auto fits = [&](const SymbolicShape& shape) {
    return std::ranges::equal(declared, shape, [](const Size& size, const Size& actual) {
      return !size.value() || size.value() == actual.value();
    });
  };
  if (std::ranges::all_of(given, [&](const SymbolicShape* shape) { return fits(*shape); })) return declared;
  SymbolicShape result = *given.at(0);
  for (const SymbolicShape* shape : given)
    for (std::size_t axis = 0; axis < std::min(result.size(), shape->size()); ++axis)
      if (result[axis].value() != (*shape)[axis].value()) result[axis] = Size::symbol("size" + std::to_string(axis));
  return result;
}

class Nester {
 public:
  Nester(PlannedModel& model, const std::vector<Scope>& scopes, std::vector<PlannedScopeCall> calls)
      : model_(model), scopes_(scopes), calls_(std::move(calls)) {
    for (const PlannedScopeCall& call : calls_) parents_[call.name] = call.parent;
  }

  void run() {
    std::vector<std::pair<std::size_t, const Scope*>> by_depth;
    for (const Scope& scope : scopes_) by_depth.emplace_back(depth_of(scope), &scope);
    std::ranges::stable_sort(by_depth, std::greater(), [](const auto& entry) { return entry.first; });
    for (const auto& [depth, scope] : by_depth) {
      if (!collapse(*scope)) dissolve(*scope);
      done_.insert(scope->name);
    }
  }

 private:
  std::vector<PlannedScopeCall*> calls_of(const Scope& scope) {
    std::vector<PlannedScopeCall*> result;
    for (PlannedScopeCall& call : calls_)
      if (call.scope == scope.name) result.push_back(&call);
    return result;
  }

  // How many calls its calls lie within.
  std::size_t depth_of(const Scope& scope) {
    std::size_t depth = 0;
    for (const PlannedScopeCall* call : calls_of(scope)) {
      std::size_t levels = 0;
      for (std::string outer = call->parent; !outer.empty() && levels <= calls_.size(); outer = parents_[outer])
        ++levels;
      depth = std::max(depth, levels);
    }
    return depth;
  }

  // The scope that all calls lie in; nullopt if it is not one.
  std::optional<std::string> outer_scope(const std::vector<PlannedScopeCall*>& calls) const {
    std::set<std::string> scopes;
    for (const PlannedScopeCall* call : calls) scopes.insert(scope_of(call->parent));
    return scopes.size() == 1 ? std::optional(*scopes.begin()) : std::nullopt;
  }

  std::string scope_of(const std::string& call) const {
    const auto found = std::ranges::find(calls_, call, &PlannedScopeCall::name);
    return found == calls_.end() ? "" : found->scope;
  }

  // The layers that are called by calls of the scope alone, and by each the same number of times; nullopt if another is
  // called by them as well.
  struct Member {
    std::size_t layer;
    std::vector<std::vector<std::int64_t>> calls;  // for each call of the scope, the numbers of the layer's
  };

  std::optional<std::vector<Member>> members_of(const std::vector<PlannedScopeCall*>& calls) const {
    std::vector<Member> members;
    for (std::size_t i = 0; i < model_.layers.size(); ++i) {
      const PlannedLayer& layer = model_.layers[i];
      Member member{i, std::vector<std::vector<std::int64_t>>(calls.size())};
      std::size_t inside = 0;
      for (std::size_t call = 0; call < layer.calls.size(); ++call) {
        const auto part = std::ranges::find(calls, layer.calls[call].part_of, &PlannedScopeCall::name);
        if (part == calls.end()) continue;
        ++inside;
        member.calls[static_cast<std::size_t>(part - calls.begin())].push_back(static_cast<std::int64_t>(call));
      }
      if (inside == 0) continue;
      if (inside != layer.calls.size()) return std::nullopt;
      for (const auto& numbers : member.calls)
        if (numbers.size() != member.calls[0].size()) return std::nullopt;
      members.push_back(std::move(member));
    }
    return members;
  }

  bool collapse(const Scope& scope) {
    const std::vector<PlannedScopeCall*> calls = calls_of(scope);
    if (calls.empty()) return true;
    const std::optional<std::vector<Member>> members = members_of(calls);
    const std::optional<std::string> outer = outer_scope(calls);
    if (!members || !outer) return false;
    std::map<std::string, const Member*> by_name;
    for (const Member& member : *members) by_name[model_.layers[member.layer].name] = &member;

    // What a tensor is called within the model; nullopt if it is none of the model's.
    const auto within = [&](const KerasTensor& tensor, std::size_t call) -> std::optional<KerasTensor> {
      KerasTensor result = tensor;
      const std::vector<KerasTensor>& arguments = calls[call]->arguments;
      for (KerasTensor wanted = tensor;; wanted.told_apart.pop_back()) {
        const auto is_that = [&](const KerasTensor& argument) { return argument.is_same(wanted); };
        if (const auto argument = std::ranges::find_if(arguments, is_that); argument != arguments.end()) {
          result.layer = input_name(scope, static_cast<std::size_t>(argument - arguments.begin()));
          result.call = result.tensor = 0;
          result.told_apart.clear();
          return result;
        }
        if (wanted.told_apart.empty()) break;
      }
      result.told_apart.clear();
      const auto member = by_name.find(tensor.layer);
      if (member == by_name.end()) return std::nullopt;
      const std::vector<std::int64_t>& numbers = member->second->calls[call];
      const auto number = std::ranges::find(numbers, tensor.call);
      if (number == numbers.end()) return std::nullopt;
      result.call = number - numbers.begin();
      return result;
    };

    auto inner = std::make_shared<PlannedModel>();
    inner->scope = scope.name;
    inner->said = scope.keras;
    inner->dtype = model_.dtype;
    for (std::size_t i = 0; i < scope.inputs.size(); ++i) add_input(scope, i, calls, *inner);
    for (const Member& member : *members) {
      PlannedLayer layer = model_.layers[member.layer];
      layer.calls.clear();
      for (std::size_t call = 0; call < calls.size(); ++call)
        for (std::size_t i = 0; i < member.calls[call].size(); ++i) {
          PlannedCall made = model_.layers[member.layer].calls[static_cast<std::size_t>(member.calls[call][i])];
          made.part_of.clear();
          drop_masks(made, masks_around(*calls[call]));
          bool is_inside = true;
          PlannedCall::for_each_tensor(made, [&](KerasTensor& tensor) {
            if (const auto known = within(tensor, call))
              tensor = *known;
            else
              is_inside = false;
          });
          if (!is_inside) return false;
          if (call == 0)
            layer.calls.push_back(std::move(made));
          else if (!same_call(layer.calls[i], made))
            return false;
        }
      inner->layers.push_back(std::move(layer));
    }
    for (std::size_t call = 0; call < calls.size(); ++call)
      for (std::size_t i = 0; i < calls[call]->results.size(); ++i) {
        const std::optional<KerasTensor> result = within(calls[call]->results[i], call);
        if (!result) return false;
        if (call == 0)
          inner->outputs.push_back(*result);
        else if (!result->is_same(inner->outputs[i]))
          return false;
      }

    // From outside nothing but the results may be seen.
    std::vector<KerasTensor*> outside = tensors_outside(scope, *members);
    const auto result_of = [&](const KerasTensor& tensor) -> std::optional<KerasTensor> {
      std::vector<std::string> further;  // what tells it apart behind the result
      for (KerasTensor wanted = tensor;; wanted.told_apart.pop_back()) {
        for (std::size_t call = 0; call < calls.size(); ++call)
          for (std::size_t i = 0; i < calls[call]->results.size(); ++i)
            if (const KerasTensor& result = calls[call]->results[i];
                result.is_same(wanted) && (!result.told_apart.empty() || by_name.contains(result.layer)))
              return KerasTensor{
                  scope.name, static_cast<std::int64_t>(call), static_cast<std::int64_t>(i), tensor.shape, tensor.dtype,
                  further};
        if (wanted.told_apart.empty()) return std::nullopt;
        further.insert(further.begin(), wanted.told_apart.back());
      }
    };
    for (const KerasTensor* tensor : outside)
      if (by_name.contains(tensor->layer) && !result_of(*tensor)) return false;
    for (KerasTensor* tensor : outside)
      if (const auto result = result_of(*tensor)) *tensor = *result;

    PlannedLayer layer{.name = scope.name,
                       .module = {},
                       .class_name = {},
                       .config = {},
                       .calls = {},
                       .keras_name = scope.keras.name.value_or(name_within(scope.name, *outer)),
                       .model = nullptr};
    for (const PlannedScopeCall* call : calls) {
      PlannedCall made;
      for (const KerasTensor& argument : call->arguments) made.arguments.push_back(argument);
      for (const auto& [name, value] : call->keywords) made.keywords.emplace_back(name, value);
      if (!call->masks.empty()) made.keywords.insert(made.keywords.begin(), {"mask", mask_argument(*call)});
      made.part_of = call->parent;
      layer.calls.push_back(std::move(made));
    }
    inner->trainable = scope.keras.trainable.value_or(true);
    layer.model = std::move(inner);
    std::vector<PlannedLayer> rest;
    for (std::size_t i = 0; i < model_.layers.size(); ++i)
      if (std::ranges::find(*members, i, &Member::layer) == members->end()) rest.push_back(std::move(model_.layers[i]));
    rest.push_back(std::move(layer));
    model_.layers = std::move(rest);
    return true;
  }

  // Those that the call is given, and the calls that it lies within.
  PlannedCall::List masks_around(const PlannedScopeCall& call) const {
    PlannedCall::List result = call.masks;
    const auto outer = std::ranges::find(calls_, call.parent, &PlannedScopeCall::name);
    if (outer == calls_.end()) return result;
    const PlannedCall::List further = masks_around(*outer);
    result.insert(result.end(), further.begin(), further.end());
    return result;
  }

  // Masks that the model's call is given come with its inputs, and are handed on within.
  static void drop_masks(PlannedCall& call, const PlannedCall::List& masks) {
    std::erase_if(call.keywords, [&](const auto& keyword) {
      const auto* tensor = std::get_if<KerasTensor>(&keyword.second);
      return keyword.first == "mask" && tensor &&
             std::ranges::any_of(masks, [&](const auto& mask) { return mask && mask->is_same(*tensor); });
    });
  }

  static PlannedCall::Argument mask_argument(const PlannedScopeCall& call) {
    if (call.arguments.size() == 1 && call.masks[0]) return *call.masks[0];
    return call.masks;
  }

  static std::string input_name(const Scope& scope, std::size_t input) {
    return scope.name + "//" + scope.inputs.at(input).name;
  }

  static void add_input(const Scope& scope, std::size_t i, const std::vector<PlannedScopeCall*>& calls,
                        PlannedModel& inner) {
    const Input& input = scope.inputs[i];
    std::vector<const SymbolicShape*> given;
    for (const PlannedScopeCall* call : calls) given.push_back(&call->arguments.at(i).shape);
    const SymbolicShape shape = shape_of_input(input.shape, given);
    inner.layers.push_back(input_layer(input_name(scope, i), input.name, shape, input.dtype));
    inner.inputs.push_back({input_name(scope, i), 0, 0, shape, input.dtype, {}});
  }

  // Every place where another layer, a call of a scope or the model itself takes a tensor.
  std::vector<KerasTensor*> tensors_outside(const Scope& scope, const std::vector<Member>& members) {
    std::vector<KerasTensor*> result;
    const auto add = [&](KerasTensor& tensor) { result.push_back(&tensor); };
    for (std::size_t i = 0; i < model_.layers.size(); ++i)
      if (std::ranges::find(members, i, &Member::layer) == members.end())
        for (PlannedCall& call : model_.layers[i].calls) PlannedCall::for_each_tensor(call, add);
    for (PlannedScopeCall& call : calls_) {
      if (done_.contains(call.scope)) continue;
      std::ranges::for_each(call.arguments, add);
      for (std::optional<KerasTensor>& mask : call.masks)
        if (mask) add(*mask);
      if (call.scope != scope.name) std::ranges::for_each(call.results, add);
    }
    std::ranges::for_each(model_.outputs, add);
    return result;
  }

  void dissolve(const Scope& scope) {
    const std::vector<PlannedScopeCall*> calls = calls_of(scope);
    const std::string name = name_within(scope.name, outer_scope(calls).value_or(""));
    for (PlannedLayer& layer : model_.layers) {
      bool was_in = false;
      for (PlannedCall& call : layer.calls)
        if (const auto part = std::ranges::find(calls, call.part_of, &PlannedScopeCall::name); part != calls.end()) {
          call.part_of = (*part)->parent;
          was_in = true;
        }
      if (was_in) layer.keras_name = name + "_" + layer.keras_name;
    }
  }

  PlannedModel& model_;
  const std::vector<Scope>& scopes_;
  std::vector<PlannedScopeCall> calls_;
  std::map<std::string, std::string> parents_;
  std::set<std::string> done_;  // the scopes that are layers by now, or none
};

}  // namespace

void nest(PlannedModel& model, const std::vector<Scope>& scopes, std::vector<PlannedScopeCall> calls) {
  Nester(model, scopes, std::move(calls)).run();
}

}  // namespace h5bridge
