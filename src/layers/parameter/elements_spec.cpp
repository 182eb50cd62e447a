#include <algorithm>
#include <cmath>
#include <limits>

#include "h5bridge/error.h"
#include "layers/parameter/elements.h"
#include "model/checked.h"

namespace h5bridge::parameter {
namespace {

[[noreturn]] void refuse(double number, DType dtype) {
  throw MalformedFile("\"data\" has the element " + Json(number).dump() + ", which is no " +
                      std::string(name_of(dtype)));
}

// Numbers of a list, which are to be integers of type T.
template <typename T>
Tensor integers_from(const Tensor& numbers, DType dtype) {
  constexpr double kMostExact = 9007199254740992;  // 2^53: numbers in JSON are doubles
  const double most = std::min(kMostExact, static_cast<double>(std::numeric_limits<T>::max()));
  const double least = std::max(-kMostExact, static_cast<double>(std::numeric_limits<T>::min()));
  std::vector<T> result;
  for (const double number : numbers.values<double>()) {
    if (!(number >= least && number <= most && number == std::trunc(number))) refuse(number, dtype);
    result.push_back(static_cast<T>(number));
  }
  return tensor_of(dtype, numbers.shape(), result);
}

Tensor truth_from(const Tensor& numbers) {
  std::vector<std::uint8_t> result;
  for (const double number : numbers.values<double>()) {
    if (number != 0 && number != 1) refuse(number, DType::Bool);
    result.push_back(number != 0);
  }
  return tensor_of(DType::Bool, numbers.shape(), result);
}

Tensor as_dtype(const Tensor& numbers, DType dtype) {
  switch (dtype) {
    case DType::Bool: return truth_from(numbers);
    case DType::Int32: return integers_from<std::int32_t>(numbers, dtype);
    case DType::Int64: return integers_from<std::int64_t>(numbers, dtype);
    default: return cast(numbers, dtype);
  }
}

}  // namespace

Tensor elements_of(const Attributes& attributes) {
  const Tensor& given = attributes.tensor("data");
  const Shape& shape = attributes.integers("shape");
  if (given.element_count() != as_file_says([&] { return element_count(shape); }))
    throw MalformedFile("\"data\" has " + std::to_string(given.element_count()) +
                        " elements, which do not fill the shape " + to_string(shape));
  const DType dtype = attributes.dtype("dtype");
  if (given.dtype() == DType::Bool)
    for (const std::uint8_t element : given.values<std::uint8_t>())
      if (element > 1) refuse(element, dtype);
  if (given.dtype() == dtype) return given.reshape(shape);
  if (given.dtype() != DType::Float64)
    throw MalformedFile("\"data\" has elements of " + std::string(name_of(given.dtype())) + ", expected " +
                        std::string(name_of(dtype)));
  return as_dtype(given, dtype).reshape(shape);
}

}  // namespace h5bridge::parameter
