#include <cmath>

#include "facets/aten/folded_call.h"

namespace h5bridge::aten::folding {
namespace {

FoldedOperator all(Number one) {
  return [one](const FoldedCall& call) -> Folded { return filled(call, [&](const Place&) { return one; }); };
}

Folded full(const FoldedCall& call) {
  if (tensor(call, "value")) {
    const auto given = operand(call, "value");
    return given ? filled(call, [&](const Place& place) { return given->at(place); }) : std::nullopt;
  }
  const auto one = number(value(call, call.operation.find("value") ? "value" : "fill_value"));
  if (!one) return std::nullopt;
  return filled(call, [&](const Place&) { return *one; });
}

// Of whole numbers, which floats have exactly; PyTorch's steps of others are rounded.
Folded counted(const FoldedCall& call) {
  const auto part = [&](const char* name, std::int64_t otherwise) -> std::optional<std::int64_t> {
    if (!call.operation.find(name)) return otherwise;
    const auto found = number(value(call, name));
    if (!found) return std::nullopt;
    const double as_real = found->as_real();
    if (std::trunc(as_real) != as_real || std::abs(as_real) > (1 << 24)) return std::nullopt;
    return static_cast<std::int64_t>(as_real);
  };
  const auto start = part("start", 0), step = part("step", 1);
  if (!start || !step || std::abs(*start) + std::abs(*step) * call.shape.at(0) > (1 << 24)) return std::nullopt;
  return filled(call, [&](const Place& place) { return whole(*start + place[0] * *step); });
}

Folded diagonal_ones(const FoldedCall& call) {
  return filled(call, [](const Place& place) { return truth(place.at(0) == place.at(1)); });
}

}  // namespace

Operators creation_operators() {
  return {
      {"zeros", all(whole(0))},     {"zeros_like", all(whole(0))},
      {"zero", all(whole(0))},      {"ones", all(whole(1))},
      {"ones_like", all(whole(1))}, {"full", full},
      {"full_like", full},          {"fill", full},
      {"arange", counted},          {"eye", diagonal_ones},
  };
}

}  // namespace h5bridge::aten::folding
