#include "facets/spec/attributes/text.h"

#include <algorithm>

#include "facets/spec/attributes/schema_parts.h"
#include "facets/spec/attributes/text_kind.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {

AttributeValue TextKind::read(const Json& json) const {
  const std::string& word = json.as_string();
  if (!choices_.empty() && std::ranges::find(choices_, word) == choices_.end())
    throw MalformedFile("is \"" + shortened(word) + "\", expected one of " + joined(choices_));
  return word;
}

Json TextKind::schema() const {
  return choices_.empty() ? schema::of_type("string") : Json(Json::Object{{"enum", Json::array(choices_)}});
}

std::string TextKind::describe() const {
  std::vector<std::string> words;
  for (const std::string& choice : choices_) words.push_back(schema::code('"' + choice + '"'));
  return words.empty() ? "text" : joined(words, ", ");
}

AttributeKindPtr text_kind(std::vector<std::string> choices) { return std::make_shared<TextKind>(std::move(choices)); }

AttributeSpec required_text(std::string name, std::string meaning) {
  return {std::move(name), text_kind({}), std::move(meaning)};
}

AttributeSpec text(std::string name, std::string fallback, std::vector<std::string> choices, std::string meaning) {
  return {std::move(name), text_kind(std::move(choices)), std::move(meaning), std::move(fallback)};
}

}  // namespace h5bridge
