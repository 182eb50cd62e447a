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

// Axes that are taken whole are not written at the end, and several at the beginning are dots.
Python part(const SourceCall& call) {
  std::vector<std::string> items;
  for (const Item& item : items_of(call.layer.type, call.attributes(), call.input_shape().size()))
    items.push_back(text_of(item, call.place));
  std::size_t whole = 0;
  while (whole < items.size() && items[whole] == ":") ++whole;
  if (whole == items.size()) return call.input();
  std::vector<std::string> written = items;
  while (written.back() == ":") written.pop_back();
  const bool reaches_end = items.back() != ":";
  if (whole > 1 && reaches_end) {
    written.erase(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(whole));
    written.insert(written.begin(), "...");
  }
  return call.input().receiver() + "[" + joined(written) + "]";
}

// Of constant numbers, by an index; negative ones count from the end.
Python index_select(const SourceCall& call) {
  const Attributes& a = call.attributes();
  if (a.is_none("index")) return call_of("input.index_select(dim, index)", call);
  const auto rank = static_cast<std::int64_t>(call.input_shape().size());
  std::vector<std::string> items(static_cast<std::size_t>(resolve_axis(a.integer("dim"), rank)), ":");
  std::vector<std::string> numbers;
  for (const std::int64_t number : a.integers("index")) numbers.push_back(std::to_string(number));
  items.push_back(python_list(numbers));
  return call.input().receiver() + "[" + joined(items) + "]";
}

// Of several tensors of numbers, one for each of some axes.
Python by_tensors(const SourceCall& call) {
  std::vector<std::string> items(call.input_shape().size(), ":");
  std::size_t next = 0;
  const std::vector<Python> indices = call.list(call.type.operands.at(1).name);
  for (const std::int64_t axis : axes_in(call.attributes(), "dims", static_cast<std::int64_t>(items.size()))) {
    const bool is_long = call.input_types.at(1).at(next).dtype == DType::Int64;
    const Python& index = indices.at(next++);
    items.at(static_cast<std::size_t>(axis)) = is_long ? index.text : index.receiver() + ".long()";
  }
  while (items.back() == ":") items.pop_back();
  return call.input().receiver() + "[" + joined(items) + "]";
}

Python take_along_dim(const SourceCall& call) {
  const Python index = call.input(1);
  const bool is_long = call.input_types.at(1).at(0).dtype == DType::Int64;
  return "torch.take_along_dim(" + call.input(0).text + ", " + (is_long ? index.text : index.receiver() + ".long()") +
         ", " + std::to_string(call.attributes().integer("dim")) + ")";
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
