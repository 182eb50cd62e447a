// Python pickles as data. Reading one interprets it and never imports or calls what it names: a class or function is
// its name, an object is a record of what it would be built from.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/byte_source.h"

namespace h5bridge::pickle {

struct Value;
/// Values refer to each other freely, in cycles if the pickle says so; their Document owns them all.
using Ref = const Value*;
using Items = std::vector<std::pair<Ref, Ref>>;

struct None {};
struct BigInteger {
  std::string digits;  // decimal, of an integer beyond 64 bits
};
struct Bytes {
  std::string content;
};
struct List {
  std::vector<Ref> items;
};
struct Tuple {
  std::vector<Ref> items;
};
struct Set {
  std::vector<Ref> items;
};
struct Dict {
  Items items;           // in order; a key may come twice, and then the last one counts
  bool ordered = false;  // a collections.OrderedDict
  Ref state = nullptr;   // its attributes (_metadata), where a BUILD gave it any
};
/// The name of a class or a function.
struct Global {
  std::string module;
  std::string name;
  std::string path() const { return module + "." + name; }
};
/// What a persistent id stands for is known to the application: torch keeps storages so.
struct Persistent {
  Ref id = nullptr;
};
/// The result of calling `callable`, then setting its state and adding items.
struct Object {
  /// What few objects have.
  struct Additions {
    Ref keywords = nullptr;  // a dict, or nullptr
    std::vector<Ref> list_items;
    Items dict_items;
  };

  Ref callable = nullptr;
  Ref arguments = nullptr;  // a tuple
  Ref state = nullptr;      // of the last BUILD, or nullptr
  std::unique_ptr<Additions> additions = nullptr;

  Additions& to_add_to();
  Ref keywords() const { return additions ? additions->keywords : nullptr; }
  const std::vector<Ref>& list_items() const;
  const Items& dict_items() const;
};

/// What a value may be.
using Content = std::variant<None, bool, std::int64_t, double, std::string, BigInteger, Bytes, List, Tuple, Set, Dict,
                             Global, Persistent, Object>;

/// A value of one of these kinds. A pickle may ask for one with a single byte, so each takes what its own kind needs.
struct Value {
  Value(const Value&) = delete;
  Value& operator=(const Value&) = delete;

  template <typename T>
  const T* as() const;
  template <typename T>
  T* as();
  /// Its place in Content.
  std::size_t kind() const { return kind_; }
  /// Less than Document::count(), and no other value's there; 0 for the constants, which have nothing in them.
  std::size_t number() const { return number_; }

 protected:
  Value(std::size_t kind, std::size_t number)
      : kind_(static_cast<std::uint8_t>(kind)), number_(static_cast<std::uint32_t>(number)) {}

 private:
  std::uint8_t kind_;
  std::uint32_t number_;
};

template <typename T, std::size_t kind = 0>
consteval std::size_t kind_of() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<kind, Content>>)
    return kind;
  else
    return kind_of<T, kind + 1>();
}

template <typename T>
struct ValueOf : Value {
  explicit ValueOf(T content, std::size_t number = 0) : Value(kind_of<T>(), number), data(std::move(content)) {}
  T data;
};

template <typename T>
const T* Value::as() const {
  return kind_ == kind_of<T>() ? &static_cast<const ValueOf<T>*>(this)->data : nullptr;
}
template <typename T>
T* Value::as() {
  return kind_ == kind_of<T>() ? &static_cast<ValueOf<T>*>(this)->data : nullptr;
}

/// What `function` gives for what the value is.
template <typename Function, std::size_t kind = 0>
auto visit(Function&& function, const Value& value) {
  using T = std::variant_alternative_t<kind, Content>;
  if constexpr (kind + 1 < std::variant_size_v<Content>)
    if (value.kind() != kind) return visit<Function, kind + 1>(std::forward<Function>(function), value);
  return function(static_cast<const ValueOf<T>&>(value).data);
}

/// "a dict", "a tuple", "argparse.Namespace": for messages.
std::string describe(const Value& value);
/// The value under a string key; the last, if there are several; nullptr if there is none.
Ref find(const Dict& dict, std::string_view key);
/// Of a list or tuple; nullptr for anything else.
const std::vector<Ref>* sequence(const Value& value);
/// The path of the class or function that an object was made by; empty for anything else.
std::string class_of(const Value& value);
/// The number that a bool, int, float or NumPy scalar is.
std::optional<double> number(const Value& value);

/// Owns values, each kind in a row of its own; none moves.
template <typename>
struct RowsOfValues;
template <typename... T>
struct RowsOfValues<std::variant<T...>> {
  std::tuple<std::deque<ValueOf<T>>...> rows;
};
using Values = RowsOfValues<Content>;

/// A pickle's values. Movable; moving keeps references valid.
class Document {
 public:
  Document(Document&&) = default;
  Document& operator=(Document&&) = default;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  const Value& root() const { return *root_; }
  /// The bytes up to and with the STOP; legacy files have several pickles in a row.
  std::size_t size() const { return size_; }
  /// More than the number of any value.
  std::size_t count() const { return count_; }
  const std::deque<ValueOf<Persistent>>& persistent_ids() const {
    return std::get<std::deque<ValueOf<Persistent>>>(values_.rows);
  }
  /// The bytes of memory that what is made of the values may take.
  std::size_t spare() const { return spare_; }

 private:
  friend Document read(std::span<const std::byte>, std::uint64_t);
  Document() = default;
  Values values_;
  Ref root_ = nullptr;
  std::size_t size_ = 0;
  std::size_t count_ = 1;
  std::size_t spare_ = 0;
};

/// Reads the first pickle in `bytes`, of any protocol up to 5. Throws MalformedFile with the offset and the opcode of
/// the fault. The values may take 40 MiB and four times the file that the pickle is in, of `file_size` bytes, less the
/// pickle itself; there are at most 2^24.
Document read(std::span<const std::byte> bytes, std::uint64_t file_size = 0);

}  // namespace h5bridge::pickle
