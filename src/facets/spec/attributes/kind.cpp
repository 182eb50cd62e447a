#include "facets/spec/attributes/kind.h"

#include <array>
#include <string_view>

#include "facets/spec/attributes/integers.h"
#include "facets/spec/attributes/tensor.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct ToJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const std::vector<std::int64_t>& values) const {
    Json::Array result;
    for (const std::int64_t value : values) result.push_back(value == kNone ? Json() : Json(value));
    return result;
  }
  Json operator()(const std::vector<double>& values) const { return Json::array(values); }
  Json operator()(const SymbolicShape& sizes) const {
    Json::Array result;
    for (const Size& size : sizes) result.push_back(size.value() ? Json(*size.value()) : Json(size.str()));
    return result;
  }
  Json operator()(const Tensor& elements) const { return elements_to_json(elements); }
  template <typename Scalar>
  Json operator()(const Scalar& value) const {
    return value;
  }
};

// What AttributeValue holds, in its order.
constexpr std::array<std::string_view, std::variant_size_v<AttributeValue>> kTypeNames{"None",
                                                                                       "bool",
                                                                                       "std::int64_t",
                                                                                       "double",
                                                                                       "std::string",
                                                                                       "std::vector<std::int64_t>",
                                                                                       "std::vector<double>",
                                                                                       "SymbolicShape",
                                                                                       "Tensor"};

}  // namespace

Json attribute_to_json(const AttributeValue& value) { return std::visit(ToJson{}, value); }

Json AttributeKind::write(const AttributeValue& value) const { return attribute_to_json(value); }

AttributeValue AttributeKind::bind(const AttributeValue& value, const std::map<std::string, std::int64_t>&) const {
  return value;
}

bool AttributeKind::agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const { return a == b; }

// What may stand in JSON may be set, as the type that JSON would have given.
void AttributeKind::check(const AttributeValue& value) const {
  const Json json = attribute_to_json(value);
  const AttributeValue declared = read(json);
  if (declared.index() != value.index())
    throw MalformedFile("is " + quoted(json) + " as a " + std::string(kTypeNames[value.index()]) + ", expected a " +
                        std::string(kTypeNames[declared.index()]));
}

}  // namespace h5bridge
