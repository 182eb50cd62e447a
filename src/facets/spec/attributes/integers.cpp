#include "facets/spec/attributes/integers.h"

#include <algorithm>
#include <functional>

#include "facets/spec/attributes/elements.h"
#include "facets/spec/attributes/open.h"
#include "facets/spec/attributes/same_numbers.h"
#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

enum class Elements { Integers, IntegersOrNone };

class IntegersKind : public OpenKind {
 public:
  IntegersKind(std::size_t length, Elements elements)
      : length_(length), may_be_none_(elements == Elements::IntegersOrNone) {}

  AttributeValue read(const Json& json) const override {
    return integers_of(read_elements(json, length_, [&](const Json& element) {
      return may_be_none_ && element.is_null() ? Size(kNone) : size_from(element);
    }));
  }

  Json write_short(const AttributeValue& value) const override {
    const Json all = write(value);
    const bool one_for_all = length_ > 0 && all.is_array() && !all.as_array().empty() &&
                             std::ranges::adjacent_find(all.as_array(), std::not_equal_to<>()) == all.as_array().end();
    return one_for_all ? all.as_array().front() : all;
  }

  Json schema() const override {
    const Json integer = schema::reference("size");
    return schema_of_elements(may_be_none_ ? schema::any_of(integer, schema::of_type("null")) : integer, length_);
  }

  std::string describe() const override {
    return describe_elements("integer", length_) + (may_be_none_ ? " (each may be null)" : "");
  }

  bool numbers_agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    return lists_agree<std::int64_t>(a, b, [&](std::int64_t x, std::int64_t y) { return integers_agree(x, y, rank); });
  }

 private:
  std::size_t length_;
  bool may_be_none_;
};

}  // namespace

AttributeKindPtr integers_kind(std::size_t length) {
  return std::make_shared<IntegersKind>(length, Elements::Integers);
}

AttributeSpec required_integers(std::string name, std::string meaning) {
  return required_tuple(std::move(name), 0, std::move(meaning));
}

AttributeSpec required_tuple(std::string name, std::size_t length, std::string meaning) {
  return {std::move(name), integers_kind(length), std::move(meaning)};
}

AttributeSpec tuple(std::string name, std::size_t length, std::int64_t fallback, std::string meaning) {
  return {std::move(name), integers_kind(length), std::move(meaning), std::vector<std::int64_t>(length, fallback)};
}

AttributeSpec required_optional_integers(std::string name, std::size_t length, std::string meaning) {
  return {std::move(name), std::make_shared<IntegersKind>(length, Elements::IntegersOrNone), std::move(meaning)};
}

}  // namespace h5bridge
