#include "convert/comparison_page.h"

#include "convert/formats/torch_destination.h"
#include "convert/replacement.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/plan.h"
#include "model/one_line.h"
#include "model/quoted.h"
#include "picture/html_page.h"

namespace h5bridge {
namespace {

constexpr std::size_t kLongestSetting = 300;

std::string text_of(const Json::Object& settings, const std::string& name) {
  const Json* value = settings.find(name);
  return !value ? "the default" : value->is_string() ? value->as_string() : value->dump();
}

// By calls of the first: what calls of the same name in the second have otherwise.
auto other_settings(const Architecture& a, const Architecture& b) {
  decltype(PageComparison::settings) result;
  std::map<std::string, const Node*> others;
  for (const Node& node : b.nodes) others.emplace(keras_name(node.name), &node);
  for (const Node& node : a.nodes) {
    const auto other = others.find(keras_name(node.name));
    if (other == others.end()) continue;
    const Layer own = as_called(a.layer_of(node), node), twin = as_called(b.layer_of(*other->second), *other->second);
    auto& differing = result[node.name];
    if (own.type != twin.type) {
      differing.emplace_back("type in the other model", twin.type);
      continue;
    }
    const LayerType& type = Registry::instance().type_of(own);
    const Json::Object mine = attributes_to_json(type, own.attributes),
                       theirs = attributes_to_json(type, twin.attributes);
    for (const AttributeSpec& spec : type.attributes)
      if (text_of(mine, spec.name) != text_of(theirs, spec.name))
        differing.emplace_back(spec.name + " in the other model",
                               shortened(one_line(text_of(theirs, spec.name)), kLongestSetting));
  }
  return result;
}

PageComparison page_of(const std::string& other, const FoundDifferences& found) {
  PageComparison page;
  page.other = other;
  for (const NamedAgreement& tensor : found.weights.tensors)
    page.tensors[tensor.name] = {tensor.agreement.agrees(), describe(tensor.agreement)};
  for (const std::string& name : found.weights.only_in_a) page.tensors[name] = {false, "is not in the other model"};
  page.differences = found.architectures.differences;
  for (const std::string& name : found.weights.only_in_b)
    page.differences.push_back("only in the other model: " + name);
  for (const std::string& line : found.training.differences) page.differences.push_back(line);
  if (!found.outputs) return page;
  for (const NamedAgreement& layer : found.outputs->layers)
    page.outputs[layer.name] = {layer.agreement.agrees(), describe(layer.agreement)};
  for (const NamedAgreement& output : found.outputs->outputs)
    if (!output.agreement.agrees())
      page.differences.push_back("output \"" + output.name + "\": " + describe(output.agreement));
  if (found.outputs->first_layer)
    page.differences.push_back("the first layer that differs is \"" + found.outputs->first_layer->name + "\"");
  if (found.outputs->cause) page.differences.push_back(describe(*found.outputs->cause));
  return page;
}

}  // namespace

void check_page_path(const std::string& path) {
  if (!path.ends_with(".html"))
    throw UsageError(path + ": what compare found is written as a page, whose name ends in .html");
}

void write_comparison_page(const Model& a, const Model& b, const std::string& other, const FoundDifferences& found,
                           const std::string& path) {
  if (!a.architecture)
    throw UsageError(path + ": a page shows an architecture, and the first model has none: give it beside the weights");
  PageComparison page = page_of(other, found);
  if (b.architecture) page.settings = other_settings(*a.architecture, *b.architecture);
  Replacement replacement;
  const std::string temporary = replacement.temporary_for(path);
  in_file(path, [&] { write_stream(temporary, [&](std::ostream& out) { write_html(a, out, &page); }); });
  replacement.commit();
}

}  // namespace h5bridge
