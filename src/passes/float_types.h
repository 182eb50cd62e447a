// The element types of a model's floating-point tensors, which need not be those that its layers declare.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "h5bridge/model.h"

namespace h5bridge {

class FloatTypes {
 public:
  FloatTypes() = default;
  explicit FloatTypes(const Weights& weights);
  /// Notes the type of a tensor, if it is one of floating-point numbers.
  void add(const std::string& tensor, DType dtype);

  /// That of all of them, if they have but one.
  std::optional<DType> common() const;
  /// Those of a layer's tensors; none where it has none, or they are not here.
  std::set<DType> of(const Layer& layer) const;
  /// The narrowest type that holds all of them; nullopt where there are none.
  std::optional<DType> widest_of(const Layer& layer) const;

 private:
  std::map<std::string, DType> by_tensor_;
};

}  // namespace h5bridge
