#include "pytorch/python_source/initial_values.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "facets/registry.h"
#include "model/numbers.h"

namespace h5bridge::torch_source {
namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 26;  // of a buffer that is compared with formulas
constexpr std::int64_t kShort = 6;                             // digits of a number that somebody may have chosen

bool is_complex(DType dtype) { return name_of(dtype).starts_with("complex"); }

// Whether torch.randn and torch.ones make it.
bool is_common_float(DType dtype) {
  return dtype == DType::Float16 || dtype == DType::BFloat16 || dtype == DType::Float32 || dtype == DType::Float64;
}

// The sizes of a tensor as arguments, which may be others in another module of the class.
Code::Arguments sizes_of(const Shape& shape) {
  Code::Arguments result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const std::size_t behind = shape.size() - axis - 1;
    const bool is_channels = shape.back() == 1 && shape[axis] != 1;
    const char* name = is_channels ? "in_channels" : behind == 0 ? "in_features" : behind == 1 ? "length" : "size";
    result.push_back({.name = name, .text = std::to_string(shape[axis]), .by_name = false});
  }
  return result;
}

// "torch.zeros(2, 3, dtype=torch.int64)".
Code of_sizes(const std::string& function, const Shape& shape, const std::string& dtype) {
  Code code(function + "(");
  if (shape.empty())
    code << std::string("()");
  else
    code << sizes_of(shape);
  return code << dtype + ")";
}

// A buffer's numbers, of `columns` in a row where its axes but the last two have size 1.
struct Numbers {
  std::vector<double> values;
  std::size_t rows = 1, columns = 1;
  bool are(const std::function<double(std::int64_t, std::int64_t)>& formula) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double wanted = formula(static_cast<std::int64_t>(i / columns), static_cast<std::int64_t>(i % columns));
      if (values[i] != wanted || std::signbit(values[i]) != std::signbit(wanted)) return false;
    }
    return true;
  }
};

std::optional<Numbers> numbers_of(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  if (tensor.element_count() == 0 || tensor.element_count() > kMostElements || is_complex(tensor.dtype())) return {};
  Numbers result;
  try {
    result.values = as_doubles(tensor);
  } catch (const Unsupported&) {
    return {};
  }
  if (!shape.empty()) result.columns = static_cast<std::size_t>(shape.back());
  result.rows = result.values.size() / result.columns;
  return result;
}

// `made`, which has all axes but those of size 1 in front.
std::string with_axes(const std::string& made, const Shape& shape, std::size_t has) {
  if (shape.size() == has) return made;
  if (shape.size() == has + 1) return made + ".unsqueeze(0)";
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(std::to_string(size));
  return made + ".view(" + joined(sizes) + ")";
}

std::string one_number(double number, DType dtype) {
  if (dtype == DType::Bool) return number != 0 ? "True" : "False";
  if (dtype == DType::Float32) return python_float32(static_cast<float>(number));
  if (is_floating_point(dtype)) return python_float(number);
  return std::to_string(static_cast<std::int64_t>(number));
}

// Ones on one side of a diagonal, or infinities above it, in one matrix.
std::string triangle(const Numbers& numbers, const Shape& shape, DType dtype, const std::string& of_type) {
  if (shape.size() < 2 || shape[shape.size() - 2] != static_cast<std::int64_t>(numbers.rows) || numbers.rows < 2 ||
      numbers.columns < 2)
    return "";
  const std::string sizes = std::to_string(numbers.rows) + ", " + std::to_string(numbers.columns);
  const double corner = numbers.values[numbers.columns - 1];
  for (const int diagonal : {0, 1, -1}) {
    const std::string behind = diagonal == 0 ? "" : ", diagonal=" + std::to_string(diagonal);
    const auto is_above = [&](std::int64_t row, std::int64_t column) { return column - row >= diagonal; };
    const auto is_below = [&](std::int64_t row, std::int64_t column) { return column - row <= diagonal; };
    const std::string ones = "torch.ones(" + sizes + of_type + ")";
    if (numbers.are([&](auto row, auto column) { return is_below(row, column) ? 1.0 : 0.0; }))
      return "torch.tril(" + ones + behind + ")";
    if (numbers.are([&](auto row, auto column) { return is_above(row, column) ? 1.0 : 0.0; }))
      return "torch.triu(" + ones + behind + ")";
    if (is_floating_point(dtype) && corner < 0 &&
        numbers.are([&](auto row, auto column) { return is_above(row, column) ? corner : 0.0; }))
      return "torch.triu(torch.full((" + sizes + "), " + python_float(corner) + of_type + ")" + behind + ")";
  }
  return "";
}

