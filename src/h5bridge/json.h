// JSON as a value: what configurations, metadata and descriptions are made of.
//
// Unlike most JSON libraries it keeps the order of keys, tells integers from floats, refuses duplicate keys, bounds
// nesting, and reads and writes NaN, Infinity and -Infinity as Python's json module does, because Keras relies on it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/copy_on_write.h"

namespace h5bridge {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;

  class Listed;

  /// Members in the order they were added; names are unique.
  class Object {
   public:
    Object() = default;
    Object(std::initializer_list<Listed> members);
    /// Throws MalformedFile naming a name that two members have.
    explicit Object(std::vector<Member> members);
    bool empty() const { return members_.read().empty(); }
    std::size_t size() const { return members_.read().size(); }
    auto begin() const { return members_.read().begin(); }
    auto end() const { return members_.read().end(); }
    auto begin() { return members_.write().begin(); }
    auto end() { return members_.write().end(); }
    const Json* find(std::string_view name) const;
    Json* find(std::string_view name);
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    /// Throws MalformedFile naming the member if there is none.
    const Json& at(std::string_view name) const;
    /// Replaces the member of that name, or adds it at the end.
    Json& set(std::string_view name, Json value);
    /// Whether there was a member of that name.
    bool erase(std::string_view name);
    /// The same members in any order.
    bool operator==(const Object& other) const;

   private:
    CopyOnWrite<std::vector<Member>> members_;
  };

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<std::int64_t>(value)) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::size_t value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  /// An array of the elements of `values`.
  template <typename T>
  static Json array(const std::vector<T>& values) {
    return Json(Array(values.begin(), values.end()));
  }

  /// Throws MalformedFile with the byte offset of the fault: a syntax error, a duplicate key, more than 512 levels, an
  /// integer beyond 64 bits. `what` names the document in the message.
  static Json parse(std::string_view text, const std::string& what = "JSON");
  /// One line where `indent` is 0; otherwise arrays of scalars stay on one line. Floats are written with the fewest
  /// digits that give the same double back. Throws MalformedFile if a string is not UTF-8.
  std::string dump(int indent = 0) const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_float() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_integer() || is_float(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  /// "null", "a boolean", "an integer", ...: for messages.
  std::string_view kind() const;

  // Each throws MalformedFile naming what was found and what was wanted.
  bool as_bool() const;
  std::int64_t as_integer() const;
  /// Of a float or an integer.
  double as_float() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  /// The member `name` of an object; throws MalformedFile if there is none.
  const Json& at(std::string_view name) const;
  /// The member `name`, or nullptr if there is none or this is no object.
  const Json* find(std::string_view name) const;

  bool operator==(const Json&) const = default;

 private:
  template <typename T>
  const T& get(std::string_view wanted) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

/// A member that is listed in braces, {"name", value}: the object takes it, where the language would have it copied,
/// with all that is in it, at each level of braces.
class Json::Listed {
 public:
  Listed(std::string name, Json value) : member_(std::move(name), std::move(value)) {}
  Listed(Member member) : member_(std::move(member)) {}
  Member take() const { return std::move(member_); }

 private:
  mutable Member member_;
};

}  // namespace h5bridge
