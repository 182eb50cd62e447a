#include "facets/spec/attributes/padding.h"

#include "facets/spec/attributes/integers.h"
#include "facets/spec/attributes/schema_parts.h"
#include "facets/spec/attributes/text.h"

namespace h5bridge {
namespace {

class PaddingKind : public AttributeKind {
 public:
  PaddingKind(std::size_t length, std::vector<std::string> words)
      : integers_(integers_kind(length)), words_(text_kind(std::move(words))) {}

  AttributeValue read(const Json& json) const override { return (json.is_string() ? words_ : integers_)->read(json); }
  Json write_short(const AttributeValue& value) const override { return integers_->write_short(value); }
  Json schema() const override { return schema::any_of(words_->schema(), integers_->schema()); }
  std::string describe() const override { return integers_->describe() + ", or " + words_->describe(); }
  bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    return a == b || integers_->agree(a, b, rank);
  }

 private:
  AttributeKindPtr integers_;
  AttributeKindPtr words_;
};

}  // namespace

AttributeSpec padding_attribute(std::size_t length, std::vector<std::string> words, std::string meaning) {
  return {"padding", std::make_shared<PaddingKind>(length, std::move(words)), std::move(meaning),
          std::vector<std::int64_t>(length, 0), Decides::Margins};
}

}  // namespace h5bridge
