#include "keras/nest_models.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "keras/planned_layer.h"
#include "keras/stated_graph.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

bool same_call(const KerasCall& a, const KerasCall& b) {
  return std::ranges::equal(a.arguments, b.arguments, &KerasArgument::is_same) &&
         std::ranges::equal(a.keywords, b.keywords, [](const auto& x, const auto& y) {
           return x.first == y.first && x.second.is_same(y.second);
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

// The calls of a scope among the layers of the whole, and what they hold.
class Region {
 public:
  using Calls = std::vector<PlannedScopeCall*>;

  Region(const KerasModel& whole, const Scope& scope, Calls calls)
      : whole_(whole), scope_(scope), calls_(std::move(calls)) {
    find_members();
  }

  /// Whether its layers are called by its calls alone, and by each the same number of times.
  bool is_closed() const { return is_closed_; }
  bool holds(const std::string& layer) const { return members_.contains(layer); }

  /// The model that all of its calls are calls of; nullptr if they are not. `masks_around`: the masks that are handed
  /// to what a call holds.
  template <typename MasksAround>
  std::shared_ptr<KerasModel> model(const MasksAround& masks_around) const {
    auto model = std::make_shared<KerasModel>();
    model->scope = scope_.name;
    model->said = scope_.keras;
    model->trainable = scope_.keras.trainable.value_or(true);
    model->dtype = whole_.dtype;
    for (std::size_t i = 0; i < scope_.inputs.size(); ++i) add_input(i, *model);
    for (const KerasLayer& layer : whole_.layers) {
      if (!holds(layer.name)) continue;
      std::optional<KerasLayer> member = member_of_model(layer, masks_around);
      if (!member) return nullptr;
      model->layers.push_back(std::move(*member));
    }
    return add_outputs(*model) ? model : nullptr;
  }

  /// What a tensor is as a result of the model; nullopt if it is none.
  std::optional<KerasTensor> result_for(const KerasTensor& tensor) const {
    std::vector<std::string> further;  // what tells it apart behind the result
    for (KerasTensor wanted = tensor;; wanted.told_apart.pop_back()) {
      for (std::size_t call = 0; call < calls_.size(); ++call)
        for (std::size_t i = 0; i < calls_[call]->results.size(); ++i) {
          const KerasTensor& result = calls_[call]->results[i];
          if (!result.is_same(wanted) || (result.told_apart.empty() && !holds(result.layer))) continue;
          KerasTensor found = tensor;
          found.layer = scope_.name;
          found.call = static_cast<std::int64_t>(call);
          found.tensor = static_cast<std::int64_t>(i);
          found.told_apart = further;
          return found;
        }
      if (wanted.told_apart.empty()) return std::nullopt;
      further.insert(further.begin(), wanted.told_apart.back());
    }
  }

  /// The layer that `model` is in the scope `outer`.
  KerasLayer layer(std::shared_ptr<KerasModel> model, const std::string& outer) const {
    KerasLayer layer{.name = scope_.name,
                     .module = {},
                     .class_name = {},
                     .config = {},
                     .calls = {},
                     .keras_name = scope_.keras.name.value_or(scope_name_within(scope_.name, outer)),
                     .model = std::move(model)};
    for (const PlannedScopeCall* call : calls_) {
      KerasCall made;
      made.arguments.assign(call->arguments.begin(), call->arguments.end());
      if (!call->masks.empty()) made.keywords.emplace_back("mask", mask_argument(*call));
      for (const auto& [name, value] : call->keywords) made.keywords.emplace_back(name, value);
      made.part_of = call->parent;
      layer.calls.push_back(std::move(made));
    }
    return layer;
  }

 private:
  using Numbers = std::vector<std::vector<std::int64_t>>;  // for each call of the scope, those of a layer's calls

  void find_members() {
    for (const KerasLayer& layer : whole_.layers) {
      Numbers numbers(calls_.size());
      std::size_t inside = 0;
      for (std::size_t call = 0; call < layer.calls.size(); ++call) {
        const auto part = std::ranges::find(calls_, layer.calls[call].part_of, &PlannedScopeCall::name);
        if (part == calls_.end()) continue;
        ++inside;
        numbers[static_cast<std::size_t>(part - calls_.begin())].push_back(static_cast<std::int64_t>(call));
      }
      if (inside == 0) continue;
      is_closed_ = is_closed_ && inside == layer.calls.size() &&
                   std::ranges::all_of(numbers, [&](const auto& each) { return each.size() == numbers[0].size(); });
      members_.emplace(layer.name, std::move(numbers));
    }
  }

  std::string input_name(std::size_t input) const { return scope_.name + "//" + scope_.inputs.at(input).name; }

  void add_input(std::size_t i, KerasModel& model) const {
    const Input& input = scope_.inputs[i];
    std::vector<const SymbolicShape*> given;
    for (const PlannedScopeCall* call : calls_) given.push_back(&call->arguments.at(i).shape);
    const SymbolicShape shape = shape_of_input(input.shape, given);
    model.layers.push_back(input_layer(input_name(i), input.name, input, shape, scope_.keras));
    model.inputs.push_back({input_name(i), 0, 0, shape, input.dtype, {}});
  }

  // What a tensor is called within the model, of which call number `call` is one; nullopt if it comes from elsewhere.
  std::optional<KerasTensor> within(const KerasTensor& tensor, std::size_t call) const {
    KerasTensor result = tensor;
    result.told_apart.clear();
    const std::vector<KerasTensor>& arguments = calls_[call]->arguments;
    for (KerasTensor wanted = tensor;; wanted.told_apart.pop_back()) {
      for (std::size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i].is_same(wanted)) {
          result.layer = input_name(i);
          result.call = result.tensor = 0;
          return result;
        }
      if (wanted.told_apart.empty()) break;
    }
    const auto member = members_.find(tensor.layer);
    if (member == members_.end()) return std::nullopt;
    const std::vector<std::int64_t>& numbers = member->second[call];
    const auto number = std::ranges::find(numbers, tensor.call);
    if (number == numbers.end()) return std::nullopt;
    result.call = number - numbers.begin();
    return result;
  }

  // With the calls that each call of the scope makes of it; nullopt if these differ, or take what comes from elsewhere.
  template <typename MasksAround>
  std::optional<KerasLayer> member_of_model(const KerasLayer& layer, const MasksAround& masks_around) const {
    KerasLayer result = layer;
    result.calls.clear();
    const Numbers& numbers = members_.at(layer.name);
    for (std::size_t call = 0; call < calls_.size(); ++call)
      for (std::size_t i = 0; i < numbers[call].size(); ++i) {
        KerasCall made = layer.calls[static_cast<std::size_t>(numbers[call][i])];
        made.part_of.clear();
        drop_masks(made, masks_around(*calls_[call]));
        bool is_inside = true;
        KerasCall::for_each_tensor(made, [&](KerasTensor& tensor) {
          const std::optional<KerasTensor> known = within(tensor, call);
          is_inside = is_inside && known;
          if (known) tensor = *known;
        });
        if (!is_inside || (call > 0 && !same_call(result.calls[i], made))) return std::nullopt;
        if (call == 0) result.calls.push_back(std::move(made));
      }
    return result;
  }

  bool add_outputs(KerasModel& model) const {
    for (std::size_t call = 0; call < calls_.size(); ++call)
      for (std::size_t i = 0; i < calls_[call]->results.size(); ++i) {
        const std::optional<KerasTensor> result = within(calls_[call]->results[i], call);
        if (!result || (call > 0 && !result->is_same(model.outputs[i]))) return false;
        if (call == 0) model.outputs.push_back(*result);
      }
    return true;
  }

  // Masks that the model's call is given come with its inputs, and are handed on within.
  static void drop_masks(KerasCall& call, const std::vector<std::optional<KerasTensor>>& masks) {
    std::erase_if(call.keywords, [&](const auto& keyword) {
      const KerasTensor* tensor = keyword.second.tensor();
      return keyword.first == "mask" && tensor &&
             std::ranges::any_of(masks, [&](const auto& mask) { return mask && mask->is_same(*tensor); });
    });
  }

  static KerasArgument mask_argument(const PlannedScopeCall& call) {
    if (call.arguments.size() == 1 && call.masks[0]) return *call.masks[0];
    return argument_of(call.masks);
  }

  const KerasModel& whole_;
  const Scope& scope_;
  Calls calls_;
  std::map<std::string, Numbers> members_;  // by the layers' names
  bool is_closed_ = true;
};

class Nester {
 public:
  Nester(KerasModel& model, const std::vector<Scope>& scopes, std::vector<PlannedScopeCall> calls)
      : model_(model), scopes_(scopes), calls_(std::move(calls)) {
    for (const PlannedScopeCall& call : calls_) by_name_.emplace(call.name, &call);
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
  Region::Calls calls_of(const Scope& scope) {
    Region::Calls result;
    for (PlannedScopeCall& call : calls_)
      if (call.scope == scope.name) result.push_back(&call);
    return result;
  }

  const PlannedScopeCall* outer_call(const PlannedScopeCall& call) const {
    const auto found = by_name_.find(call.parent);
    return found == by_name_.end() ? nullptr : found->second;
  }

  // How many calls its calls lie within.
  std::size_t depth_of(const Scope& scope) {
    std::size_t depth = 0;
    for (const PlannedScopeCall* call : calls_of(scope)) {
      std::size_t levels = 0;
      while ((call = outer_call(*call))) ++levels;
      depth = std::max(depth, levels);
    }
    return depth;
  }

  // The scope that all calls lie in, empty if in none; nullopt if it is not one.
  std::optional<std::string> outer_scope(const Region::Calls& calls) const {
    std::set<std::string> scopes;
    for (const PlannedScopeCall* call : calls) {
      const PlannedScopeCall* outer = outer_call(*call);
      scopes.insert(outer ? outer->scope : "");
    }
    return scopes.size() == 1 ? std::optional(*scopes.begin()) : std::nullopt;
  }

  // Makes a layer of the scope's layers; false if they are not one model.
  bool collapse(const Scope& scope) {
    const Region::Calls calls = calls_of(scope);
    if (calls.empty()) return true;
    const std::optional<std::string> outer = outer_scope(calls);
    const Region region(model_, scope, calls);
    if (!outer || !region.is_closed()) return false;
    std::shared_ptr<KerasModel> inner = region.model([&](const PlannedScopeCall& call) { return masks_around(call); });
    if (!inner || (is_wrapper(scope.keras) && wrapped_layers(*inner).empty())) return false;
    // From outside nothing but the results may be seen.
    const std::vector<KerasTensor*> outside = tensors_outside(scope, region);
    const auto is_hidden = [&](const KerasTensor* tensor) {
      return region.holds(tensor->layer) && !region.result_for(*tensor);
    };
    if (std::ranges::any_of(outside, is_hidden)) return false;
    for (KerasTensor* tensor : outside)
      if (const std::optional<KerasTensor> result = region.result_for(*tensor)) *tensor = *result;
    KerasLayer layer = region.layer(std::move(inner), *outer);
    std::erase_if(model_.layers, [&](const KerasLayer& each) { return region.holds(each.name); });
    model_.layers.push_back(std::move(layer));
    return true;
  }

  // Those that the call is given, and the calls that it lies within.
  std::vector<std::optional<KerasTensor>> masks_around(const PlannedScopeCall& call) const {
    std::vector<std::optional<KerasTensor>> result;
    for (const PlannedScopeCall* each = &call; each; each = outer_call(*each))
      result.insert(result.end(), each->masks.begin(), each->masks.end());
    return result;
  }

  // Every place where another layer, a call of a scope or the model itself takes a tensor.
  std::vector<KerasTensor*> tensors_outside(const Scope& scope, const Region& region) {
    std::vector<KerasTensor*> result;
    const auto add = [&](KerasTensor& tensor) { result.push_back(&tensor); };
    for (KerasLayer& layer : model_.layers)
      if (!region.holds(layer.name))
        for (KerasCall& call : layer.calls) KerasCall::for_each_tensor(call, add);
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
    const Region::Calls calls = calls_of(scope);
    const std::string name = scope_name_within(scope.name, outer_scope(calls).value_or(""));
    for (KerasLayer& layer : model_.layers) {
      bool was_in = false;
      for (KerasCall& call : layer.calls)
        if (const auto part = std::ranges::find(calls, call.part_of, &PlannedScopeCall::name); part != calls.end()) {
          call.part_of = (*part)->parent;
          was_in = true;
        }
      if (was_in) layer.keras_name = name + "_" + layer.keras_name;
    }
  }

  KerasModel& model_;
  const std::vector<Scope>& scopes_;
  std::vector<PlannedScopeCall> calls_;
  std::map<std::string, const PlannedScopeCall*> by_name_;
  std::set<std::string> done_;  // the scopes that are layers by now, or none
};

}  // namespace

void nest(KerasModel& model, const std::vector<Scope>& scopes, std::vector<PlannedScopeCall> calls) {
  Nester(model, scopes, std::move(calls)).run();
}

}  // namespace h5bridge
