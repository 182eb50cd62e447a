#include "facets/spec/attributes/or_none.h"

#include "facets/spec/attributes/schema_parts.h"

namespace h5bridge {
namespace {

bool is_none(const AttributeValue& value) { return std::holds_alternative<std::monostate>(value); }

class OrNoneKind : public AttributeKind {
 public:
  explicit OrNoneKind(AttributeKindPtr other) : other_(std::move(other)) {}

  AttributeValue read(const Json& json) const override {
    return json.is_null() ? AttributeValue() : other_->read(json);
  }
  Json write(const AttributeValue& value) const override { return is_none(value) ? Json() : other_->write(value); }
  Json write_short(const AttributeValue& value) const override {
    return is_none(value) ? Json() : other_->write_short(value);
  }
  Json schema() const override { return schema::any_of(other_->schema(), schema::of_type("null")); }
  std::string describe() const override { return other_->describe() + ", or null"; }
  AttributeValue bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const override {
    return is_none(value) ? value : other_->bind(value, sizes);
  }
  void check(const AttributeValue& value) const override {
    if (!is_none(value)) other_->check(value);
  }
  AttributeValue complete(const AttributeValue& value) const override {
    return is_none(value) ? value : other_->complete(value);
  }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    return is_none(a) || is_none(b) ? a == b : other_->agree(a, b, rank);
  }
  bool is_open(const AttributeValue& value) const override { return other_->is_open(value); }
  std::int64_t since(const AttributeValue& value) const override { return is_none(value) ? 1 : other_->since(value); }
  bool takes_none() const override { return true; }
  bool takes_array() const override { return other_->takes_array(); }

 private:
  AttributeKindPtr other_;
};

}  // namespace

AttributeSpec nullable(AttributeSpec spec) {
  spec.kind = std::make_shared<OrNoneKind>(std::move(spec.kind));
  return spec;
}

AttributeSpec or_none(AttributeSpec spec) {
  spec = nullable(std::move(spec));
  spec.fallback = std::monostate{};
  return spec;
}

}  // namespace h5bridge
