#include "facets/aten/folding.h"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>

#include "facets/aten/folded_operators.h"
#include "facets/aten/row.h"

namespace h5bridge::aten {
namespace {

constexpr int kMostAttempts = 64;
constexpr std::int64_t kMostElements = std::int64_t{1} << 24;  // of all results, so that no file takes long or much

// One attempt; it fails where memory turns out to be no constant.
class Attempt {
 public:
  Attempt(const Graph& graph, const std::set<std::size_t>& refused, std::int64_t& left)
      : graph_(graph), refused_(refused), left_(left) {
    std::size_t root = graph.operations.size();
    for (const auto& [name, tensor] : graph.constants) roots_.emplace(name, root++);
  }

  /// What made the memory that is none, by its root.
  std::optional<std::size_t> run() {
    for (std::size_t i = 0; i < graph_.operations.size(); ++i)
      if (const auto trouble = carry_out(i)) return trouble;
    return std::nullopt;
  }

  std::map<std::string, KnownNumbers, std::less<>> values;
  std::set<std::size_t> folded;

 private:
  std::optional<std::size_t> carry_out(std::size_t number) {
    const Operation& operation = graph_.operations[number];
    const bool in_place = is_in_place(operation.plain_name());
    const std::string* target = in_place ? first_tensor(operation) : nullptr;
    const auto made = folded_result(operation, number);
    if (!made) {
      if (target)
        if (const auto root = root_behind(*target)) return root;
      note_reading(operation);
      return std::nullopt;
    }
    if (target) {
      KnownNumbers into = *known(*target);
      // The module's own constants have what a call writes for the next one.
      if (into.shape() != made->shape() || into.block().is_read || into.block().root >= graph_.operations.size())
        return into.block().root;
      for_each_place(into.shape(), [&](const auto& place) { into.set(place, made->at(place)); });
      values.insert_or_assign(*operation.outputs[0], into);
    } else {
      values.insert_or_assign(*operation.outputs[0], *made);
    }
    folded.insert(number);
    return std::nullopt;
  }

  std::optional<KnownNumbers> folded_result(const Operation& operation, std::size_t number) {
    const FoldedOperator* row = find_folded_operator(operation.plain_name());
    if (!row || refused_.contains(number) || operation.takes_values || operation.outputs.size() != 1 ||
        !operation.outputs[0] || !takes_constants_alone(operation))
      return std::nullopt;
    const auto type = graph_.values.find(*operation.outputs[0]);
    if (type == graph_.values.end() || !type->second.dtype || !type->second.shape) return std::nullopt;
    const auto shape = fixed(*type->second.shape);
    if (!shape || !is_foldable(*type->second.dtype) || !is_small(*shape)) return std::nullopt;
    const std::int64_t count = element_count(*shape);
    if (count > left_) return std::nullopt;
    left_ -= count + 1;
    return carried_out(*row, {operation, *shape, *type->second.dtype, number,
                              [this](const std::string& name) { return known(name); }});
  }

  // A file may state sizes that do not fit together, which is told where layers are made of it.
  static std::optional<KnownNumbers> carried_out(const FoldedOperator& row, const FoldedCall& call) {
    try {
      auto made = row(call);
      return made && made->shape() == call.shape && made->dtype() == call.dtype ? made : std::nullopt;
    } catch (const std::out_of_range&) {
      return std::nullopt;
    }
  }

  static bool is_small(const Shape& shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) {
      if (size < 0 || size > kMostFolded || (count *= size) > kMostFolded) return false;
    }
    return true;
  }

  bool takes_constants_alone(const Operation& operation) {
    return std::ranges::all_of(operation.arguments, [&](const Argument& argument) {
      if (std::holds_alternative<Unsayable>(argument.value)) return false;
      if (const auto* name = std::get_if<std::string>(&argument.value)) return known(*name) != nullptr;
      const auto* names = std::get_if<Names>(&argument.value);
      return !names || std::ranges::all_of(*names, [&](const auto& name) { return !name || known(*name) != nullptr; });
    });
  }

  const KnownNumbers* known(const std::string& name) {
    if (const auto found = values.find(name); found != values.end()) return &found->second;
    const auto constant = graph_.constants.find(name);
    if (constant == graph_.constants.end() || refused_.contains(roots_.at(name))) return nullptr;
    const Tensor& tensor = constant->second;
    if (!is_foldable(tensor.dtype()) || !is_small(tensor.shape())) return nullptr;
    return &values.emplace(name, KnownNumbers::of(tensor, roots_.at(name))).first->second;
  }

  static const std::string* first_tensor(const Operation& operation) {
    return operation.arguments.empty() ? nullptr : std::get_if<std::string>(&operation.arguments[0].value);
  }

  // Of what a tensor is, or is a view of.
  std::optional<std::size_t> root_behind(const std::string& name) {
    if (const auto view = views_.find(name); view != views_.end()) return view->second;
    const KnownNumbers* found = known(name);
    return found ? std::optional(found->block().root) : std::nullopt;
  }

  void note_reading(const Operation& operation) {
    const auto read = [&](const std::string& name) {
      if (const KnownNumbers* found = known(name)) found->block().is_read = true;
    };
    for (const Argument& argument : operation.arguments) {
      if (const auto* name = std::get_if<std::string>(&argument.value)) read(*name);
      if (const auto* names = std::get_if<Names>(&argument.value))
        for (const auto& name : *names)
          if (name) read(*name);
    }
    const Row* row = find_row(operation.plain_name());
    const std::string* base = first_tensor(operation);
    if (!base || (row && !row->is_view)) return;
    if (const auto root = root_behind(*base))
      for (const auto& name : operation.outputs)
        if (name) views_.emplace(*name, *root);
  }

  const Graph& graph_;
  const std::set<std::size_t>& refused_;
  std::int64_t& left_;                        // elements that may still be computed
  std::map<std::string, std::size_t> roots_;  // of the graph's constants, behind those of the operations
  std::map<std::string, std::size_t> views_;  // what is not carried out, and may share the memory of that root
};

}  // namespace

void fold_constants(Graph& graph) {
  std::set<std::size_t> refused;
  std::int64_t left = kMostElements;
  for (int attempts = 0; attempts < kMostAttempts; ++attempts) {
    Attempt attempt(graph, refused, left);
    if (const auto trouble = attempt.run()) {
      refused.insert(*trouble);
      continue;
    }
    graph.elements = std::move(attempt.values);
    graph.folded = std::move(attempt.folded);
    return;
  }
}

}  // namespace h5bridge::aten
