#include "facets/spec/attributes/kind.h"

#include "facets/spec/attributes/integers.h"
#include "facets/spec/attributes/layers.h"
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
  Json operator()(const Size& size) const {
    const auto number = size.value();
    return !number ? Json(size.str()) : *number == kNone ? Json() : Json(*number);
  }
  Json operator()(const SymbolicShape& sizes) const {
    Json::Array result;
    for (const Size& size : sizes) result.push_back((*this)(size));
    return result;
  }
  Json operator()(const Tensor& elements) const { return elements_to_json(elements); }
  Json operator()(DType dtype) const { return name_of(dtype); }
  Json operator()(const std::vector<Layer>& layers) const { return layers_to_json(layers); }
  template <typename Scalar>
  Json operator()(const Scalar& value) const {
    return value;
  }
};

// A value's type as C++ has it.
struct TypeName {
  std::string operator()(std::monostate) const { return "None"; }
  std::string operator()(bool) const { return "bool"; }
  std::string operator()(std::int64_t) const { return "std::int64_t"; }
  std::string operator()(double) const { return "double"; }
  std::string operator()(const std::string&) const { return "std::string"; }
  std::string operator()(const std::vector<std::int64_t>&) const { return "std::vector<std::int64_t>"; }
  std::string operator()(const std::vector<double>&) const { return "std::vector<double>"; }
  std::string operator()(const SymbolicShape&) const { return "SymbolicShape"; }
  std::string operator()(const Tensor&) const { return "Tensor"; }
  std::string operator()(DType) const { return "DType"; }
  std::string operator()(const Size&) const { return "Size"; }
  std::string operator()(const std::vector<Layer>&) const { return "std::vector<Layer>"; }
};

}  // namespace

Json attribute_to_json(const AttributeValue& value) { return std::visit(ToJson{}, value); }

Json AttributeKind::write(const AttributeValue& value) const { return attribute_to_json(value); }

AttributeValue AttributeKind::bind(const AttributeValue& value, const std::map<std::string, std::int64_t>&) const {
  return value;
}

AttributeValue AttributeKind::complete(const AttributeValue& value) const {
  check(value);
  return value;
}

bool AttributeKind::agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const { return a == b; }

// What may stand in JSON may be set, as the type that JSON would have given.
void AttributeKind::check(const AttributeValue& value) const {
  const Json json = attribute_to_json(value);
  const AttributeValue declared = read(json);
  if (declared.index() != value.index())
    throw MalformedFile("is " + quoted(json) + " as a " + std::visit(TypeName{}, value) + ", expected a " +
                        std::visit(TypeName{}, declared));
}

}  // namespace h5bridge
