#include "convert/random_inputs.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <set>

#include "convert/tensor_agreement.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "model/numbers.h"
#include "passes/fix_sizes.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

using Port = Presentation::Port;
using Symbols = std::map<std::string, std::int64_t>;

constexpr std::int64_t kOpenSize = 32;  // survives the poolings of usual networks
constexpr std::int64_t kIntegers = 10;

/// The symbol that `size` is, if it is no expression.
std::optional<std::string> symbol_of(const Size& size) {
  const auto symbols = size.symbols();
  if (symbols.size() == 1 && size == Size::symbol(symbols[0])) return symbols[0];
  return std::nullopt;
}

void check_names(const Presentation& presentation, const RandomInputs& wanted) {
  for (const auto& [name, shape] : wanted.shapes)
    if (std::ranges::find(presentation.inputs, name, &Port::name) == presentation.inputs.end())
      throw UsageError("a shape is given for \"" + name + "\", which is no input of the model");
}

std::optional<std::int64_t> table_size(const Architecture& architecture, const Port& input);

/// How many positions a model counts by itself (0, 1, ...), and the size of the table that they are looked up in.
std::vector<std::pair<Size, std::int64_t>> counted_positions(const Architecture& architecture) {
  std::vector<std::pair<Size, std::int64_t>> result;
  const ArchitectureIndex index(architecture);
  for (const Node& node : architecture.nodes) {
    if (!node.values().empty()) continue;
    const Layer& layer = index.layer_of(node);
    const std::vector<SymbolicShape> shapes = Registry::instance().type_of(layer).shapes(layer.attributes, {});
    if (shapes.size() != 1 || shapes[0].size() != 1 || !shapes[0][0].is_open()) continue;
    Port port;
    port.name = node.name;
    port.dtype = DType::Int64;
    if (const auto table = table_size(architecture, port)) result.emplace_back(shapes[0][0], *table);
  }
  return result;
}

