#include "keras/to_keras_2/since.h"

#include <array>
#include <map>
#include <utility>

namespace h5bridge {
namespace {

struct KeyRow {
  std::string_view class_name;
  std::string_view key;
  std::string_view absent;  // JSON
  int first;
};

constexpr auto kClasses = std::to_array<std::pair<std::string_view, int>>({
#define SINCE_CLASS(class_name, first) {class_name, first},
#define SINCE_KEY(class_name, key, absent, first)
#include "keras/dialects/keras_2_since.def"
#undef SINCE_CLASS
#undef SINCE_KEY
});

constexpr auto kKeys = std::to_array<KeyRow>({
#define SINCE_CLASS(class_name, first)
#define SINCE_KEY(class_name, key, absent, first) {class_name, key, absent, first},
#include "keras/dialects/keras_2_since.def"
#undef SINCE_CLASS
#undef SINCE_KEY
});

}  // namespace

std::optional<int> class_since(std::string_view kind, std::string_view class_name) {
  static const std::map<std::string_view, int> classes(kClasses.begin(), kClasses.end());
  const auto found = classes.find(std::string(kind) + std::string(class_name));
  return found == classes.end() ? std::nullopt : std::optional(found->second);
}

std::optional<KeySince> key_since(std::string_view kind, std::string_view class_name, std::string_view key) {
  static const auto keys = [] {
    std::map<std::pair<std::string_view, std::string_view>, const KeyRow*> result;
    for (const KeyRow& row : kKeys) result.emplace(std::pair(row.class_name, row.key), &row);
    return result;
  }();
  const std::string of = std::string(kind) + std::string(class_name);
  const auto found = keys.find({of, key});
  if (found == keys.end()) return std::nullopt;
  const std::string_view absent = found->second->absent;
  return KeySince{found->second->first, absent.empty() ? std::nullopt : std::optional(Json::parse(absent))};
}

std::string release_text(int release) {
  return std::to_string(release / 10000) + "." + std::to_string(release / 100 % 100);
}

}  // namespace h5bridge
