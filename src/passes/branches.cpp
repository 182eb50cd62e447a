#include "passes/branches.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "facets/registry.h"
#include "model/architecture_index.h"

namespace h5bridge {
namespace {

std::optional<Conditional> choice_of(const LayerType& type, const Node& node) {
  const auto given = [&](const auto& operand) {
    const auto place = static_cast<std::size_t>(operand - type.operands.begin());
    return place < node.arguments.size() ? std::get_if<Value>(&node.arguments[place]) : nullptr;
  };
  const auto needed_where = [&](bool is) {
    return std::ranges::find_if(type.operands, [&](const Operand& operand) {
      return !operand.decided_by.empty() && operand.needed_where == is;
    });
  };
  const auto if_true = needed_where(true), if_false = needed_where(false);
  if (if_true == type.operands.end() || if_false == type.operands.end()) return std::nullopt;
  const Value* const predicate = given(std::ranges::find(type.operands, if_true->decided_by, &Operand::name));
  const Value *const one = given(if_true), *const other = given(if_false);
  if (!predicate || !one || !other) return std::nullopt;
  return Conditional{*predicate, *one, *other};
}

}  // namespace

std::vector<Branch> in_common(const std::vector<Branch>& a, const std::vector<Branch>& b) {
  return {a.begin(), std::ranges::mismatch(a, b).in1};
}

// From the last node to the first: a node is needed where one of those that use it is.
Branches::Branches(const Architecture& architecture) {
  const std::vector<Node>& nodes = architecture.nodes;
  const ArchitectureIndex index(architecture);
  std::map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    numbers.emplace(nodes[i].name, i);
    choices_.push_back(choice_of(Registry::instance().type_of(index.layer_of(nodes[i])), nodes[i]));
    const bool goes_on =
        i > 0 && choices_[i] && choices_[i - 1] && choices_[i]->predicate == choices_[i - 1]->predicate;
    first_.push_back(goes_on ? first_[i - 1] : i);
  }
  std::vector<std::optional<std::vector<Branch>>> around(nodes.size());
  const auto use = [&](const Value& value, const std::vector<Branch>& where) {
    const auto found = numbers.find(value.node);
    if (found == numbers.end()) return;  // an input
    auto& known = around[found->second];
    known = known ? in_common(*known, where) : where;
  };
  for (const Output& output : architecture.outputs) use(output.value, {});
  around_.resize(nodes.size());
  for (std::size_t i = nodes.size(); i-- > 0;) {
    std::vector<Branch>& own = around_[i] = around[i].value_or(std::vector<Branch>());
    // Where it is not known yet whether it is needed, it is computed.
    const auto is_late = [&](const Branch& branch) {
      const auto maker = numbers.find(branch.predicate.node);
      return maker != numbers.end() && maker->second >= i;
    };
    own.erase(std::ranges::find_if(own, is_late), own.end());
    for (const Value& value : nodes[i].values()) {
      const auto& choice = choices_[i];
      std::vector<Branch> where = own;
      const bool is_one = choice && value == choice->if_true, is_other = choice && value == choice->if_false;
      if (is_one != is_other && value != choice->predicate) where.push_back({first_[i], choice->predicate, is_one});
      use(value, where);
    }
  }
}

}  // namespace h5bridge
