#include "layers/indexing/index.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "h5bridge/error.h"

namespace h5bridge::indexing {
namespace {

using Kind = Item::Kind;

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i)
    if (i == text.size() || text[i] == separator) {
      parts.push_back(trimmed(std::string_view(text).substr(start, i - start)));
      start = i + 1;
    }
  return parts;
}

std::optional<Size> optional_size(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(Size::parse(text));
}

Item parse_item(const std::string& text) {
  if (text == "...") return {.kind = Kind::Ellipsis};
  if (text == "None") return {.kind = Kind::NewAxis};
  const std::vector<std::string> parts = cut(text, ':');
  if (parts.size() == 1) return {.kind = Kind::Integer, .start = Size::parse(text)};
  if (parts.size() > 3) throw MalformedFile("its index has the slice \"" + text + "\"");
  Item item{.start = optional_size(parts[0]), .stop = optional_size(parts[1])};
  if (parts.size() == 3 && !parts[2].empty()) item.step = Size::parse(parts[2]).value().value_or(0);
  if (item.step < 1) throw Unsupported("its index \"" + text + "\" has another step than a positive number");
  return item;
}

std::string text_of(const Item& item) {
  if (item.kind == Kind::Ellipsis) return "...";
  if (item.kind == Kind::NewAxis) return "None";
  const std::string start = item.start ? item.start->str() : "";
  if (item.kind == Kind::Integer) return start;
  return start + ":" + (item.stop ? item.stop->str() : "") + (item.step == 1 ? "" : ":" + std::to_string(item.step));
}

std::optional<Size> optional_size(const Attributes& a, const char* name) {
  return a.is_none(name) ? std::nullopt : std::optional(a.sizes(name).at(0));
}

// One item at the axis `dim`, all of the others.
std::vector<Item> at_axis(const Attributes& a, std::size_t rank, Item item) {
  std::vector<Item> items(rank);
  items[resolve_axis(a.integer("dim"), static_cast<std::int64_t>(rank))] = std::move(item);
  return items;
}

// Of an open size, whether it is where its symbols are large (-length + 1).
bool is_negative(const Size& size) {
  std::map<std::string, std::int64_t> large;
  for (const std::string& symbol : size.symbols()) large[symbol] = 1 << 16;
  return size.bind(large).value().value_or(0) < 0;
}

// A place on an axis, where sizes are known, within it.
Size place(const Size& wanted, const Size& extent) {
  const Size result = counted_from_start(wanted, extent);
  if (const auto known = result.value(), end = extent.value(); known && end)
    return Size(std::clamp<std::int64_t>(*known, 0, *end));
  return result;
}

Size length_of(const Item& slice, const Size& extent) {
  const Size start = slice.start ? place(*slice.start, extent) : Size(0);
  const Size stop = slice.stop ? place(*slice.stop, extent) : extent;
  const Size length = (stop - start + Size(slice.step - 1)).floor_divide(slice.step);
  return length.value().value_or(1) < 0 ? Size(0) : length;
}

}  // namespace

Size counted_from_start(const Size& place, const Size& extent) { return is_negative(place) ? extent + place : place; }

Index parse_index(const std::string& text) {
  std::vector<std::string> parts = cut(text, ',');
  Index index{{}, parts.size() > 1};
  if (index.is_tuple && parts.back().empty()) parts.pop_back();
  for (const std::string& part : parts) index.items.push_back(parse_item(part));
  return index;
}

std::string to_text(const Index& index) {
  std::string result;
  for (const Item& item : index.items) result += (result.empty() ? "" : ", ") + text_of(item);
  return result + (index.is_tuple && index.items.size() < 2 ? "," : "");
}

std::vector<Item> items_of(const std::string& type, const Attributes& a, std::size_t rank) {
  if (type == "slice")
    return at_axis(a, rank,
                   {.start = optional_size(a, "start"), .stop = optional_size(a, "end"), .step = a.integer("step")});
  if (type == "select") return at_axis(a, rank, {.kind = Kind::Integer, .start = a.sizes("index").at(0)});
  if (type == "narrow") {
    const Size start = a.sizes("start").at(0);
    return at_axis(a, rank, {.start = start, .stop = start + a.sizes("length").at(0)});
  }
  std::vector<Item> items = parse_index(a.text("index")).items;
  const auto takes = std::count_if(items.begin(), items.end(), [](const Item& item) {
    return item.kind == Kind::Slice || item.kind == Kind::Integer;
  });
  auto ellipsis =
      std::find_if(items.begin(), items.end(), [](const Item& item) { return item.kind == Kind::Ellipsis; });
  if (takes > static_cast<std::int64_t>(rank))
    throw MalformedFile("its index \"" + a.text("index") + "\" has more items than the " + std::to_string(rank) +
                        " axes");
  if (ellipsis != items.end()) ellipsis = items.erase(ellipsis);
  items.insert(ellipsis, rank - takes, Item{});
  return items;
}

SymbolicShape indexed(const std::vector<Item>& items, const SymbolicShape& input) {
  SymbolicShape result;
  auto axis = input.begin();
  for (const Item& item : items) {
    if (item.kind == Kind::NewAxis) {
      result.push_back(1);
      continue;
    }
    if (axis == input.end()) throw MalformedFile("its index has too many items");
    if (item.kind == Kind::Slice) {
      result.push_back(length_of(item, *axis));
    } else if (const auto number = item.start->value(), extent = axis->value();
               number && extent && (*number < -*extent || *number >= *extent)) {
      throw MalformedFile("its index " + std::to_string(*number) + " is beyond the " + std::to_string(*extent) +
                          " elements of the axis");
    }
    ++axis;
  }
  return result;
}

}  // namespace h5bridge::indexing
