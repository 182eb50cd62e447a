#include "facets/spec/attributes/epsilon.h"

#include <cmath>

#include "facets/spec/attributes/same_numbers.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

class EpsilonKind : public AttributeKind {
  AttributeValue read(const Json& json) const override {
    const double value = json.as_float();
    if (!std::isfinite(value) || value < 0)
      throw MalformedFile("expected a finite number that is not negative, found " + json.dump());
    return value;
  }
  Json schema() const override { return Json::Object{{"type", "number"}, {"minimum", 0}}; }
  std::string describe() const override { return "number, not negative"; }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t) const override {
    return numbers_agree(std::get<double>(a), std::get<double>(b));
  }
};

}  // namespace

AttributeSpec epsilon(std::string name, double fallback, std::string meaning) {
  return {std::move(name), std::make_shared<EpsilonKind>(), std::move(meaning), fallback};
}

}  // namespace h5bridge
