// A kind of attribute: how its values stand in JSON, what the JSON Schema and docs/layers.md say of them, and how
// symbols in them become numbers. Each kind is a source of this folder, whose header declares attributes of it and
// nothing else, so that no one can ask for a kind by name: what differs from kind to kind is a member here.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

class AttributeKind {
 public:
  AttributeKind() = default;
  AttributeKind(const AttributeKind&) = delete;
  AttributeKind& operator=(const AttributeKind&) = delete;
  virtual ~AttributeKind() = default;

  /// The value that JSON states; throws MalformedFile, which says what was found and what was expected.
  virtual AttributeValue read(const Json& json) const = 0;
  /// What read() makes the same value of.
  virtual Json write(const AttributeValue& value) const;
  /// The same for people: as short as read() takes it.
  virtual Json write_short(const AttributeValue& value) const { return write(value); }
  /// The JSON Schema of what read() takes.
  virtual Json schema() const = 0;
  /// What read() takes, in words of Markdown.
  virtual std::string describe() const = 0;
  /// The value with numbers in place of its symbols.
  virtual AttributeValue bind(const AttributeValue& value, const std::map<std::string, std::int64_t>& sizes) const;
  /// Throws MalformedFile for a value that read() would not give: of another type, or not allowed.
  virtual void check(const AttributeValue& value) const;
  /// The value that a program set, with what it left to defaults. Throws as check() does.
  virtual AttributeValue complete(const AttributeValue& value) const;
  /// Whether layers that have one or the other compute the same. `rank`: how many axes their input has, among which an
  /// integer may count from the end.
  virtual bool agree(const AttributeValue& a, const AttributeValue& b, std::int64_t rank) const;
  /// Whether it is an integer that is open, which has to be a number for whoever does not expect it. Sizes are open by
  /// nature, and expected.
  virtual bool is_open(const AttributeValue&) const { return false; }
  /// The first version of the JSON form that can say the value.
  virtual std::int64_t since(const AttributeValue&) const { return 1; }
  virtual bool takes_none() const { return false; }
  /// Whether an array among the arguments of a Keras call is a value of this kind, and no tensor that is computed with.
  virtual bool takes_array() const { return false; }
};

using AttributeKindPtr = std::shared_ptr<const AttributeKind>;

/// A value as its type stands in JSON, whatever kind it is of.
Json attribute_to_json(const AttributeValue& value);

}  // namespace h5bridge
