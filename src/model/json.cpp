#include "h5bridge/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// In the order of Json's alternatives.
constexpr std::array<std::string_view, 7> kKinds{"null",     "a boolean", "an integer", "a float",
                                                 "a string", "an array",  "an object"};

/// The members, sorted by name.
std::vector<const Json::Member*> sorted(const Json::Object& object) {
  std::vector<const Json::Member*> members;
  members.reserve(object.size());
  for (const Json::Member& member : object) members.push_back(&member);
  std::ranges::sort(members, {}, [](const Json::Member* member) { return std::string_view(member->first); });
  return members;
}

std::optional<std::size_t> place_of(std::string_view name, const Json::Object& object) {
  const auto found = std::ranges::find(object, name, &Json::Member::first);
  if (found == object.end()) return std::nullopt;
  return static_cast<std::size_t>(found - object.begin());
}

std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 32> buffer;
  std::string text(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
  // What has neither would be read back as an integer.
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string string_text(const std::string& value) {
  try {
    return nlohmann::json(value).dump();
  } catch (const nlohmann::json::type_error&) {
    throw MalformedFile("a string is not valid UTF-8, so JSON cannot hold it");
  }
}

bool is_scalar(const Json& value) { return !value.is_array() && !value.is_object(); }

class Writer {
 public:
  explicit Writer(int indent) : indent_(static_cast<std::size_t>(indent)) {}

  void write(const Json& value) {
    if (value.is_null()) {
      text_ += "null";
    } else if (value.is_bool()) {
      text_ += value.as_bool() ? "true" : "false";
    } else if (value.is_integer()) {
      text_ += std::to_string(value.as_integer());
    } else if (value.is_float()) {
      text_ += float_text(value.as_float());
    } else if (value.is_string()) {
      text_ += string_text(value.as_string());
    } else if (value.is_array()) {
      const Json::Array& array = value.as_array();
      write_items("[", "]", array, std::ranges::all_of(array, is_scalar), [this](const Json& item) { write(item); });
    } else {
      write_items("{", "}", value.as_object(), value.as_object().empty(), [this](const Json::Member& member) {
        text_ += string_text(member.first) + ": ";
        write(member.second);
      });
    }
  }

  std::string take() { return std::move(text_); }

 private:
  template <typename Items, typename WriteItem>
  void write_items(std::string_view open, std::string_view close, const Items& items, bool on_one_line,
                   const WriteItem& write_item) {
    const bool in_lines = indent_ > 0 && !on_one_line;
    text_ += open;
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) text_ += in_lines ? "," : ", ";
      if (in_lines) start_line();
      write_item(item);
      first = false;
    }
    --depth_;
    if (in_lines) start_line();
    text_ += close;
  }

  void start_line() { text_.append("\n").append(depth_ * indent_, ' '); }

  std::size_t indent_;
  std::size_t depth_ = 0;
  std::string text_;
};

}  // namespace

Json::Object::Object(std::initializer_list<Listed> members)
    : Object([&] {
        std::vector<Member> taken;
        taken.reserve(members.size());
        for (const Listed& member : members) taken.push_back(member.take());
        return taken;
      }()) {}

Json::Object::Object(std::vector<Member> members) : members_(std::move(members)) {
  const std::vector<const Member*> by_name = sorted(*this);
  const auto same_name = [](const Member* a, const Member* b) { return a->first == b->first; };
  if (const auto twice = std::ranges::adjacent_find(by_name, same_name); twice != by_name.end())
    throw MalformedFile("duplicate key '" + shortened((*twice)->first) + "'");
}

const Json* Json::Object::find(std::string_view name) const {
  const auto place = place_of(name, *this);
  return place ? &members_.read()[*place].second : nullptr;
}

const Json& Json::Object::at(std::string_view name) const {
  if (const Json* member = find(name)) return *member;
  throw MalformedFile("expected a member '" + std::string(name) + "', found none");
}

Json* Json::Object::find(std::string_view name) {
  const auto place = place_of(name, *this);
  return place ? &members_.write()[*place].second : nullptr;
}

Json& Json::Object::set(std::string_view name, Json value) {
  if (Json* existing = find(name)) return *existing = std::move(value);
  std::vector<Member>& members = members_.write();
  // Doubled, what ten thousand layers do not use would be much.
  if (members.size() == members.capacity()) members.reserve(members.size() + members.size() / 4 + 1);
  return members.emplace_back(std::string(name), std::move(value)).second;
}

bool Json::Object::erase(std::string_view name) {
  const auto place = place_of(name, *this);
  if (place) members_.write().erase(begin() + static_cast<std::ptrdiff_t>(*place));
  return place.has_value();
}

bool Json::Object::operator==(const Object& other) const {
  return members_.shares_with(other.members_) ||
         std::ranges::equal(sorted(*this), sorted(other), [](const Member* a, const Member* b) { return *a == *b; });
}

std::string Json::dump(int indent) const {
  return with_errors([&] {
    Writer writer(indent);
    writer.write(*this);
    return writer.take();
  });
}

std::string_view Json::kind() const { return kKinds[value_.index()]; }

template <typename T>
const T& Json::get(std::string_view wanted) const {
  if (const T* value = std::get_if<T>(&value_)) return *value;
  throw MalformedFile("expected " + std::string(wanted) + ", found " + std::string(kind()));
}

bool Json::as_bool() const { return get<bool>("a boolean"); }
std::int64_t Json::as_integer() const { return get<std::int64_t>("an integer"); }
double Json::as_float() const { return is_integer() ? static_cast<double>(as_integer()) : get<double>("a number"); }
const std::string& Json::as_string() const { return get<std::string>("a string"); }
const Json::Array& Json::as_array() const { return get<Array>("an array"); }
Json::Array& Json::as_array() { return const_cast<Array&>(get<Array>("an array")); }
const Json::Object& Json::as_object() const { return get<Object>("an object"); }
Json::Object& Json::as_object() { return const_cast<Object&>(get<Object>("an object")); }

const Json& Json::at(std::string_view name) const { return as_object().at(name); }

const Json* Json::find(std::string_view name) const { return is_object() ? as_object().find(name) : nullptr; }

}  // namespace h5bridge
