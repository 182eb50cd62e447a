#include "facets/spec/affine.h"

namespace h5bridge {
namespace {

bool is_on(const Attributes& attributes, const char* name) {
  return !attributes.contains(name) || attributes.boolean(name);
}

}  // namespace

Affine affine_of(const Attributes& a) {
  const bool any = is_on(a, "affine") && is_on(a, "elementwise_affine");
  return {any && is_on(a, "scale"), any && a.contains("bias") && a.boolean("bias")};
}

std::vector<ParameterSpec> affine_parameters(const Attributes& attributes, const Shape& shape) {
  const Affine affine = affine_of(attributes);
  std::vector<ParameterSpec> result;
  if (affine.weight) result.push_back({"weight", shape});
  if (affine.bias) result.push_back({"bias", shape});
  return result;
}

}  // namespace h5bridge
