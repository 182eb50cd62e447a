#include "convert/tensor_agreement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "model/numbers.h"

namespace h5bridge {
namespace {

constexpr std::int64_t kBlock = std::int64_t{1} << 20;

bool close(double found, double expected, const Tolerance& tolerance) {
  if (std::isinf(found) || std::isinf(expected)) return found == expected;
  return std::abs(found - expected) <= tolerance.absolute + tolerance.relative * std::abs(expected);
}

/// Once it is NaN, `largest` stays so: no comparison with it is true.
void raise(double& largest, double value) {
  if (value > largest || std::isnan(value)) largest = value;
}

Shape index_of(std::int64_t position, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0; position /= shape[axis]) index[axis] = position % shape[axis];
  return index;
}

Tensor flat(const Tensor& tensor) { return tensor.reshape({tensor.element_count()}); }

}  // namespace

Agreement compare_tensors(const Tensor& found_tensor, const Tensor& expected_tensor, const Tolerance& tolerance) {
  const Tensor found = with_real_elements(found_tensor);
  const Tensor expected = with_real_elements(expected_tensor);
  Agreement result;
  result.equal_nan = tolerance.equal_nan;
  if (found.shape() != expected.shape()) {
    result.problem =
        "has shape " + to_string(found_tensor.shape()) + ", expected " + to_string(expected_tensor.shape());
    return result;
  }
  result.elements = found.element_count();
  const Tensor all_found = flat(found);
  const Tensor all_expected = flat(expected);
  for (std::int64_t start = 0; start < result.elements; start += kBlock) {
    const std::int64_t stop = std::min(result.elements, start + kBlock);
    const std::vector<double> a = as_doubles(all_found.slice(0, start, stop));
    const std::vector<double> b = as_doubles(all_expected.slice(0, start, stop));
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool are_nan = std::isnan(a[i]) && std::isnan(b[i]);
      result.nans += are_nan;
      if (are_nan && tolerance.equal_nan) continue;
      const double error = a[i] == b[i] ? 0 : std::abs(a[i] - b[i]);
      raise(result.largest_absolute, error);
      if (b[i] != 0) {
        if (!result.largest_relative) result.largest_relative = 0;
        raise(*result.largest_relative, error == 0 ? 0 : error / std::abs(b[i]));
      }
      if (close(a[i], b[i], tolerance)) continue;
      ++result.mismatches;
      if (!result.first) result.first = {index_of(start + static_cast<std::int64_t>(i), found.shape()), a[i], b[i]};
    }
  }
  return result;
}

Agreement compare_with_dtypes(const Tensor& found, const Tensor& expected, const Tolerance& tolerance) {
  Agreement result = compare_tensors(found, expected, tolerance);
  if (found.dtype() != expected.dtype())
    result.dtypes =
        "has dtype " + std::string(name_of(found.dtype())) + ", expected " + std::string(name_of(expected.dtype()));
  return result;
}

std::string short_number(double value) {
  if (std::isnan(value)) return "nan";  // whose sign says nothing
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string describe(const Agreement& agreement) {
  if (!agreement.problem.empty()) return agreement.problem;
  std::string text = agreement.dtypes + (agreement.dtypes.empty() ? "" : "; ") + "largest absolute error " +
                     short_number(agreement.largest_absolute);
  if (agreement.largest_relative) text += ", relative " + short_number(*agreement.largest_relative);
  const bool is_one = agreement.elements == 1;
  const auto count_of = [&](std::size_t count) {
    return is_one ? "; its one element"
                  : "; " + std::to_string(count) + " of " + std::to_string(agreement.elements) + " elements";
  };
  if (agreement.first)
    text += count_of(agreement.mismatches) +
            (is_one ? " differs" : " differ, the first at " + to_string(agreement.first->index)) + ": found " +
            short_number(agreement.first->found) + ", expected " + short_number(agreement.first->expected);
  if (agreement.nans > 0)
    text += count_of(agreement.nans) + (is_one ? " is" : " are") + " NaN on both sides" +
            (agreement.equal_nan ? "" : ", which agree with Tolerance::equal_nan");
  return text;
}

Json::Object to_json(const Agreement& agreement) {
  Json::Object json{{"agrees", agreement.agrees()}};
  if (!agreement.problem.empty()) {
    json.set("problem", agreement.problem);
    return json;
  }
  if (!agreement.dtypes.empty()) json.set("dtypes", agreement.dtypes);
  json.set("elements", agreement.elements);
  json.set("mismatches", agreement.mismatches);
  json.set("nans", agreement.nans);
  json.set("largest_absolute", agreement.largest_absolute);
  json.set("largest_relative", agreement.largest_relative ? Json(*agreement.largest_relative) : Json());
  if (const auto& first = agreement.first)
    json.set(
        "first_mismatch",
        Json::Object{{"index", Json::array(first->index)}, {"found", first->found}, {"expected", first->expected}});
  return json;
}

}  // namespace h5bridge
