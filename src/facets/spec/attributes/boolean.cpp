#include "facets/spec/attributes/boolean.h"

#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

class BooleanKind : public AttributeKind {
  AttributeValue read(const Json& json) const override { return json.as_bool(); }
  Json schema() const override { return schema::of_type("boolean"); }
  std::string describe() const override { return "boolean"; }
};

}  // namespace

AttributeSpec boolean(std::string name, bool fallback, std::string meaning) {
  return {std::move(name), std::make_shared<BooleanKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
