#include "facets/spec/product.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

Matrix matrix_of(const Tensor& tensor) {
  if (tensor.rank() != 2) throw MalformedFile("has shape " + to_string(tensor.shape()) + ", expected two axes");
  const std::vector<double> values = cast(tensor, DType::Float64).values<double>();
  const std::int64_t columns = tensor.shape()[1];
  Matrix rows(static_cast<std::size_t>(tensor.shape()[0]));
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i].assign(values.begin() + i * columns, values.begin() + (i + 1) * columns);
  return rows;
}

Tensor tensor_of_rows(const Matrix& rows, std::int64_t columns, DType dtype) {
  std::vector<double> values;
  for (const Row& row : rows) values.insert(values.end(), row.begin(), row.end());
  return cast(tensor_of(DType::Float64, {static_cast<std::int64_t>(rows.size()), columns}, values), dtype);
}

void expect_fit(const Tensor& tensor, std::size_t axis, const Tensor& other, std::size_t other_axis) {
  if (tensor.rank() != 2 || other.rank() != 2 || tensor.shape()[axis] != other.shape()[other_axis] ||
      tensor.dtype() != other.dtype())
    throw MalformedFile("is " + std::string(name_of(tensor.dtype())) + " of shape " + to_string(tensor.shape()) +
                        ", which does not fit its factor, " + std::string(name_of(other.dtype())) + " of shape " +
                        to_string(other.shape()));
}

double dot(const Row& a, const Row& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

void add(Row& to, double times, const Row& row) {
  for (std::size_t i = 0; i < row.size(); ++i) to[i] += times * row[i];
}

double largest(const Row& row) {
  return std::accumulate(row.begin(), row.end(), 0.0,
                         [](double most, double value) { return std::max(most, std::abs(value)); });
}

// b = lower @ orthonormal, row by row (Gram and Schmidt, twice, which is as good as reflections). A row that those
// before it make up has zeros for its own and on the diagonal.
struct Triangular {
  Matrix lower, orthonormal;
};

Triangular triangular(const Matrix& b) {
  constexpr double kNothing = 1e-10;  // of a row, of what rounding leaves
  Triangular result;
  for (const Row& row : b) {
    Row rest = row;
    Row coefficients(b.size());
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t i = 0; i < result.orthonormal.size(); ++i) {
        const double along = dot(rest, result.orthonormal[i]);
        coefficients[i] += along;
        add(rest, -along, result.orthonormal[i]);
      }
    const double length = std::sqrt(dot(rest, rest));
    if (length > kNothing * std::sqrt(dot(row, row))) {
      coefficients[result.orthonormal.size()] = length;
      for (double& value : rest) value /= length;
    } else {
      rest.assign(rest.size(), 0);
    }
    result.lower.push_back(std::move(coefficients));
    result.orthonormal.push_back(std::move(rest));
  }
  return result;
}

// How far a number of that type is from the next one, as a part of itself.
double rounding_of(DType dtype) {
  switch (dtype) {
    case DType::Float64: return std::ldexp(1, -52);
    case DType::Float16: return std::ldexp(1, -10);
    case DType::BFloat16: return std::ldexp(1, -7);
    default: return std::ldexp(1, -23);
  }
}

}  // namespace

Tensor product(const Tensor& a, const Tensor& b) {
  expect_fit(a, 1, b, 0);
  const Matrix left = matrix_of(a), right = matrix_of(b);
  const auto columns = static_cast<std::size_t>(b.shape()[1]);
  Matrix result;
  for (const Row& row : left) {
    Row sum(columns);
    for (std::size_t k = 0; k < row.size(); ++k) add(sum, row[k], right[k]);
    result.push_back(std::move(sum));
  }
  return tensor_of_rows(result, b.shape()[1], a.dtype());
}

bool equal_but_for_rounding(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const double tolerance = 16 * rounding_of(a.dtype());
  const Matrix x = matrix_of(a), y = matrix_of(b);
  return std::ranges::equal(x, y, [&](const Row& one, const Row& other) {
    return std::ranges::equal(
        one, other, [most = tolerance * largest(one)](double p, double q) { return std::abs(p - q) <= most; });
  });
}

std::optional<Tensor> left_factor(const Tensor& product_, const Tensor& b) {
  expect_fit(product_, 1, b, 1);
  const Triangular parts = triangular(matrix_of(b));
  const std::size_t count = parts.lower.size();
  Matrix factor;
  for (const Row& row : matrix_of(product_)) {
    // factor @ lower = row @ orthonormal^T, from the last column on.
    Row solution(count);
    for (std::size_t k = count; k-- > 0;) {
      const double pivot = parts.lower[k][k];
      if (pivot == 0) continue;
      double rest = dot(row, parts.orthonormal[k]);
      for (std::size_t i = k + 1; i < count; ++i) rest -= solution[i] * parts.lower[i][k];
      solution[k] = rest / pivot;
    }
    factor.push_back(std::move(solution));
  }
  const Tensor found = tensor_of_rows(factor, b.shape()[0], product_.dtype());
  return equal_but_for_rounding(product_, product(found, b)) ? std::optional(found) : std::nullopt;
}

}  // namespace h5bridge
