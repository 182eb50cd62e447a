#include "facets/spec/axes.h"

#include <algorithm>
#include <numeric>

#include "h5bridge/error.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

AttributeSpec required_axes(std::string name, std::string meaning) {
  return required_integers(std::move(name), std::move(meaning));
}

AttributeSpec axes_or_all(std::string name, std::string meaning) {
  return or_none(required_axes(std::move(name), std::move(meaning)));
}

std::vector<std::int64_t> axes_in(const Attributes& attributes, std::string_view name, std::int64_t rank) {
  const AttributeValue& value = attributes.at(name);
  std::vector<std::int64_t> axes;
  if (std::holds_alternative<std::int64_t>(value) || std::holds_alternative<Size>(value))
    axes = {attributes.integer(name)};
  else if (!attributes.is_none(name))
    axes = attributes.integers(name);
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  for (std::int64_t& axis : axes) axis = resolve_axis(axis, rank);
  std::vector<std::int64_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw MalformedFile("\"" + std::string(name) + "\" names an axis twice: " + to_string(axes));
  return axes;
}

void set_axes(Attributes& attributes, std::string_view name, const std::vector<std::int64_t>& axes) {
  const AttributeValue& value = attributes.at(name);
  if (std::holds_alternative<std::int64_t>(value)) attributes.set(name, axes.at(0));
  if (std::holds_alternative<std::vector<std::int64_t>>(value)) attributes.set(name, axes);
}

void throw_misfit(const SymbolicShape& a, const SymbolicShape& b) {
  throw MalformedFile("its inputs have shapes " + to_string(a) + " and " + to_string(b) + ", which do not fit");
}

SymbolicShape broadcast(const SymbolicShape& a, const SymbolicShape& b) {
  if (a.size() < b.size()) return broadcast(b, a);
  SymbolicShape result = a;
  for (std::size_t i = 0; i < b.size(); ++i) {
    Size& size = result[a.size() - b.size() + i];
    if (size == Size(1)) {
      size = b[i];
    } else if (size != b[i] && b[i] != Size(1)) {
      // Different symbols may be equal at run time; different numbers may not.
      if (size.value() && b[i].value()) throw_misfit(a, b);
      if (b[i].value()) size = b[i];
    }
  }
  return result;
}

SymbolicShape broadcast(const std::vector<SymbolicShape>& shapes) {
  return std::accumulate(shapes.begin() + 1, shapes.end(), shapes.at(0),
                         [](const SymbolicShape& a, const SymbolicShape& b) { return broadcast(a, b); });
}

Size element_count(const SymbolicShape& shape) {
  return std::accumulate(shape.begin(), shape.end(), Size(1), [](const Size& a, const Size& b) { return a * b; });
}

}  // namespace h5bridge