// The words of a number that is short; none of one that somebody measured.
std::optional<std::string> short_number(double number, DType dtype) {
  const std::string text = one_number(number, dtype);
  const bool is_short = !std::isfinite(number) || static_cast<std::int64_t>(text.size()) <= kShort;
  return is_short ? std::optional(text) : std::nullopt;
}

enum class Use { Factor, Shift, Other };

Use use_in(const ModuleTree& tree, std::size_t user, const Value& value, const Shape& shape) {
  const Layer& layer = tree.layer_of(user);
  const Node& node = tree.architecture().nodes[user];
  const std::vector<Operand>& operands = Registry::instance().type_of(layer).operands;
  const std::int64_t longest = shape.empty() ? 1 : *std::ranges::max_element(shape);
  const bool is_per_channel = element_count(shape) == longest;
  for (std::size_t i = 0; i < std::min(operands.size(), node.arguments.size()); ++i) {
    const auto* given = std::get_if<Value>(&node.arguments[i]);
    if (!given || *given != value) continue;
    if (operands[i].name == "bias") return Use::Shift;
    if (operands[i].name == "weight" && layer.type.ends_with("_norm")) return Use::Factor;
  }
  if (is_per_channel && (layer.type == "mul" || layer.type == "div")) return Use::Factor;
  return is_per_channel && (layer.type == "add" || layer.type == "sub") ? Use::Shift : Use::Other;
}

}  // namespace

Code buffer_value(const OwnTensor& tensor, const Tensor* values, const std::string& dtype) {
  const Code zeros = of_sizes("torch.zeros", tensor.shape, dtype);
  const std::optional<Numbers> numbers = values ? numbers_of(*values) : std::nullopt;
  if (!numbers) return zeros;
  const double first = numbers->values[0];
  if (numbers->are([&](auto, auto) { return first; })) {
    if (first == 0 && !std::signbit(first)) return zeros;
    if (first == 1) return of_sizes("torch.ones", tensor.shape, dtype);
    const auto number = short_number(first, tensor.dtype);
    if (!number) return zeros;
    if (tensor.shape.empty()) return Code("torch.tensor(" + *number + dtype + ")");
    Code code("torch.full((");
    code << sizes_of(tensor.shape) << std::string(tensor.shape.size() == 1 ? ",), " : "), ") + *number;
    return code << dtype + ")";
  }
  if (numbers->rows == 1 && numbers->are([](auto, auto column) { return static_cast<double>(column); })) {
    const std::string of_type = tensor.dtype == DType::Int64 ? "" : dtype.empty() ? ", dtype=torch.float32" : dtype;
    const std::string range = "torch.arange(" + std::to_string(numbers->columns) + of_type + ")";
    return Code(with_axes(range, tensor.shape, 1));
  }
  if (const std::string made = triangle(*numbers, tensor.shape, tensor.dtype, dtype); !made.empty())
    return Code(with_axes(made, tensor.shape, 2));
  return zeros;
}

Code parameter_value(const ModuleTree& tree, const Calls& calls, const SourceModule& module, const std::string& dtype) {
  const OwnTensor& tensor = *module.tensor;
  if (!is_common_float(tensor.dtype)) return of_sizes("torch.zeros", tensor.shape, dtype);
  std::set<Use> uses;
  for (const Node* read : tree.index().calls_of(module.path))
    for (const std::size_t user : calls.users_of({read->name}))
      uses.insert(use_in(tree, user, {read->name}, tensor.shape));
  if (uses == std::set{Use::Factor}) return of_sizes("torch.ones", tensor.shape, dtype);
  if (uses == std::set{Use::Shift} || tensor.shape.empty()) return of_sizes("torch.zeros", tensor.shape, dtype);
  return of_sizes("torch.randn", tensor.shape, dtype) << std::string(" * 0.02");
}

}  // namespace h5bridge::torch_source
