// The virtual machine of Python's Lib/pickle.py, reduced to what makes values: one member function per opcode.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "files/little_endian.h"
#include "files/pickle.h"
#include "files/pickle_text.h"
#include "h5bridge/error.h"

namespace h5bridge::pickle {

inline constexpr std::size_t kLargestInteger = 256;  // bytes; turning an integer into digits takes quadratic time
inline constexpr std::size_t kMostValues = std::size_t{1} << 24;  // one byte can ask for a value of a hundred

class Machine;
using Handler = void (Machine::*)();

struct Opcode {
  const char* name = nullptr;
  Handler run = nullptr;
};
/// The row of the table in pickle_reader.cpp; its `run` is nullptr for a byte that is no opcode.
const Opcode& opcode(std::byte code);

/// Runs one pickle. Every fault throws MalformedFile with the offset and the name of the opcode.
class Machine {
 public:
  Machine(std::span<const std::byte> bytes, std::deque<Value>& values) : bytes_(bytes), values_(values) {}

  /// Runs up to the STOP; returns the value that is left.
  Ref run() {
    while (true) {
      opcode_at_ = position_;
      current_ = nullptr;
      const std::byte code = take_bytes(1)[0];
      current_ = &opcode(code);
      if (!current_->run) fail("there is no such opcode (" + std::to_string(static_cast<int>(code)) + ")");
      (this->*current_->run)();
      if (stopped_) return pop();
    }
  }
  std::size_t position() const { return position_; }

