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
  /// All that it keeps may take `most` bytes.
  Machine(std::span<const std::byte> bytes, Values& values, std::size_t most)
      : bytes_(bytes), values_(values), most_(most) {}

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
  /// Values that were made, and one more.
  std::size_t count() const { return count_; }
  /// What they take, once the stack and the memo are gone.
  std::size_t held() const { return held_; }

  // Opcodes, in the order of the table below.
  void proto() {
    if (const auto version = take<std::uint8_t>(); version > 5)
      fail("protocol " + std::to_string(version) + " is not known; 0 to 5 are");
  }
  void frame() { take<std::uint64_t>(); }  // frames only help readers that buffer
  void stop() { stopped_ = true; }
  void mark() {
    make_room(marks_, 1);
    marks_.push_back(stack_.size());
  }
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
  void binary_integer() { integer(static_cast<std::int32_t>(take<std::uint32_t>())); }
  template <typename T>
  void small_integer() {
    integer(take<T>());
  }
  template <typename T>
  void binary_long() {
    const auto content = take_counted<T>();
    if (content.size() > kLargestInteger) fail("an integer of " + std::to_string(content.size()) + " bytes");
    if (content.size() <= sizeof(std::int64_t)) return integer(small_twos_complement(content));
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
  void dict() {
    const std::size_t start = take_mark();
    Dict made;
    add_pairs(made.items, above(start));
    stack_.resize(start);
    push(make_held(std::move(made)));
  }
  template <std::size_t count>
  void short_tuple() {
    if (depth() < count) fail("the stack holds too few values");
    std::vector<Ref> items(stack_.end() - count, stack_.end());
    stack_.resize(stack_.size() - count);
    make(Tuple{std::move(items)});
  }
  void append() {
    const Ref item = pop();
    extend(mutable_top(), {&item, 1});
  }
  void appends() {
    const std::size_t start = take_mark();
    extend(mutable_below(start), above(start));
    stack_.resize(start);
  }
  void add_items() {
    const std::size_t start = take_mark();
    Value& target = mutable_below(start);
    auto* set = target.as<Set>();
    if (!set) fail("items are added to " + describe(target));
    add_all(set->items, above(start));
    stack_.resize(start);
  }
  void set_item() {
    const Ref value = pop();
    const std::array pair{pop(), value};
    set_items(mutable_top(), pair);
  }
  void set_many() {
    const std::size_t start = take_mark();
    set_items(mutable_below(start), above(start));
    stack_.resize(start);
  }
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
    if (auto* object = target.as<Object>())
      object->state = state;
    else if (auto* dict = target.as<Dict>(); dict && dict->ordered)
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
  void text_put() { put_at(take_index()); }
  template <typename T>
  void put() {
    put_at(take<T>());
  }
  void memoise() { put_at(memo_.size() + far_memo_.size()); }
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
  /// Below a mark that was taken.
  Value& mutable_below(std::size_t start) {
    if (start == (marks_.empty() ? 0 : marks_.back())) fail("the stack is empty");
    return const_cast<Value&>(*stack_[start - 1]);
  }
  std::span<const Ref> above(std::size_t start) const { return std::span(stack_).subspan(start); }
  Ref pop() {
    const Ref value = top();
    stack_.pop_back();
    return value;
  }
  void push(Ref value) {
    make_room(stack_, 1);
    stack_.push_back(value);
  }

  /// What is kept for good; the stacks and the memo are kept for now.
  void hold(std::size_t bytes) {
    held_ += bytes;
    check();
  }
  void keep(std::size_t bytes) {
    kept_ += bytes;
    check();
  }
  void check() const {
    if (held_ + kept_ > most_)
      fail("its values take more than " + std::to_string(most_ >> 20) +
           " MiB, which is too much for a file this small");
  }
  /// So that a vector takes `more`, whose growth counts: both buffers are there while one is copied.
  template <typename Item>
  std::size_t grown(const std::vector<Item>& items, std::size_t more) const {
    if (items.size() + more <= items.capacity()) return 0;
    return std::max(items.size() + more, items.size() + items.size() / 2 + 2);
  }
  template <typename Item>
  void make_room(std::vector<Item>& items, std::size_t more) {
    const std::size_t capacity = grown(items, more);
    if (capacity == 0) return;
    keep(capacity * sizeof(Item));
    kept_ -= items.capacity() * sizeof(Item);
    items.reserve(capacity);
  }
  template <typename Item>
  void make_room_in_value(std::vector<Item>& items, std::size_t more) {
    const std::size_t capacity = grown(items, more);
    if (capacity == 0) return;
    hold(allocated(capacity * sizeof(Item)));
    held_ -= of_items(items);
    items.reserve(capacity);
  }

  /// What the allocator makes of it.
  static std::size_t allocated(std::size_t bytes) { return std::max<std::size_t>(32, (bytes + 8 + 15) / 16 * 16); }
  static std::size_t beside(const std::string& text) {
    return text.capacity() > std::string().capacity() ? allocated(text.capacity() + 1) : 0;
  }
  static std::size_t beside(const BigInteger& integer) { return beside(integer.digits); }
  static std::size_t beside(const Bytes& bytes) { return beside(bytes.content); }
  static std::size_t beside(const Global& global) { return beside(global.module) + beside(global.name); }
  static std::size_t beside(const Object& object) {
    return object.additions ? allocated(sizeof(Object::Additions)) : 0;
  }
  static std::size_t beside(const Dict& dict) { return of_items(dict.items); }
  static std::size_t beside(const List& list) { return of_items(list.items); }
  static std::size_t beside(const Tuple& tuple) { return of_items(tuple.items); }
  static std::size_t beside(const Set& set) { return of_items(set.items); }
  template <typename T>
  static std::size_t beside(const T&) {
    return 0;
  }
  template <typename Item>
  static std::size_t of_items(const std::vector<Item>& items) {
    return items.capacity() > 0 ? allocated(items.capacity() * sizeof(Item)) : 0;
  }

  /// Of content whose memory beside it counts already.
  template <typename T>
  Ref make_held(T data) {
    if (count_ > kMostValues) fail("more than " + std::to_string(kMostValues) + " values");
    hold(sizeof(ValueOf<T>));
    return &std::get<std::deque<ValueOf<T>>>(values_.rows).emplace_back(std::move(data), count_++);
  }
  template <typename T>
  Ref make_value(T data) {
    hold(beside(data));
    return make_held(std::move(data));
  }
  template <typename T>
  void make(T data) {
    push(make_value(std::move(data)));
  }
  void integer(std::int64_t value) {
    if (value < 0 || value >= static_cast<std::int64_t>(kSmall)) return make(value);
    if (small_.empty()) small_.resize(kSmall);
    Ref& shared = small_[static_cast<std::size_t>(value)];
    if (!shared) shared = make_value(value);
    push(shared);
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
  void add_pairs(Items& items, std::span<const Ref> flat) {
    if (flat.size() % 2 != 0) fail("a key has no value");
    make_room_in_value(items, flat.size() / 2);
    for (std::size_t i = 0; i < flat.size(); i += 2) items.emplace_back(flat[i], flat[i + 1]);
  }
  void add_all(std::vector<Ref>& items, std::span<const Ref> more) {
    make_room_in_value(items, more.size());
    items.insert(items.end(), more.begin(), more.end());
  }

  void decimal(std::string_view line) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (end != line.data() + line.size() || error == std::errc::invalid_argument)
      fail("'" + std::string(line.substr(0, 40)) + "' is no integer");
    if (error == std::errc{}) return integer(value);
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

  Object::Additions& additions_of(Object& object) {
    if (!object.additions) hold(allocated(sizeof(Object::Additions)));
    return object.to_add_to();
  }
  void extend(Value& target, std::span<const Ref> items) {
    if (auto* list = target.as<List>()) return add_all(list->items, items);
    if (auto* object = target.as<Object>()) return add_all(additions_of(*object).list_items, items);
    fail("items are appended to " + describe(target));
  }
  void set_items(Value& target, std::span<const Ref> flat) {
    if (auto* dict = target.as<Dict>()) return add_pairs(dict->items, flat);
    if (auto* object = target.as<Object>()) return add_pairs(additions_of(*object).dict_items, flat);
    fail("items are set on " + describe(target));
  }

  /// Writers count from 0 on; what is far from there is kept apart.
  void put_at(std::uint64_t index) {
    const Ref value = top();
    if (index < memo_.size()) {
      memo_[index] = value;
    } else if (index == memo_.size()) {
      make_room(memo_, 1);
      memo_.push_back(value);
    } else if (far_memo_.insert_or_assign(index, value).second) {
      keep(kOfFarMemo);
    }
  }
  void push_memoised(std::uint64_t index) {
    if (index < memo_.size()) return push(memo_[index]);
    const auto found = far_memo_.find(index);
    if (found == far_memo_.end()) fail("nothing is memoised under " + std::to_string(index));
    push(found->second);
  }

  /// An inert record of a call, or the value itself where Python's own containers are spelled as calls.
  void construct(Ref callable, Ref arguments, Ref keywords) {
    const auto* items = arguments->as<Tuple>();
    if (!items) fail("arguments are " + describe(*arguments) + ", not a tuple");
    const auto* name = callable->as<Global>();
    if (std::optional<Content> builtin = name && !keywords ? construct_builtin(*name, items->items) : std::nullopt)
      return std::visit([this](auto&& content) { make(std::move(content)); }, *std::move(builtin));
    Object made{callable, arguments};
    if (keywords) made.to_add_to().keywords = keywords;
    make(std::move(made));
  }

  static const ValueOf<None> kNone;
  static const ValueOf<bool> kTrue;
  static const ValueOf<bool> kFalse;
  static const ValueOf<Tuple> kEmptyTuple;
  static constexpr std::size_t kSmall = 256;
  static constexpr std::size_t kOfFarMemo = 64;  // a node of a hash table, and its place there

  std::span<const std::byte> bytes_;
  Values& values_;
  std::size_t most_;
  std::size_t count_ = 1, held_ = 0, kept_ = 0;
  std::size_t position_ = 0;
  std::size_t opcode_at_ = 0;
  const Opcode* current_ = nullptr;
  bool stopped_ = false;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::vector<Ref> memo_;
  std::vector<Ref> small_;  // integers that many values share, as Python's do
  std::unordered_map<std::uint64_t, Ref> far_memo_;
};

}  // namespace h5bridge::pickle
