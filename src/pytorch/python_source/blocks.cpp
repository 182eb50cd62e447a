#include "pytorch/python_source/blocks.h"

#include <algorithm>
#include <map>
#include <set>

namespace h5bridge::torch_source {
namespace {

struct Placed {
  SourceItem item;
  std::vector<Branch> around;
};

class BlockMaker {
 public:
  BlockMaker(const Calls& calls, const Branches& branches) : calls_(calls), branches_(branches) {}

  std::vector<Part> parts(const std::vector<SourceItem>& items) const {
    std::vector<Placed> placed;
    for (const SourceItem& item : items) placed.push_back({item, around(item)});
    return parts(placed);
  }

 private:
  // Those around a module's call are those around all that it makes.
  std::vector<Branch> around(const SourceItem& item) const {
    if (!item.module) return branches_.around(item.node);
    std::optional<std::vector<Branch>> result;
    for (const Value& value : calls_.outputs_of(*item.module, item.call))
      if (const auto maker = calls_.maker_of(value)) {
        const std::vector<Branch>& its = branches_.around(*maker);
        result = result ? in_common(*result, its) : its;
      }
    return result.value_or(std::vector<Branch>());
  }

  bool chooses(const Placed& placed) const { return !placed.item.module && branches_.choice_at(placed.item.node); }

  static bool is_in(const Placed& placed, std::size_t choice) {
    return std::ranges::any_of(placed.around, [&](const Branch& branch) { return branch.choice == choice; });
  }

  // The choices whose nodes stand here, one behind the other but for what is only needed for them.
  std::set<std::size_t> choices_in(const std::vector<Placed>& placed) const {
    std::map<std::size_t, std::pair<std::size_t, std::size_t>> from_to;
    for (std::size_t i = 0; i < placed.size(); ++i)
      if (chooses(placed[i])) {
        const auto [found, is_new] = from_to.try_emplace(branches_.first_of_choice(placed[i].item.node), i, i);
        found->second.second = i;
      }
    std::set<std::size_t> result;
    for (const auto& [choice, places] : from_to) {
      bool is_whole = true;
      for (std::size_t i = places.first; i <= places.second; ++i) {
        const bool is_of_it = chooses(placed[i]) && branches_.first_of_choice(placed[i].item.node) == choice;
        is_whole = is_whole && (is_of_it || is_in(placed[i], choice));
      }
      if (is_whole) result.insert(choice);
    }
    return result;
  }

  std::vector<Part> parts(const std::vector<Placed>& placed) const {
    const std::set<std::size_t> choices = choices_in(placed);
    // By choice, what is needed one way alone, which is done there and not here.
    std::map<std::pair<std::size_t, bool>, std::vector<Placed>> within;
    std::map<std::size_t, std::vector<std::size_t>> nodes;
    std::vector<const Placed*> here;
    for (const Placed& each : placed) {
      const auto branch =
          std::ranges::find_if(each.around, [&](const Branch& around) { return choices.contains(around.choice); });
      if (branch != each.around.end()) {
        Placed inner = each;
        inner.around.erase(inner.around.begin(), inner.around.begin() + (branch - each.around.begin()) + 1);
        within[{branch->choice, branch->when}].push_back(std::move(inner));
        continue;
      }
      here.push_back(&each);
      if (chooses(each)) nodes[branches_.first_of_choice(each.item.node)].push_back(each.item.node);
    }
    std::vector<Part> result;
    std::set<std::size_t> done;
    for (const Placed* each : here) {
      const std::size_t choice = chooses(*each) ? branches_.first_of_choice(each->item.node) : 0;
      if (!chooses(*each) || !choices.contains(choice)) {
        result.push_back({.item = each->item});
        continue;
      }
      if (!done.insert(choice).second) continue;
      Part part{.item = each->item, .choices = nodes.at(choice)};
      part.if_true = parts(within[{choice, true}]);
      part.if_false = parts(within[{choice, false}]);
      if (part.choices.size() == 1 && part.if_true.empty() && part.if_false.empty()) part.choices.clear();
      result.push_back(std::move(part));
    }
    return result;
  }

  const Calls& calls_;
  const Branches& branches_;
};

}  // namespace

std::vector<Part> parts_of(const std::vector<SourceItem>& items, const Calls& calls, const Branches& branches) {
  return BlockMaker(calls, branches).parts(items);
}

}  // namespace h5bridge::torch_source
