#include "facets/aten/call.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge::aten {

std::string Call::module_class() const {
  if (operation_->modules.empty()) return {};
  const std::string& name = operation_->modules.back().type;
  constexpr std::string_view torchs = "torch.nn.modules.";
  return name.starts_with(torchs) ? name.substr(name.rfind('.') + 1) : "";
}

const Given* Call::find(std::string_view operand) const {
  const auto found = std::ranges::find(operands, operand, &Given::name);
  return found == operands.end() ? nullptr : &*found;
}

std::string Call::step(std::string function, Json::Object settings, const Names& tensors) {
  std::string result = operation_->name + "%" + std::to_string(before.size());
  std::vector<Given> given;
  for (const auto& tensor : tensors) given.push_back({"", {tensor}, false});
  before.push_back({result, std::move(function), std::move(settings), std::move(given)});
  return result;
}

const KnownNumbers* Call::elements(const std::string& tensor) const {
  const auto found = graph_->elements.find(tensor);
  return found == graph_->elements.end() ? nullptr : &found->second;
}

const Operation* Call::maker_of(const std::string& tensor) const {
  const auto found = graph_->makers.find(tensor);
  return found == graph_->makers.end() ? nullptr : &graph_->operations[found->second];
}

void Call::drop(std::string_view operand) {
  std::erase_if(operands, [&](const Given& given) { return given.name == operand; });
}

const std::string& Call::name_of(std::string_view operand) const {
  const Given* given = find(operand);
  if (!given || given->tensors.empty() || !given->tensors[0]) throw MalformedFile("has no " + std::string(operand));
  return *given->tensors[0];
}

const std::string& Call::first() const {
  for (const Given& given : operands)
    for (const auto& name : given.tensors)
      if (name) return *name;
  throw MalformedFile("takes no tensor");
}

const std::string& Call::output(std::size_t number) const {
  if (number >= operation_->outputs.size() || !operation_->outputs[number])
    throw MalformedFile("has no output " + std::to_string(number));
  return *operation_->outputs[number];
}

const SymbolicShape& Call::shape_of(const std::string& value) const {
  const auto found = graph_->values.find(value);
  if (found == graph_->values.end()) throw MalformedFile("its \"" + value + "\" is no tensor of the graph");
  if (!found->second.shape)
    throw Unsupported("a size of its \"" + value + "\" is no sum, product or quotient of sizes");
  return *found->second.shape;
}

DType Call::dtype_of(const std::string& value) const {
  const auto found = graph_->values.find(value);
  if (found == graph_->values.end()) throw MalformedFile("its \"" + value + "\" is no tensor of the graph");
  if (!found->second.dtype) throw Unsupported("the dtype of its \"" + value + "\" is not known here");
  return *found->second.dtype;
}

const SymbolicShape& Call::shape() const { return shape_of(first()); }
const SymbolicShape& Call::shape(std::string_view operand) const { return shape_of(name_of(operand)); }
DType Call::dtype() const { return dtype_of(first()); }
DType Call::operand_dtype(std::string_view operand) const { return dtype_of(name_of(operand)); }
bool Call::is_contiguous(std::string_view operand) const {
  const auto found = graph_->values.find(name_of(operand));
  return found == graph_->values.end() || found->second.is_contiguous;
}
const SymbolicShape& Call::output_shape(std::size_t number) const { return shape_of(output(number)); }
DType Call::output_dtype(std::size_t number) const { return dtype_of(output(number)); }

bool Call::is_used(std::size_t number) const {
  return number < operation_->outputs.size() && operation_->outputs[number] &&
         graph_->last_uses.contains(*operation_->outputs[number]);
}

Shape Call::weight_shape(std::string_view operand) const {
  if (const auto sizes = fixed(shape(operand))) return *sizes;
  throw Unsupported("its " + std::string(operand) + " has the open shape " + to_string(shape(operand)));
}

Json Call::take(std::string_view name) {
  const Json* found = attributes.find(name);
  if (!found) return {};
  Json result = *found;
  attributes.erase(name);
  return result;
}

void Call::rename(std::string_view name, const std::string& wanted) {
  if (attributes.contains(name)) attributes.set(wanted, take(name));
}

std::int64_t Call::integer(std::string_view name, std::int64_t otherwise) const {
  const Json* found = attributes.find(name);
  if (!found || found->is_null()) return otherwise;
  if (!found->is_integer()) throw Unsupported("its " + std::string(name) + " is open");
  return found->as_integer();
}

}  // namespace h5bridge::aten
