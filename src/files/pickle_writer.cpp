#include "files/pickle_writer.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "files/little_endian.h"

namespace h5bridge::pickle {

Writer::Writer() : code_("\x80\x02", 2) {}

void Writer::integer(std::int64_t value) {
  if (value >= 0 && value <= std::numeric_limits<std::uint8_t>::max()) {
    code_ += 'K';
    append_little_endian(code_, static_cast<std::uint8_t>(value));
  } else if (value >= 0 && value <= std::numeric_limits<std::uint16_t>::max()) {
    code_ += 'M';
    append_little_endian(code_, static_cast<std::uint16_t>(value));
  } else if (value == static_cast<std::int32_t>(value)) {
    code_ += 'J';
    append_little_endian(code_, static_cast<std::uint32_t>(value));
  } else {
    code_ += "\x8a\x08";
    append_little_endian(code_, static_cast<std::uint64_t>(value));
  }
}

void Writer::real(double value) {
  std::string bytes;
  append_little_endian(bytes, std::bit_cast<std::uint64_t>(value));
  std::reverse(bytes.begin(), bytes.end());
  code_.append("G").append(bytes);
}

void Writer::text(std::string_view value) {
  std::string code = "X";
  append_little_endian(code, static_cast<std::uint32_t>(value.size()));
  shared(code.append(value));
}

void Writer::global(std::string_view module, std::string_view name) {
  std::string code = "c";
  code.append(module).append("\n").append(name).append("\n");
  shared(code);
}

void Writer::ordered_dict() {
  global("collections", "OrderedDict");
  empty_tuple();
  reduce();
}

void Writer::memo_operation(bool is_new, std::uint32_t place) {
  const bool is_short = place <= std::numeric_limits<std::uint8_t>::max();
  code_ += is_new ? (is_short ? 'q' : 'r') : (is_short ? 'h' : 'j');
  if (is_short)
    append_little_endian(code_, static_cast<std::uint8_t>(place));
  else
    append_little_endian(code_, place);
}

void Writer::shared(const std::string& code) {
  const auto [known, is_new] = memo_.emplace(code, static_cast<std::uint32_t>(memo_.size()));
  if (is_new) code_ += code;
  memo_operation(is_new, known->second);
}

// No opcode begins like the key.
void Writer::object(const std::string& name, const std::function<void()>& write) {
  const std::string key = "\xFF" + name;
  const auto known = memo_.find(key);
  if (known == memo_.end()) write();
  const std::uint32_t place = memo_.emplace(key, static_cast<std::uint32_t>(memo_.size())).first->second;
  memo_operation(known == memo_.end(), place);
}

std::string Writer::finish() { return code_ + '.'; }

}  // namespace h5bridge::pickle
