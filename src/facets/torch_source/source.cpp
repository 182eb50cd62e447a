#include "facets/torch_source/source.h"

#include <algorithm>
#include <cstring>

#include "facets/spec/attributes/integers.h"

namespace h5bridge {
namespace {

template <typename Element, typename Write>
std::vector<std::string> each(const std::vector<Element>& elements, Write&& write) {
  std::vector<std::string> result;
  for (const Element& element : elements) result.push_back(write(element));
  return result;
}

template <typename Number>
std::string number(const std::byte* bytes) {
  Number value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::is_same_v<Number, bool>)
    return value ? "True" : "False";
  else if constexpr (std::is_same_v<Number, float>)
    return python_float32(value);
  else if constexpr (std::is_floating_point_v<Number>)
    return python_float(value);
  else
    return std::to_string(value);
}

// How the elements of a tensor are written; none for types that have no literals.
using WriteNumber = std::string (*)(const std::byte*);
WriteNumber number_writer(DType dtype) {
  switch (dtype) {
    case DType::Float64: return number<double>;
    case DType::Float32: return number<float>;
    case DType::Int64: return number<std::int64_t>;
    case DType::Int32: return number<std::int32_t>;
    case DType::Int16: return number<std::int16_t>;
    case DType::Int8: return number<std::int8_t>;
    case DType::UInt8: return number<std::uint8_t>;
    case DType::Bool: return number<bool>;
    default: return nullptr;
  }
}

std::string nested(const std::vector<std::string>& numbers, const Shape& shape, std::size_t axis, std::size_t& next) {
  if (axis == shape.size()) return numbers.at(next++);
  std::vector<std::string> parts;
  for (std::int64_t i = 0; i < shape[axis]; ++i) parts.push_back(nested(numbers, shape, axis + 1, next));
  return python_list(parts);
}

std::string dtype_literal(DType dtype) { return "torch." + std::string(name_of(dtype)); }

Python tensor_literal(const Tensor& tensor) {
  const WriteNumber write = number_writer(tensor.dtype());
  if (!write) throw Unsupported("a constant of type " + std::string(name_of(tensor.dtype())) + " has no Python source");
  std::vector<std::byte> bytes(tensor.byte_count());
  tensor.read(bytes);
  std::vector<std::string> numbers;
  const std::size_t size = size_of(tensor.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) numbers.push_back(write(bytes.data() + at));
  const std::string type = tensor.dtype() == DType::Float32 || tensor.dtype() == DType::Int64 ||
                                   (tensor.dtype() == DType::Bool && !numbers.empty())
                               ? ""
                               : ", dtype=" + dtype_literal(tensor.dtype());
  if (std::ranges::find(tensor.shape(), 0) != tensor.shape().end())
    return "torch.empty(" + python_tuple(each(tensor.shape(), [](std::int64_t n) { return std::to_string(n); })) +
           ", dtype=" + dtype_literal(tensor.dtype()) + ")";
  std::size_t next = 0;
  return "torch.tensor(" + nested(numbers, tensor.shape(), 0, next) + type + ")";
}

std::string integer(std::int64_t value) { return value == kNone ? "None" : std::to_string(value); }

struct ToPython {
  Python operator()(std::monostate) const { return "None"; }
  Python operator()(bool value) const { return value ? "True" : "False"; }
  Python operator()(std::int64_t value) const { return python_number(std::to_string(value)); }
  Python operator()(double value) const { return python_number(python_float(value)); }
  Python operator()(const std::string& value) const { return python_string(value); }
  Python operator()(const std::vector<std::int64_t>& values) const { return python_tuple(each(values, integer)); }
  Python operator()(const std::vector<double>& values) const { return python_tuple(each(values, python_float)); }
  Python operator()(const SymbolicShape& sizes) const {
    return python_tuple(each(sizes, [this](const Size& size) { return (*this)(size).text; }));
  }
  Python operator()(const Tensor& tensor) const { return tensor_literal(tensor); }
  Python operator()(DType dtype) const { return dtype_literal(dtype); }
  Python operator()(const Size& size) const {
    if (const auto value = size.value()) return python_number(std::to_string(*value));
    throw Unsupported("the size " + size.str() + " is open, which the constructor of a module cannot know");
  }
  Python operator()(const std::vector<Layer>&) const {
    throw Unsupported("the layers that it holds are for its own row to write");
  }
};

bool takes(const AttributeKind& kind, const AttributeValue& value) {
  try {
    kind.check(value);
    return true;
  } catch (const MalformedFile&) {
    return false;
  }
}

// Whether an attribute with these values may be said as one for all; a list of any length stays one.
template <typename List>
bool is_one_for_all(const AttributeSpec* spec, const List& list) {
  if (!spec || list.empty()) return false;
  if (list.size() == 1 && takes(*spec->kind, AttributeValue(List(2, list.front())))) return false;
  return !spec->kind->write_short(AttributeValue(list)).is_array();
}

}  // namespace

std::optional<std::size_t> SourceCall::index_of(std::string_view operand) const {
  const auto found = std::ranges::find(type.operands, operand, &Operand::name);
  if (found == type.operands.end()) return std::nullopt;
  return static_cast<std::size_t>(found - type.operands.begin());
}

std::optional<Python> SourceCall::operand(std::string_view name) const {
  const auto index = index_of(name);
  if (!index || *index >= operands.size() || operands[*index].empty()) return std::nullopt;
  return operands[*index].front();
}

std::vector<Python> SourceCall::list(std::string_view name) const {
  std::vector<Python> result;
  if (const auto index = index_of(name); index && *index < operands.size())
    for (const std::optional<Python>& element : operands[*index]) result.push_back(element.value_or("None"));
  return result;
}

Python python_value(const AttributeValue& value) { return std::visit(ToPython{}, value); }

// Where the attribute may be said as one value for all, Python takes that, too.
Python python_value(const LayerType& type, const Attributes& attributes, std::string_view name) {
  const AttributeValue& value = attributes.at(name);
  const auto* list = std::get_if<std::vector<std::int64_t>>(&value);
  const bool is_one = list && is_one_for_all(type.find_attribute(name), *list);
  return python_value(is_one ? AttributeValue(list->front()) : value);
}

Python python_value(const SourceCall& call, std::string_view name) {
  const AttributeValue& value = call.attributes().at(name);
  if (const auto* size = std::get_if<Size>(&value)) return call.place.size(*size);
  const auto* sizes = std::get_if<SymbolicShape>(&value);
  if (!sizes && call.place.is_script()) return python_value(value);
  if (!sizes) return python_value(call.type, call.attributes(), name);
  if (!call.place.is_script() && is_one_for_all(call.type.find_attribute(name), *sizes))
    return call.place.size(sizes->front());
  return python_tuple(each(*sizes, [&](const Size& size) { return call.place.size(size).text; }));
}

}  // namespace h5bridge
