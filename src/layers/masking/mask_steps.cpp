#include "layers/masking/mask_steps.h"

#include "facets/registry.h"

namespace h5bridge::masking {
namespace {

Layer plain(const std::string& type) {
  return {.name = "", .type = type, .attributes = Registry::instance().find(type)->defaults(), .keras = {}};
}

Layer step(const std::string& type, const std::string& attribute, AttributeValue value) {
  Layer result = plain(type);
  result.attributes.set(attribute, std::move(value));
  return result;
}

}  // namespace

Layer unequal(AttributeValue value) { return step("ne", "other", std::move(value)); }

Layer both() { return plain("logical_and"); }

Layer either() { return plain("logical_or"); }

Layer one_behind_the_other() { return step("cat", "dim", std::int64_t{1}); }

Layer any_of_last_axis() { return step("any", "dim", std::vector<std::int64_t>{-1}); }

}  // namespace h5bridge::masking
