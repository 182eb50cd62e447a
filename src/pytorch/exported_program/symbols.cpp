#include "pytorch/exported_program/symbols.h"

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/exported_program/expression.h"

namespace h5bridge {
namespace {

// By the number of axes, as the exporter has them.
std::string name_of_axis(std::size_t rank, std::size_t axis) {
  static const std::map<std::size_t, std::vector<std::string>> names{
      {4, {"size", "channels", "height", "width"}}, {5, {"size", "channels", "depth", "height", "width"}}};
  const auto found = names.find(rank);
  return found == names.end() ? "length" : found->second[axis];
}

// `factor` times one symbol, or no name.
struct Multiple {
  std::string symbol;
  std::int64_t factor = 1;
};

Multiple multiple_of(const Json& size) {
  const Json* expression = size.find("as_expr");
  if (!expression) return {};
  const Size raw = size_of_expression(expression->at("expr_str").as_string(),
                                      [](const std::string& name) { return Size::symbol(name); });
  const std::vector<std::string> symbols = raw.symbols();
  if (symbols.size() != 1) return {};
  const auto factor = raw.bind({{symbols[0], 1}}).value();
  if (!factor || *factor < 1 || raw != Size::symbol(symbols[0]) * *factor) return {};
  return {symbols[0], *factor};
}

}  // namespace

void ExportedSymbols::add_axis(const std::string& own_name, std::int64_t factor, std::string wanted) {
  if (names_.contains(own_name)) return;
  if (factor > 1) wanted += "_by_" + std::to_string(factor);
  std::string name = unique_name(wanted, [&](const std::string& n) { return taken_.contains(n); });
  taken_.insert(name);
  names_.emplace(own_name, std::move(name));
}

void ExportedSymbols::add_input(const std::string& name, const Json::Array& sizes, bool is_alone) {
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    Multiple found;
    try {
      found = multiple_of(sizes[axis]);
    } catch (const Unsupported&) {  // told where the size is asked for
    }
    if (found.symbol.empty()) continue;
    std::string wanted = axis == 0 ? "batch" : name_of_axis(sizes.size(), axis);
    if (taken_.contains(wanted) && !is_alone) wanted = name + "_" + wanted;
    add_axis(found.symbol, found.factor, std::move(wanted));
  }
}

Size ExportedSymbols::size(const Json& json) const {
  if (const Json* number = json.find("as_int")) return number->as_integer();
  const Json* expression = json.find("as_expr");
  if (!expression) throw MalformedFile("a size is " + quoted(json) + ", expected a number or an expression");
  return size_of_expression(expression->at("expr_str").as_string(), [&](const std::string& own_name) {
    const auto found = names_.find(own_name);
    if (found == names_.end())
      throw Unsupported("the size " + shortened(own_name) + " is of no input's axis: it depends on a tensor's values");
    return Size::symbol(found->second);
  });
}

}  // namespace h5bridge
