#include "facets/spec/attributes/padding.h"

#include "facets/spec/attributes/elements.h"
#include "facets/spec/attributes/integers.h"
#include "facets/spec/attributes/open.h"
#include "facets/spec/attributes/schema_parts.h"
#include "facets/spec/attributes/text.h"

namespace h5bridge {
namespace {

class PaddingKind : public OpenKind {
 public:
  PaddingKind(std::size_t length, std::vector<std::string> words)
      : length_(length), integers_(integers_kind(length)), words_(text_kind(std::move(words))) {}

  // Text is a word: what is open stands in a list.
  AttributeValue read(const Json& json) const override { return (json.is_string() ? words_ : integers_)->read(json); }
  Json write_short(const AttributeValue& value) const override { return integers_->write_short(value); }
  Json schema() const override {
    return schema::any_of(words_->schema(),
                          schema_of_elements(schema::of_type("integer"), schema::reference("size"), length_));
  }
  std::string describe() const override { return integers_->describe() + ", or " + words_->describe(); }
  bool numbers_agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const override {
    return a == b || integers_->agree(a, b, rank);
  }

 private:
  std::size_t length_;
  AttributeKindPtr integers_;
  AttributeKindPtr words_;
};

}  // namespace

AttributeSpec padding_attribute(std::size_t length, std::vector<std::string> words, std::string meaning) {
  return {"padding", std::make_shared<PaddingKind>(length, std::move(words)), std::move(meaning),
          std::vector<std::int64_t>(length, 0), Decides::Margins};
}

}  // namespace h5bridge
