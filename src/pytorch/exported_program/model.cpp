#include "pytorch/exported_program/model.h"

#include <algorithm>
#include <map>

#include "facets/aten/joined_functions.h"
#include "files/pt2_archive.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"
#include "pytorch/exported_program/graph.h"
#include "pytorch/exported_program/layers.h"
#include "pytorch/exported_program/older.h"
#include "pytorch/exported_program/registered.h"
#include "pytorch/exported_program/samples.h"

namespace h5bridge {
namespace {

std::string owner_of(const std::string& key) {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

// As state_dict() has them: module by module in the order of registration, parameters before buffers. The archive has
// all parameters first.
std::vector<Pt2Tensor> in_order(std::vector<Pt2Tensor> tensors, const std::vector<std::string>& modules) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < modules.size(); ++i) places.emplace(modules[i], i);
  const auto place = [&](const Pt2Tensor& tensor) {
    const auto found = places.find(owner_of(tensor.name));
    return std::pair(found == places.end() ? modules.size() : found->second, !tensor.is_parameter);
  };
  std::ranges::stable_sort(tensors, {}, place);
  return tensors;
}

// An export without dynamic_shapes knows the sizes of its example alone.
void note_fixed_batch(Architecture& architecture) {
  const SymbolicShape& shape = architecture.inputs[0].shape;
  const bool has_open = std::ranges::any_of(architecture.inputs, [](const Input& input) {
    return std::ranges::any_of(input.shape, [](const Size& size) { return size.is_open(); });
  });
  if (shape.size() < 2 || has_open) return;
  architecture.notes.push_back("all sizes are those of the example that was exported, the batch of " + shape[0].str() +
                               " among them; torch.export.export(..., dynamic_shapes=...) leaves them open");
}

// In evaluation nn.MultiheadAttention computes without what it drops in training, and is exported so.
void note_dropped_scores(Architecture& architecture) {
  const auto drops_nothing = [](const Layer& layer) {
    return layer.type == "MultiheadAttention" && layer.attributes.number("dropout") == 0;
  };
  const auto first = std::ranges::find_if(architecture.layers, drops_nothing);
  if (first == architecture.layers.end()) return;
  const std::ptrdiff_t more = std::ranges::count_if(architecture.layers, drops_nothing) - 1;
  architecture.notes.push_back(
      "in " + shortened(first->name) + " (MultiheadAttention)" +
      (more > 0 ? " and " + std::to_string(more) + " more" : "") +
      ": dropout is 0 here, whatever the module drops in training; a module exported in evaluation does not say it");
}

Model with_tensors(const std::vector<Pt2Tensor>& tensors, const Json& program) {
  Model model;
  model.format = "pt2";
  for (const Pt2Tensor& tensor : tensors) {
    model.weights.add(tensor.name, tensor.tensor);
    if (tensor.is_parameter) model.trainable.emplace(tensor.name, tensor.requires_grad);
  }
  if (const Json* version = program.find("torch_version")) model.metadata.set("torch_version", *version);
  return model;
}

Pt2Model archive_in(const ZipReader& file, const std::string& key) {
  if (is_older_program(file)) return read_older_program(file);
  Pt2Model model = read_pt2_model(file, key);
  read_pickled(file, model);
  return model;
}

}  // namespace

bool is_exported_program(const ZipReader& file) { return is_pt2_archive(file) || is_older_program(file); }

Model model_from_exported_program(const ZipReader& file, const std::string& key) {
  const Pt2Model archive = archive_in(file, key);
  aten::Graph graph = graph_of_program(archive.program);
  aten::join_functions(graph);
  fold_constants(graph, archive);
  const std::vector<Pt2Tensor> tensors = in_order(archive.weights, graph.modules);
  Model model = with_tensors(tensors, archive.program);
  model.architecture = architecture_of_graph(graph, archive);
  for (const std::string& changed : graph.changed)
    if (!changed.ends_with("num_batches_tracked"))
      model.architecture->notes.push_back("forward changes " + changed + ", which no layer does");
  join_registered_twice(*model.architecture, tensors);
  add_registered(*model.architecture, tensors);
  note_fixed_batch(*model.architecture);
  note_dropped_scores(*model.architecture);
  model.architecture = checked(std::move(*model.architecture));
  if (auto samples = sample_inputs(file, archive.name, model.architecture->inputs); !samples.empty())
    model.reference = Reference{.by = "", .dtype = {}, .inputs = std::move(samples), .outputs = {}, .layers = {}};
  return model;
}

Model weights_of_exported_program(const ZipReader& file, const std::string& key) {
  const Pt2Model archive = archive_in(file, key);
  std::vector<std::string> modules;
  for (const Json& entry : archive.program.at("graph_module").at("module_call_graph").as_array())
    modules.push_back(entry.at("fqn").as_string());
  return with_tensors(in_order(archive.weights, modules), archive.program);
}

}  // namespace h5bridge
