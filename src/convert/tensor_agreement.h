// Whether two tensors agree as numpy.allclose means it, and where and how far they do not.
#pragma once

#include <optional>
#include <string>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

struct Tolerance {
  double absolute = 1e-5;
  double relative = 1e-4;
  bool equal_nan = false;  // whether NaN agrees with NaN
};

struct Agreement {
  struct Mismatch {
    Shape index;
    double found = 0;
    double expected = 0;
  };

  std::string problem;  // why the elements could not be compared; otherwise empty
  std::string dtypes;   // "has dtype float16, expected float32", where it is asked for and they differ
  std::int64_t elements = 0;
  std::int64_t mismatches = 0;
  std::int64_t nans = 0;                   // elements that are NaN on both sides
  bool equal_nan = false;                  // whether these agree
  double largest_absolute = 0;             // NaN as soon as either side has one that does not agree
  std::optional<double> largest_relative;  // among the elements whose expected value is not zero, if there are any
  std::optional<Mismatch> first;

  bool agrees() const { return problem.empty() && dtypes.empty() && mismatches == 0; }
};

/// Compares element by element: |found - expected| <= absolute + relative * |expected|. As in NumPy, infinities of one
/// sign agree, and NaN agrees with nothing unless `tolerance` says that it does with NaN. Types may differ; the parts
/// of complex numbers are elements of their own, on a last axis.
Agreement compare_tensors(const Tensor& found, const Tensor& expected, const Tolerance& tolerance);
/// The same, and the types have to be one.
Agreement compare_with_dtypes(const Tensor& found, const Tensor& expected, const Tolerance& tolerance);

/// "largest absolute error 1e-07, relative 3e-06", and where the first mismatch is.
std::string describe(const Agreement& agreement);
Json::Object to_json(const Agreement& agreement);

/// "0.00123", "1.5e-07".
std::string short_number(double value);

}  // namespace h5bridge