  // Opcodes, in the order of the table below.
  void proto() {
    if (const auto version = take<std::uint8_t>(); version > 5)
      fail("protocol " + std::to_string(version) + " is not known; 0 to 5 are");
  }
  void frame() { take<std::uint64_t>(); }  // frames only help readers that buffer
  void stop() { stopped_ = true; }
  void mark() { marks_.push_back(stack_.size()); }
  void pop_one() {
    if (!marks_.empty() && marks_.back() == stack_.size())
      marks_.pop_back();
    else
      pop();
  }
  void pop_mark() { stack_.resize(take_mark()); }
  void duplicate() { push(top()); }
  void none() { push(&kNone); }
  void true_value() { push(&kTrue); }
  void false_value() { push(&kFalse); }
  void text_integer() {
    const std::string_view line = take_line();
    if (line == "00") return false_value();
    if (line == "01") return true_value();
    decimal(line);
  }
  void text_long() {
    std::string_view line = take_line();
    if (line.ends_with('L')) line.remove_suffix(1);
    decimal(line);
  }
  void binary_integer() { make(static_cast<std::int64_t>(static_cast<std::int32_t>(take<std::uint32_t>()))); }
  template <typename T>
  void small_integer() {
    make(static_cast<std::int64_t>(take<T>()));
  }
  template <typename T>
  void binary_long() {
    const auto content = take_counted<T>();
    if (content.size() > kLargestInteger) fail("an integer of " + std::to_string(content.size()) + " bytes");
    if (content.size() <= sizeof(std::int64_t)) return make(small_twos_complement(content));
    make(BigInteger{decimal_digits(content)});
  }
  void text_float() {
    const std::string_view line = take_line();
    double value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{} || end != line.data() + line.size())
      fail("'" + std::string(line.substr(0, 40)) + "' is no float");
    make(value);
  }
  void binary_float() {
    const auto content = take_bytes(sizeof(double));
    std::array<std::byte, sizeof(double)> reversed{};
    std::copy(content.rbegin(), content.rend(), reversed.begin());
    make(std::bit_cast<double>(load_little_endian<std::uint64_t>(reversed)));
  }
  void text_unicode() { text(raw_unicode_escape(take_line())); }
  template <typename T>
  void unicode() {
    text(std::string(text_of(take_counted<T>())));
  }
  void text_string() { byte_string(python_literal(take_line())); }
  // Python 2's str: text where it can be, as torch reads it.
  template <typename T>
  void string() {
    byte_string(std::string(text_of(take_counted<T>())));
  }
  template <typename T>
  void bytes() {
    make(Bytes{std::string(text_of(take_counted<T>()))});
  }
  void empty_tuple() { push(&kEmptyTuple); }
  void empty_list() { make(List{}); }
  void empty_dict() { make(Dict{}); }
  void empty_set() { make(Set{}); }
  void tuple() { make(Tuple{take_marked()}); }
  void list() { make(List{take_marked()}); }
  void frozen_set() { make(Set{take_marked()}); }
  void dict() { make(Dict{pairs(take_marked())}); }
  template <std::size_t count>
  void short_tuple() {
    if (depth() < count) fail("the stack holds too few values");
    std::vector<Ref> items(stack_.end() - count, stack_.end());
    stack_.resize(stack_.size() - count);
    make(Tuple{std::move(items)});
  }
  void append() {
    const Ref item = pop();
    extend({item});
  }
  void appends() { extend(take_marked()); }
  void add_items() {
    const std::vector<Ref> items = take_marked();
    auto* set = std::get_if<Set>(&mutable_top().data);
    if (!set) fail("items are added to " + describe(*top()));
    set->items.insert(set->items.end(), items.begin(), items.end());
  }
  void set_item() {
    const Ref value = pop();
    const Ref key = pop();
    set_items({{key, value}});
  }
  void set_many() { set_items(pairs(take_marked())); }
  void global() {
    const std::string_view module = take_line();
    const std::string_view name = take_line();
    make(Global{utf8(module), utf8(name)});
  }
  void stack_global() {
    const auto* name = pop()->as<std::string>();
    const auto* module = pop()->as<std::string>();
    if (!name || !module) fail("a global's name is no text");
    make(Global{*module, *name});
  }
  void reduce() {
    const Ref arguments = pop();
    construct(pop(), arguments, nullptr);
  }
  void new_object() { reduce(); }
  void new_object_with_keywords() {
    const Ref keywords = pop();
    const Ref arguments = pop();
    if (!keywords->as<Dict>()) fail("keyword arguments are " + describe(*keywords) + ", not a dict");
    construct(pop(), arguments, keywords);
  }
  void instance() {
    global();
    const Ref callable = pop();
    construct(callable, make_value(Tuple{take_marked()}), nullptr);
  }
  void object() {
    std::vector<Ref> items = take_marked();
    if (items.empty()) fail("no class to make an object of");
    const Ref callable = items.front();
    items.erase(items.begin());
    construct(callable, make_value(Tuple{std::move(items)}), nullptr);
  }
  void build() {
    const Ref state = pop();
    Value& target = mutable_top();
    if (auto* object = std::get_if<Object>(&target.data))
      object->state = state;
    else if (auto* dict = std::get_if<Dict>(&target.data); dict && dict->ordered)
      dict->state = state;
    else
      fail("a state is set on " + describe(target));
  }
  void text_persistent() {
    const Ref id = make_value(utf8(take_line()));
    make(Persistent{id});
  }
  void persistent() {
    const Ref id = pop();
    make(Persistent{id});
  }
  void text_get() { push_memoised(take_index()); }
  template <typename T>
  void get() {
    push_memoised(take<T>());
  }
  void text_put() { memo_[take_index()] = top(); }
  template <typename T>
  void put() {
    memo_[take<T>()] = top();
  }
  void memoise() { memo_[memo_.size()] = top(); }
  void extension() { fail("extension codes stand for names that only their writer knows"); }
  void buffer() { fail("the pickle refers to buffers outside of it"); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const std::string name = current_ && current_->name ? std::string(" (") + current_->name + ")" : "";
    throw MalformedFile("pickle: byte " + std::to_string(opcode_at_) + name + ": " + what);
  }

