#include "keras/dialects/table.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "h5bridge/error.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// The lines that a row holds for.
enum class Lines { Keras, TensorFlow, Keras3, Any };

struct Range {
  Lines lines;
  int first;
  int last;

  bool operator==(const Range&) const = default;

  bool holds(const KerasVersion& version) const {
    const bool is_line = lines == Lines::Any || (lines == Lines::Keras && version.line == KerasLine::Standalone) ||
                         (lines == Lines::TensorFlow && version.line == KerasLine::TensorFlow) ||
                         (lines == Lines::Keras3 && version.line == KerasLine::Keras3);
    return is_line && first <= version.number && version.number <= last;
  }
};

struct Row {
  enum class Says { Class, Renamed, Idle, Absent } says;
  std::string_view class_name;
  std::string_view key;    // of the version
  std::string_view value;  // 3.15's name of the class or the key; or JSON: the values it may have, the value it meant
  Range range;
};

constexpr auto kRows = std::to_array<Row>({
#define DIALECT_CLASS(line, old_name, new_name, first, last) \
  {Row::Says::Class, old_name, {}, new_name, {Lines::line, first, last}},
#define DIALECT_RENAMED(line, class_name, old_key, new_key, first, last) \
  {Row::Says::Renamed, class_name, old_key, new_key, {Lines::line, first, last}},
#define DIALECT_IDLE(line, class_name, key, values, first, last) \
  {Row::Says::Idle, class_name, key, values, {Lines::line, first, last}},
#define DIALECT_ABSENT(line, class_name, key, value, first, last) \
  {Row::Says::Absent, class_name, key, value, {Lines::line, first, last}},
#include "keras/dialects/dialects.def"
#undef DIALECT_CLASS
#undef DIALECT_RENAMED
#undef DIALECT_IDLE
#undef DIALECT_ABSENT
});

// The rows of a class and of all classes of its kind ("initializers.*"), the class's own first.
std::vector<const Row*> rows_of(std::string_view kind, std::string_view class_name) {
  static const auto by_class = [] {
    std::map<std::string_view, std::vector<const Row*>> result;
    for (const Row& row : kRows) result[row.class_name].push_back(&row);
    return result;
  }();
  std::vector<const Row*> result;
  for (const std::string& name : {std::string(kind) + std::string(class_name), std::string(kind) + "*"})
    if (name == "*" && class_name == "InputLayer")
      continue;  // whose dtype is an array's, and which computes nothing
    else if (const auto found = by_class.find(name); found != by_class.end())
      result.insert(result.end(), found->second.begin(), found->second.end());
  return result;
}

void leave_out(Json::Object& settings, const Row& row) {
  const Json* given = settings.find(row.key);
  if (!given) return;
  if (row.value != "*") {
    const Json values = Json::parse(row.value, "the table of dialects");
    const auto is_given = [&](const Json& value) { return same_value(value, *given); };
    if (std::ranges::none_of(values.as_array(), is_given)) return;  // which the layer's reader refuses
  }
  settings.erase(row.key);
}

// In the place of the old key, as order is kept.
void rename(Json::Object& settings, const Row& row) {
  if (!settings.contains(row.key) || settings.contains(row.value)) return;
  std::vector<Json::Member> members;
  for (const auto& [key, value] : settings) members.emplace_back(key == row.key ? std::string(row.value) : key, value);
  settings = Json::Object(std::move(members));
}

}  // namespace

std::string class_in_keras_3(const KerasVersion& version, std::string_view kind, const std::string& class_name) {
  for (const Row* row : rows_of(kind, class_name))
    if (row->says == Row::Says::Class && row->range.holds(version)) return std::string(row->value.substr(kind.size()));
  return class_name;
}

Json::Object settings_in_keras_3(const KerasVersion& version, std::string_view kind, const std::string& class_name,
                                 const Json::Object& settings) {
  Json::Object result = settings;
  const std::vector<const Row*> rows = rows_of(kind, class_name);
  for (const auto says : {Row::Says::Renamed, Row::Says::Idle, Row::Says::Absent})
    for (const Row* row : rows) {
      if (row->says != says || !row->range.holds(version)) continue;
      if (says == Row::Says::Renamed) rename(result, *row);
      if (says == Row::Says::Idle) leave_out(result, *row);
      if (says == Row::Says::Absent && !result.contains(row->key))
        result.set(row->key, Json::parse(row->value, "the table of dialects"));
    }
  return result;
}

std::string key_in_keras_2(std::string_view kind, std::string_view class_name, const std::string& key) {
  constexpr Range kAll{Lines::Any, 20000, 29999};
  for (const Row* row : rows_of(kind, class_name))
    if (row->says == Row::Says::Renamed && row->value == key && row->range == kAll) return std::string(row->key);
  return key;
}

}  // namespace h5bridge
