#include "files/pickle_json.h"

#include <set>

#include "h5bridge/error.h"

namespace h5bridge::pickle {
namespace {

constexpr int kDeepest = 100;
constexpr std::size_t kMost = 1'000'000;

Json tagged(const char* tag, Json content) { return Json::Object{{tag, std::move(content)}}; }

class Converter {
 public:
  explicit Converter(const ObjectToJson& object_to_json) : object_to_json_(object_to_json) {}

  Json convert(const Value& value) {
    if (++count_ > kMost)
      throw MalformedFile("pickle: shared references stand for more than " + std::to_string(kMost) + " values");
    if (++depth_ > kDeepest)
      throw MalformedFile("pickle: values are nested more than " + std::to_string(kDeepest) + " deep (a cycle?)");
    Json result = std::visit([&](const auto& data) { return form(value, data); }, value.data);
    --depth_;
    return result;
  }

 private:
  Json form(const Value&, const None&) { return nullptr; }
  Json form(const Value&, bool data) { return data; }
  Json form(const Value&, std::int64_t data) { return data; }
  Json form(const Value&, double data) { return data; }
  Json form(const Value&, const std::string& data) { return data; }
  Json form(const Value&, const BigInteger& data) { return tagged("$int", data.digits); }
  Json form(const Value&, const Bytes& data) { return tagged("$bytes", data.content.size()); }
  Json form(const Value&, const List& data) { return array(data.items); }
  Json form(const Value&, const Tuple& data) { return array(data.items); }
  Json form(const Value&, const Set& data) { return tagged("$set", array(data.items)); }
  Json form(const Value&, const Dict& data) { return entries(data.items); }
  Json form(const Value&, const Global& data) { return tagged("$global", data.path()); }
  Json form(const Value&, const Persistent& data) { return tagged("$persistent", convert(*data.id)); }
  Json form(const Value& value, const Object& data) {
    if (object_to_json_)
      if (std::optional<Json> special = object_to_json_(value)) return *std::move(special);
    if (const std::optional<double> scalar = number(value)) return *scalar;
    Json::Object object;
    const auto* global = data.callable->as<Global>();
    object.set("$class", global ? Json(global->path()) : convert(*data.callable));
    if (const auto* arguments = sequence(*data.arguments); arguments && !arguments->empty())
      object.set("args", array(*arguments));
    if (data.keywords) object.set("keywords", convert(*data.keywords));
    if (data.state) object.set("state", convert(*data.state));
    if (!data.list_items.empty()) object.set("items", array(data.list_items));
    if (!data.dict_items.empty()) object.set("entries", entries(data.dict_items));
    return object;
  }

  Json array(const std::vector<Ref>& items) {
    Json::Array array;
    for (const Ref item : items) array.push_back(convert(*item));
    return array;
  }

  Json entries(const Items& items) {
    std::set<std::string_view> names;
    for (const auto& [key, value] : items)
      if (const auto* name = key->as<std::string>()) names.insert(*name);
    if (names.size() == items.size()) {
      std::vector<Json::Member> members;
      for (const auto& [key, value] : items) members.emplace_back(*key->as<std::string>(), convert(*value));
      return Json::Object(std::move(members));
    }
    Json::Array pairs;
    for (const auto& [key, value] : items) pairs.push_back(Json::Array{convert(*key), convert(*value)});
    return tagged("$dict", std::move(pairs));
  }

  const ObjectToJson& object_to_json_;
  std::size_t count_ = 0;
  int depth_ = 0;
};

}  // namespace

Json to_json(const Value& value, const ObjectToJson& object_to_json) {
  return Converter(object_to_json).convert(value);
}

}  // namespace h5bridge::pickle
