// Writes pickles of protocol 2, which is what torch.save writes and torch.load(weights_only=True) takes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace h5bridge::pickle {

/// Emits opcodes; what they leave on the reader's stack is in the comments. Texts and names that come again are
/// written once. The caller sees to it that the stack fits.
class Writer {
 public:
  Writer();

  // A value.
  void none() { code_ += 'N'; }
  void boolean(bool value) { code_ += value ? '\x88' : '\x89'; }
  void integer(std::int64_t value);
  void real(double value);
  void text(std::string_view value);
  void global(std::string_view module, std::string_view name);
  void empty_dict() { code_ += '}'; }
  void empty_list() { code_ += ']'; }
  void empty_tuple() { code_ += ')'; }

  /// Marks the start of what tuple, append and set_items take.
  void mark() { code_ += '('; }
  void tuple() { code_ += 't'; }      // mark, values -> a tuple
  void append() { code_ += 'e'; }     // a list, mark, values -> the list
  void set_items() { code_ += 'u'; }  // a dict, mark, keys and values -> the dict

  void reduce() { code_ += 'R'; }         // a function, a tuple -> the result
  void new_object() { code_ += '\x81'; }  // a class, a tuple -> an object of it
  void build() { code_ += 'b'; }          // an object, its state -> the object
  void persistent_id() { code_ += 'Q'; }  // an id -> what it stands for

  /// collections.OrderedDict()
  void ordered_dict();

  /// A value that `write` leaves: the one of this name, if there has been one.
  void object(const std::string& name, const std::function<void()>& write);

  /// The pickle of what is on the stack.
  std::string finish();

 private:
  /// Emits `code`, which makes a value, and memoises that; or gets it from the memo if it was emitted before.
  void shared(const std::string& code);
  void memo_operation(bool is_new, std::uint32_t place);

  std::string code_;
  std::map<std::string, std::uint32_t> memo_;
};

}  // namespace h5bridge::pickle