  std::span<const std::byte> take_bytes(std::uint64_t count) {
    if (count > bytes_.size() - position_)
      fail("truncated: " + std::to_string(count) + " bytes wanted, " + std::to_string(bytes_.size() - position_) +
           " left");
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }
  template <std::unsigned_integral T>
  T take() {
    return load_little_endian<T>(take_bytes(sizeof(T)));
  }
  template <std::unsigned_integral T>
  std::span<const std::byte> take_counted() {
    return take_bytes(take<T>());
  }
  std::string_view take_line() {
    const std::string_view rest = text_of(bytes_.subspan(position_));
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) fail("truncated: a line has no end");
    position_ += end + 1;
    return rest.substr(0, end);
  }
  std::uint64_t take_index() {
    const std::string_view line = take_line();
    std::uint64_t index = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), index);
    if (error != std::errc{} || end != line.data() + line.size())
      fail("'" + std::string(line.substr(0, 40)) + "' is no index");
    return index;
  }

  /// Values above the last mark: an opcode may not reach below it.
  std::size_t depth() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Ref top() const {
    if (depth() == 0) fail("the stack is empty");
    return stack_.back();
  }
  /// Everything on the stack is ours and mutable, but for the constants, which no opcode changes.
  Value& mutable_top() { return const_cast<Value&>(*top()); }
  Ref pop() {
    const Ref value = top();
    stack_.pop_back();
    return value;
  }
  void push(Ref value) { stack_.push_back(value); }
  template <typename T>
  Ref make_value(T&& data) {
    if (values_.size() == kMostValues) fail("more than " + std::to_string(kMostValues) + " values");
    return &values_.emplace_back(Value{std::forward<T>(data)});
  }
  template <typename T>
  void make(T&& data) {
    push(make_value(std::forward<T>(data)));
  }
  std::size_t take_mark() {
    if (marks_.empty()) fail("no mark is set");
    const std::size_t start = marks_.back();
    marks_.pop_back();
    return start;
  }
  std::vector<Ref> take_marked() {
    const std::size_t start = take_mark();
    std::vector<Ref> items(stack_.begin() + static_cast<std::ptrdiff_t>(start), stack_.end());
    stack_.resize(start);
    return items;
  }
  Items pairs(const std::vector<Ref>& flat) const {
    if (flat.size() % 2 != 0) fail("a key has no value");
    Items items;
    items.reserve(flat.size() / 2);
    for (std::size_t i = 0; i < flat.size(); i += 2) items.emplace_back(flat[i], flat[i + 1]);
    return items;
  }

  void decimal(std::string_view line) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (end != line.data() + line.size() || error == std::errc::invalid_argument)
      fail("'" + std::string(line.substr(0, 40)) + "' is no integer");
    if (error == std::errc{}) return make(value);
    if (line.size() > 2 * kLargestInteger) fail("an integer of " + std::to_string(line.size()) + " digits");
    make(BigInteger{std::string(line)});
  }
  std::string utf8(std::string_view content) const {
    if (!is_utf8(content)) fail("text is not UTF-8");
    return std::string(content);
  }
  void text(std::optional<std::string> content) {
    if (!content || !is_utf8(*content)) fail("text is not UTF-8");
    make(std::move(*content));
  }
  void byte_string(std::optional<std::string> content) {
    if (!content) fail("a string's quotes or escapes are damaged");
    if (is_utf8(*content)) return make(std::move(*content));
    make(Bytes{std::move(*content)});
  }

  void extend(const std::vector<Ref>& items) {
    Value& target = mutable_top();
    std::vector<Ref>* into = nullptr;
    if (auto* list = std::get_if<List>(&target.data)) into = &list->items;
    if (auto* object = std::get_if<Object>(&target.data)) into = &object->list_items;
    if (!into) fail("items are appended to " + describe(target));
    into->insert(into->end(), items.begin(), items.end());
  }
  void set_items(const Items& items) {
    Value& target = mutable_top();
    Items* into = nullptr;
    if (auto* dict = std::get_if<Dict>(&target.data)) into = &dict->items;
    if (auto* object = std::get_if<Object>(&target.data)) into = &object->dict_items;
    if (!into) fail("items are set on " + describe(target));
    into->insert(into->end(), items.begin(), items.end());
  }
  void push_memoised(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("nothing is memoised under " + std::to_string(index));
    push(found->second);
  }

  /// An inert record of a call, or the value itself where Python's own containers are spelled as calls.
  void construct(Ref callable, Ref arguments, Ref keywords) {
    const auto* items = arguments->as<Tuple>();
    if (!items) fail("arguments are " + describe(*arguments) + ", not a tuple");
    const auto* name = callable->as<Global>();
    std::optional<Value> builtin = name && !keywords ? construct_builtin(*name, items->items) : std::nullopt;
    make(builtin ? std::move(builtin->data) : Object{callable, arguments, keywords, nullptr, {}, {}});
  }

  static const Value kNone;
  static const Value kTrue;
  static const Value kFalse;
  static const Value kEmptyTuple;

  std::span<const std::byte> bytes_;
  std::deque<Value>& values_;
  std::size_t position_ = 0;
  std::size_t opcode_at_ = 0;
  const Opcode* current_ = nullptr;
  bool stopped_ = false;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
};

}  // namespace h5bridge::pickle