/// Whether all values have shapes with these sizes, where a table of positions may be shorter than what is added to it.
bool have_shapes(const Architecture& architecture, const Symbols& symbols) {
  try {
    infer_shapes(fix_sizes(architecture, symbols));
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// A number for all sizes in `open`, or the largest below it with which positions stay within their tables; `known`
/// are the sizes that have numbers.
std::int64_t open_size(const Architecture& architecture, const std::set<std::string>& open, const Symbols& known) {
  const auto positions = counted_positions(architecture);
  const auto fits = [&](std::int64_t size) {
    Symbols symbols = known;
    for (const std::string& symbol : open) symbols[symbol] = size;
    const auto are_in_table = [&](const auto& counted) {
      return counted.first.bind(symbols).value().value_or(0) <= counted.second;
    };
    return std::ranges::all_of(positions, are_in_table) && have_shapes(architecture, symbols);  // which takes longer
  };
  for (std::int64_t size = kOpenSize; size > 0; --size)
    if (fits(size)) return size;
  return kOpenSize;  // whose problem is the one to be told
}

/// Symbols that the given shapes bind, then the batch, then all others.
Symbols bound_symbols(const Architecture& architecture, const Presentation& presentation, const RandomInputs& wanted) {
  Symbols symbols;
  for (const Port& port : presentation.inputs)
    if (const auto given = wanted.shapes.find(port.name);
        given != wanted.shapes.end() && given->second.size() == port.shape.size())
      for (std::size_t i = 0; i < port.shape.size(); ++i)
        if (const auto symbol = symbol_of(port.shape[i])) symbols.emplace(*symbol, given->second[i]);
  for (const Port& port : presentation.inputs)
    if (!port.shape.empty())
      if (const auto symbol = symbol_of(port.shape[0])) {
        const std::int64_t rows = symbols.emplace(*symbol, wanted.rows).first->second;
        if (rows != wanted.rows && !wanted.rows_asked_by.empty())
          throw UsageError(wanted.rows_asked_by + " asks for " + std::to_string(wanted.rows) +
                           " rows, and the shape given for an input has " + std::to_string(rows) +
                           ": the two have to be one number");
      }
  std::set<std::string> open;
  for (const Port& port : presentation.inputs)
    for (const Size& size : port.shape)
      for (const std::string& symbol : size.symbols())
        if (!symbols.contains(symbol)) open.insert(symbol);
  if (open.empty()) return symbols;
  const std::int64_t others = open_size(architecture, open, symbols);
  for (const std::string& symbol : open) symbols.emplace(symbol, others);
  return symbols;
}

Shape bound_shape(const Port& port, const Symbols& symbols, const RandomInputs& wanted) {
  Shape shape;
  for (const Size& size : port.shape) shape.push_back(size.bind(symbols).value().value());
  const auto given = wanted.shapes.find(port.name);
  if (given != wanted.shapes.end() && given->second != shape)
    throw UsageError("the shape " + to_string(given->second) + " does not fit input \"" + port.name + "\" of shape " +
                     to_string(port.shape));
  return shape;
}

/// How many rows the table has that a call looks indices up in: the layer's own, or a tensor that is given; nullopt
/// where it is none of the state_dict's.
std::optional<std::int64_t> rows_of_table(const ArchitectureIndex& index, const Node& node) {
  const Layer& layer = index.layer_of(node);
  if (layer.attributes.contains("num_embeddings")) return layer.attributes.integer("num_embeddings");
  const std::vector<Value> values = node.values();
  const Node* table = values.size() > 1 ? index.find_node(values[1].node) : nullptr;
  if (!table || !index.layer_of(*table).attributes.contains("shape")) return std::nullopt;
  const std::vector<std::int64_t> shape = index.layer_of(*table).attributes.integers("shape");
  return shape.empty() ? std::nullopt : std::optional(shape[0]);
}

/// One more than the largest index for the smallest table that `input` is looked up in, or for integers anything made
/// of it; nullopt if there is none. What changes values (weights, means) makes no indices of numbers.
std::optional<std::int64_t> table_size(const Architecture& architecture, const Port& input) {
  const bool is_number = is_floating_point(input.dtype);
  std::set<std::string> reached{input.name};
  std::optional<std::int64_t> size;
  const ArchitectureIndex index(architecture);
  for (const Node& node : architecture.nodes) {
    if (std::ranges::none_of(node.values(), [&](const Value& value) { return reached.contains(value.node); })) continue;
    const Layer& layer = index.layer_of(node);
    const LayerType& type = Registry::instance().type_of(layer);
    if (type.integers == Integers::AreIndices)
      if (const auto rows = rows_of_table(index, node))
        size = std::min(size.value_or(std::numeric_limits<std::int64_t>::max()), *rows);
    if (!is_number || (type.integers == Integers::Stay && type.parameters(layer.attributes).empty()))
      reached.insert(node.name);
  }
  return size;
}

/// How many integers from 0 on a type has, without gaps.
std::int64_t integers_in(DType dtype) {
  switch (dtype) {
    case DType::Float8E5M2: return 8;
    case DType::Float8E4M3FN: return 16;
    case DType::Int8: return 128;
    case DType::UInt8:
    case DType::BFloat16: return 256;
    case DType::Float16: return 2048;
    case DType::Int16: return 32768;
    case DType::UInt16: return 65536;
    default: return std::int64_t{1} << 24;
  }
}

/// With a `table`, indices into it, whatever the type: Keras's Input has floating-point numbers by default.
Tensor random_tensor(DType dtype, const Shape& shape, std::optional<std::int64_t> table, std::mt19937_64& random) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  if (is_floating_point(dtype) && !table) {
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random); });
    return cast(tensor_of(DType::Float32, shape, values), dtype);
  }
  if (dtype == DType::Bool) {
    std::vector<std::uint8_t> values(count);
    std::ranges::generate(values, [&] { return static_cast<std::uint8_t>(random() & 1); });
    return tensor_of(dtype, shape, values);
  }
  std::uniform_int_distribution<std::int64_t> uniform(table ? 0 : 1,
                                                      std::min(integers_in(dtype), table.value_or(kIntegers)) - 1);
  std::vector<std::int64_t> values(count);
  std::ranges::generate(values, [&] { return uniform(random); });
  const Tensor integers = tensor_of(DType::Int64, shape, values);
  return is_floating_point(dtype) ? floats_of(integers, dtype) : cast(integers, dtype);
}

}  // namespace

std::vector<NamedTensor> random_inputs(const Architecture& architecture, const Presentation& presentation,
                                       const RandomInputs& wanted) {
  check_names(presentation, wanted);
  const Symbols symbols = bound_symbols(architecture, presentation, wanted);
  std::mt19937_64 random(wanted.seed);
  std::vector<NamedTensor> inputs;
  for (const Port& port : presentation.inputs)
    inputs.push_back({port.name, random_tensor(port.dtype, bound_shape(port, symbols, wanted),
                                               table_size(architecture, port), random)});
  return inputs;
}

}  // namespace h5bridge
