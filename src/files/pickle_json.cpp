#include "files/pickle_json.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "h5bridge/error.h"

namespace h5bridge::pickle {
namespace {

constexpr int kDeepest = 100;
constexpr std::size_t kMost = 1'000'000;

// Of a member of an object, of the allocation that holds an array's or an object's, and of either's text.
constexpr std::size_t kOfMember = sizeof(Json::Member) + 8;
constexpr std::size_t kOfAllocation = 2 * sizeof(void*);
constexpr std::size_t kOfText = 48;  // with its indentation, while it grows

class Converter {
 public:
  Converter(const ObjectToJson& object_to_json, std::size_t& spare) : object_to_json_(object_to_json), spare_(spare) {}

  Json convert(const Value& value) {
    if (++count_ > kMost)
      throw MalformedFile("pickle: shared references stand for more than " + std::to_string(kMost) + " values");
    if (++depth_ > kDeepest)
      throw MalformedFile("pickle: values are nested more than " + std::to_string(kDeepest) + " deep (a cycle?)");
    spend(sizeof(Json) + kOfText);
    Json result = visit([&](const auto& data) { return form(value, data); }, value);
    --depth_;
    return result;
  }

 private:
  Json form(const Value&, const None&) { return nullptr; }
  Json form(const Value&, bool data) { return data; }
  Json form(const Value&, std::int64_t data) { return data; }
  Json form(const Value&, double data) { return data; }
  Json form(const Value&, const std::string& data) { return text(data); }
  Json form(const Value&, const BigInteger& data) { return tagged("$int", text(data.digits)); }
  Json form(const Value&, const Bytes& data) { return tagged("$bytes", data.content.size()); }
  Json form(const Value&, const List& data) { return array(data.items); }
  Json form(const Value&, const Tuple& data) { return array(data.items); }
  Json form(const Value&, const Set& data) { return tagged("$set", array(data.items)); }
  Json form(const Value&, const Dict& data) { return entries(data.items); }
  Json form(const Value&, const Global& data) { return tagged("$global", text(data.path())); }
  Json form(const Value&, const Persistent& data) { return tagged("$persistent", convert(*data.id)); }
  Json form(const Value& value, const Object& data) {
    if (object_to_json_)
      if (std::optional<Json> special = object_to_json_(value)) {
        spend(4 * kOfMember);
        return *std::move(special);
      }
    if (const std::optional<double> scalar = number(value)) return *scalar;
    Json::Object object;
    spend(2 * kOfMember + kOfAllocation);
    const auto* global = data.callable->as<Global>();
    object.set("$class", global ? text(global->path()) : convert(*data.callable));
    if (const auto* arguments = sequence(*data.arguments); arguments && !arguments->empty())
      object.set("args", array(*arguments));
    if (data.keywords()) object.set("keywords", convert(*data.keywords()));
    if (data.state) object.set("state", convert(*data.state));
    if (!data.list_items().empty()) object.set("items", array(data.list_items()));
    if (!data.dict_items().empty()) object.set("entries", entries(data.dict_items()));
    return object;
  }

  void spend(std::size_t bytes) {
    if (bytes > spare_) throw MalformedFile("pickle: its values are too many to show, for a file this small");
    spare_ -= bytes;
  }
  Json text(const std::string& content) {
    spend(2 * content.size());
    return content;
  }
  Json tagged(const char* tag, Json content) {
    spend(kOfMember + kOfAllocation);
    std::vector<Json::Member> members;
    members.emplace_back(tag, std::move(content));
    return Json::Object(std::move(members));
  }

  Json array(const std::vector<Ref>& items) {
    Json::Array array;
    if (items.empty()) return array;
    spend(items.size() * sizeof(Json) + kOfAllocation);  // of the places; what stands there has been counted
    array.reserve(items.size());
    for (const Ref item : items) {
      array.push_back(convert(*item));
      spare_ += sizeof(Json);
    }
    return array;
  }

  static bool are_distinct_names(const Items& items) {
    std::vector<std::string_view> names;
    names.reserve(items.size());
    for (const auto& [key, value] : items) {
      const auto* name = key->as<std::string>();
      if (!name) return false;
      names.push_back(*name);
    }
    std::ranges::sort(names);
    return std::ranges::adjacent_find(names) == names.end();
  }

  Json entries(const Items& items) {
    if (are_distinct_names(items)) {
      spend(items.size() * kOfMember + kOfAllocation);
      std::vector<Json::Member> members;
      members.reserve(items.size());
      for (const auto& [key, value] : items) {
        const std::string& name = *key->as<std::string>();
        spend(2 * name.size());
        members.emplace_back(name, convert(*value));
      }
      return Json::Object(std::move(members));
    }
    spend(items.size() * (sizeof(Json) + kOfAllocation) + kOfAllocation);
    Json::Array pairs;
    pairs.reserve(items.size());
    for (const auto& [key, value] : items) {
      Json::Array pair;
      pair.reserve(2);
      pair.push_back(convert(*key));
      pair.push_back(convert(*value));
      pairs.emplace_back(std::move(pair));
    }
    return tagged("$dict", std::move(pairs));
  }

  const ObjectToJson& object_to_json_;
  std::size_t& spare_;
  std::size_t count_ = 0;
  int depth_ = 0;
};

}  // namespace

Json to_json(const Value& value, const ObjectToJson& object_to_json, std::size_t& spare) {
  return Converter(object_to_json, spare).convert(value);
}

}  // namespace h5bridge::pickle
