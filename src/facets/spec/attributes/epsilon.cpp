#include "facets/spec/attributes/epsilon.h"

#include <cmath>

#include "facets/spec/attributes/number_kind.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

class EpsilonKind : public NumberKind {
  AttributeValue read(const Json& json) const override {
    AttributeValue result = NumberKind::read(json);
    if (const double value = std::get<double>(result); !std::isfinite(value) || value < 0)
      throw MalformedFile("expected a finite number that is not negative, found " + json.dump());
    return result;
  }
  Json schema() const override { return Json::Object{{"type", "number"}, {"minimum", 0}}; }
  std::string describe() const override { return NumberKind::describe() + ", not negative"; }
};

}  // namespace

AttributeSpec epsilon(std::string name, double fallback, std::string meaning) {
  return {std::move(name), std::make_shared<EpsilonKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
