// Python pickles as data. Reading one interprets it and never imports or calls what it names: a class or function is
// its name, an object is a record of what it would be built from.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  Ref callable = nullptr;
  Ref arguments = nullptr;  // a tuple
  Ref keywords = nullptr;   // a dict, or nullptr
  Ref state = nullptr;      // of the last BUILD, or nullptr
  std::vector<Ref> list_items;
  Items dict_items;
};

struct Value {
  std::variant<None, bool, std::int64_t, double, std::string, BigInteger, Bytes, List, Tuple, Set, Dict, Global,
               Persistent, Object>
      data;

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
};

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
  /// All values that were made, in no order that means anything.
  const std::deque<Value>& values() const { return values_; }

 private:
  friend Document read(std::span<const std::byte>);
  Document() = default;
  std::deque<Value> values_;
  Ref root_ = nullptr;
  std::size_t size_ = 0;
};

/// Reads the first pickle in `bytes`, of any protocol up to 5. Throws MalformedFile with the offset and the opcode of
/// the fault. Memory is bounded by a multiple of the bytes and by a largest number of values.
Document read(std::span<const std::byte> bytes);

}  // namespace h5bridge::pickle
