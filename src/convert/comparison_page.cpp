#include "convert/comparison_page.h"

#include "convert/formats/torch_destination.h"
#include "convert/replacement.h"
#include "h5bridge/error.h"
#include "picture/html_page.h"

namespace h5bridge {
namespace {

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

void write_comparison_page(const Model& a, const std::string& other, const FoundDifferences& found,
                           const std::string& path) {
  if (!a.architecture)
    throw UsageError(path + ": a page shows an architecture, and the first model has none: give it beside the weights");
  const PageComparison page = page_of(other, found);
  Replacement replacement;
  const std::string temporary = replacement.temporary_for(path);
  in_file(path, [&] { write_stream(temporary, [&](std::ostream& out) { write_html(a, out, &page); }); });
  replacement.commit();
}

}  // namespace h5bridge
