#include "passes/input_check.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "model/numbers.h"
#include "passes/bind_symbols.h"

namespace h5bridge {
namespace {

using Port = Presentation::Port;

const Tensor& input_for(const Port& port, const std::vector<NamedTensor>& given) {
  const auto count = std::ranges::count(given, port.name, &NamedTensor::name);
  if (count == 0) throw UsageError("input \"" + port.name + "\" is missing, expected shape " + to_string(port.shape));
  if (count > 1) throw UsageError("input \"" + port.name + "\" is given twice");
  return std::ranges::find(given, port.name, &NamedTensor::name)->tensor;
}

/// " where batch is 3" for the symbols in `shape`.
std::string known_symbols(const SymbolicShape& shape, const std::map<std::string, std::int64_t>& symbols) {
  std::string result;
  for (const auto& [name, value] : symbols) {
    const auto has_symbol = [&name = name](const Size& size) { return std::ranges::count(size.symbols(), name) > 0; };
    if (std::ranges::any_of(shape, has_symbol))
      result += (result.empty() ? " where " : ", ") + name + " is " + std::to_string(value);
  }
  return result;
}

void check_shape(const Port& port, const Shape& shape, const std::map<std::string, std::int64_t>& symbols) {
  bool fits = true;
  for (std::size_t i = 0; fits && i < std::min(shape.size(), port.shape.size()); ++i) {
    const auto expected = port.shape[i].bind(symbols).value();
    fits = !expected || *expected == shape[i];
  }
  if (shape.size() != port.shape.size())
    throw UsageError("input \"" + port.name + "\" has shape " + to_string(shape) + ", expected " +
                     std::to_string(port.shape.size()) + " axes, " + to_string(port.shape));
  if (!fits)
    throw UsageError("input \"" + port.name + "\" has shape " + to_string(shape) + ", expected " +
                     to_string(port.shape) + known_symbols(port.shape, symbols));
}

bool is_integer(DType dtype) { return name_of(dtype).find("int") != std::string_view::npos; }

/// Throws UsageError for numbers that `dtype` does not have.
Tensor narrowed(const Tensor& tensor, DType dtype) {
  try {
    return cast(tensor, dtype);
  } catch (const Unsupported& error) {
    throw UsageError(error.what());
  }
}

Tensor converted(const Port& port, const Tensor& tensor, Framework framework) {
  if (tensor.dtype() == port.dtype) return tensor;
  if (is_integer(tensor.dtype())) {
    if (framework == Framework::Keras && is_floating_point(port.dtype)) return floats_of(tensor, port.dtype);
    if (is_integer(port.dtype))
      return in_file("input \"" + port.name + "\"", [&] { return narrowed(tensor, port.dtype); });
  }
  if (is_floating_point(tensor.dtype()) && is_floating_point(port.dtype)) return cast(tensor, port.dtype);
  throw UsageError("input \"" + port.name + "\" has dtype " + std::string(name_of(tensor.dtype())) + ", expected " +
                   std::string(name_of(port.dtype)));
}

}  // namespace

std::string listed(const std::vector<Port>& ports) {
  std::string result;
  for (const Port& port : ports) result += (result.empty() ? "\"" : ", \"") + port.name + "\"";
  return result;
}

void check_shapes(const std::vector<Port>& ports, const std::vector<Shape>& shapes) {
  std::map<std::string, std::int64_t> symbols;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    bind_symbols(ports[i].shape, shapes[i], symbols);
    check_shape(ports[i], shapes[i], symbols);
  }
}

std::vector<Tensor> checked_inputs(const std::vector<Port>& ports, const std::vector<NamedTensor>& given,
                                   Framework framework) {
  for (const NamedTensor& tensor : given)
    if (std::ranges::find(ports, tensor.name, &Port::name) == ports.end())
      throw UsageError("the model has no input \"" + tensor.name + "\", only " + listed(ports));
  std::vector<Shape> shapes;
  for (const Port& port : ports) shapes.push_back(input_for(port, given).shape());
  check_shapes(ports, shapes);
  std::vector<Tensor> result;
  for (const Port& port : ports) result.push_back(converted(port, input_for(port, given), framework));
  return result;
}

}  // namespace h5bridge
