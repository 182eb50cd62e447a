#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/torch_source/signature.h"
#include "layers/indexing/index.h"

namespace h5bridge::indexing {
namespace {

std::string text_of(const Item& item, SourcePlace& place) {
  const auto number = [&](const std::optional<Size>& size) { return size ? place.size(*size).text : std::string(); };
  switch (item.kind) {
    case Item::Kind::Integer: return number(item.start);
    case Item::Kind::NewAxis: return "None";
    case Item::Kind::Ellipsis: return "...";
    case Item::Kind::Slice: break;
  }
  const std::string start = number(item.start), stop = number(item.stop);
  // As black has it: around what is more than a name or a number there are blanks.
  const bool is_long = (start + stop).find_first_of("([ ") != std::string::npos;
  const std::string colon = !is_long ? ":" : std::string(start.empty() ? "" : " ") + ":" + (stop.empty() ? "" : " ");
  return start + colon + stop + (item.step == 1 ? "" : ":" + std::to_string(item.step));
}

// The slices that `text` ends with, and what they are taken of: (":", ":4") of "x[:, :4]". None where it ends with
// anything else, which may take an axis away.
std::vector<std::string> slices_of(const std::string& text, std::string& of) {
  const std::size_t open = text.rfind('[');
  if (!text.ends_with(']') || open == std::string::npos || open == 0) return {};
  const std::string inside = text.substr(open + 1, text.size() - open - 2);
  if (inside.find_first_of("\"()[].'") != std::string::npos || text[open - 1] == '[' || text[open - 1] == ' ')
    return {};
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin <= inside.size();) {
    const std::size_t end = std::min(inside.find(", ", begin), inside.size());
    result.push_back(inside.substr(begin, end - begin));
    if (result.back().find(':') == std::string::npos) return {};
    begin = end + 2;
  }
  of = text.substr(0, open);
  return result;
}

// Axes that are taken whole are not written at the end, and several at the beginning are dots. Slices of further axes
// stand with those that come before.
Python part(const SourceCall& call) {
  std::vector<std::string> items;
  for (const Item& item : items_of(call.layer.type, call.attributes(), call.input_shape().size()))
    items.push_back(text_of(item, call.place));
  std::size_t whole = 0;
  while (whole < items.size() && items[whole] == ":") ++whole;
  if (whole == items.size()) return call.input();
  std::vector<std::string> written = items;
  while (written.back() == ":") written.pop_back();
  std::string of;
  const std::vector<std::string> earlier =
      call.place.is_script() ? std::vector<std::string>() : slices_of(call.input().receiver(), of);
  if (!earlier.empty() && earlier.size() <= whole) {
    std::ranges::copy(earlier, written.begin());
    return of + "[" + joined(written) + "]";
  }
  const bool reaches_end = items.back() != ":";
  if (whole > 1 && reaches_end) {
    written.erase(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(whole));
    written.insert(written.begin(), "...");
  }
  return call.input().receiver() + "[" + joined(written) + "]";
}

// PyTorch indexes by integers of 64 bits.
std::string as_index(const Python& index, const TensorType& type) {
  return type.dtype == DType::Int64 ? index.text : index.receiver() + ".long()";
}

// By an index, in which negative numbers count from the end; PyTorch's function of this name takes none.
Python index_select(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const auto rank = static_cast<std::int64_t>(call.input_shape().size());
  std::vector<std::string> items(static_cast<std::size_t>(resolve_axis(a.integer("dim"), rank)), ":");
  if (a.is_none("index")) {
    items.push_back(as_index(call.input(1), call.input_types.at(1).at(0)));
  } else {
    std::vector<std::string> numbers;
    for (const std::int64_t number : a.integers("index")) numbers.push_back(std::to_string(number));
    items.push_back(python_list(numbers));
  }
  return call.input().receiver() + "[" + joined(items) + "]";
}

// Of several tensors of numbers, one for each of some axes.
Python by_tensors(const SourceCall& call) {
  std::vector<std::string> items(call.input_shape().size(), ":");
  std::size_t next = 0;
  const std::vector<Python> indices = call.list(call.type.operands.at(1).name);
  for (const std::int64_t axis : axes_in(call.attributes(), "dims", static_cast<std::int64_t>(items.size()))) {
    items.at(static_cast<std::size_t>(axis)) = as_index(indices.at(next), call.input_types.at(1).at(next));
    ++next;
  }
  while (items.back() == ":") items.pop_back();
  return call.input().receiver() + "[" + joined(items) + "]";
}

Python take_along_dim(const SourceCall& call) {
  const Python index = call.input(1);
  return "torch.take_along_dim(" + call.input(0).text + ", " + as_index(index, call.input_types.at(1).at(0)) + ", " +
         std::to_string(call.attributes().integer("dim")) + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("getitem", part),
          torch_code("slice", part),
          torch_code("select", part),
          torch_code("narrow", part),
          torch_code("index_select", index_select),
          torch_code("index_by_tensors", by_tensors),
          torch_function("input.gather(dim, index)"),
          torch_code("take_along_dim", take_along_dim)};
}

}  // namespace h5bridge::indexing
