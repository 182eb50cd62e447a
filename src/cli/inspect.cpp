// h5bridge inspect SOURCE...
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/summary.h"
#include "convert/inspection.h"
#include "h5bridge/error.h"
#include "passes/layout.h"
#include "passes/presentation.h"
#include "picture/picture.h"

namespace h5bridge::cli {
namespace {

constexpr std::size_t kLongestValue = 200;

using Rows = std::vector<std::vector<std::string>>;

struct InspectCommand {
  CommonOptions common;
  SourceOptions sources;
};

std::string shortened(const Json& value) {
  const std::string text = value.is_string() ? value.as_string() : value.dump();
  if (text.size() <= kLongestValue) return text;
  return text.substr(0, kLongestValue) + "... (" + std::to_string(text.size()) + " characters; see --json)";
}

/// What is laid out otherwise than row-major shows its strides.
std::string layout_of(const Tensor& tensor) {
  if (tensor.is_contiguous()) return "";
  return "strides " + to_string(tensor.strides());
}

std::string word_of(const std::optional<bool>& trainable) {
  return !trainable ? "" : *trainable ? "trainable" : "not trainable";
}

/// What has its axes moved on the way from PyTorch says so: its shape alone may not tell.
Rows port_rows(const std::vector<Presentation::Port>& ports) {
  Rows rows;
  for (const Presentation::Port& port : ports)
    rows.push_back({port.name, to_string(port.shape), std::string(name_of(port.dtype)),
                    std::ranges::is_sorted(port.axes) ? "" : "PyTorch's axes " + to_string(Shape(port.axes))});
  return rows;
}

/// Inputs and outputs as the files' own framework has them, then every call with the shapes of its outputs.
/// Returns how many elements PyTorch's modules have.
std::int64_t print_architecture(const Inspection& inspection) {
  const DataFormat format = presented_format(*inspection.architecture, inspection.framework);
  const Architecture architecture = change_layout(*inspection.architecture, format, inspection.framework).architecture;
  Model model;
  model.architecture = inspection.architecture;
  model.framework = inspection.framework;
  for (const InspectedTensor& item : inspection.tensors) model.weights.set(item.name, item.tensor);
  const Presentation looks = presentation_of(model);
  print_line(std::string("layout: ") + (format == DataFormat::ChannelsFirst ? "channels_first" : "channels_last"));
  print_table("inputs:", port_rows(looks.inputs));
  print_table("outputs:", port_rows(looks.outputs));

  std::map<std::string, bool> trainable;
  if (inspection.framework == Framework::Torch)
    for (const InspectedTensor& item : inspection.tensors)
      if (item.trainable) trainable.emplace(item.name, *item.trainable);
  return print_summary(architecture, trainable);
}

/// `held_by_modules`: the elements of the model as PyTorch has it, where that is known.
void print_tensors(const std::vector<InspectedTensor>& tensors, Framework framework,
                   const std::optional<std::int64_t>& held_by_modules) {
  Rows rows;
  std::int64_t total = 0;
  std::int64_t frozen = 0;
  for (const InspectedTensor& item : tensors) {
    rows.push_back({item.name, to_string(item.tensor.shape()), std::string(name_of(item.tensor.dtype())),
                    word_of(item.trainable), layout_of(item.tensor)});
    total += item.tensor.element_count();
    if (item.trainable == false) frozen += item.tensor.element_count();
  }
  print_table(framework == Framework::Keras ? "tensors, as Keras lays them out:" : "tensors, as PyTorch lays them out:",
              rows);
  if (rows.empty()) return;
  const bool stated =
      std::ranges::all_of(tensors, [](const InspectedTensor& item) { return item.trainable.has_value(); });
  print_wrapped(
      "in all, as these tensors have them: " + with_commas(total) + " elements" +
      (stated ? ": " + with_commas(total - frozen) + " trainable, " + with_commas(frozen) + " not" : "") +
      (framework == Framework::Keras && held_by_modules && *held_by_modules != total
           ? "; PyTorch's modules have other ones besides (num_batches_tracked, two biases of a recurrent layer)"
           : ""));
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Numbers in their order, then what is none as it comes.
bool comes_before(const std::string& a, const std::string& b) {
  if (!is_number(a) || !is_number(b)) return is_number(a) && !is_number(b);
  return std::pair(a.size(), a) < std::pair(b.size(), b);
}

void print_optimizer(const Json& optimizer) {
  print_wrapped("optimizer: " + shortened(optimizer.at("name")) + " " + shortened(optimizer.at("config")));
  Rows rows;
  for (const Json& slot : optimizer.at("slots").as_array()) {
    const Json& parameter = slot.at("parameter");
    const Json* value = slot.find("value");
    Shape shape;
    for (const Json& size : slot.at("shape").as_array()) shape.push_back(size.as_integer());
    rows.push_back({parameter.is_null() ? "" : parameter.as_string(), slot.at("name").as_string(), to_string(shape),
                    slot.at("dtype").as_string(), value ? "= " + value->dump() : ""});
  }
  // PyTorch numbers parameters, and they were sorted as words.
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return comes_before(a[0], b[0]); });
  print_table("optimizer state:", rows, 4);
}

void print_training(const Json& training) {
  if (training.is_null()) return;
  for (const auto& [name, value] : training.as_object()) {
    if (value.is_null()) continue;
    if (name == "optimizer")
      print_optimizer(value);
    else
      print_wrapped(name + ": " + shortened(value));
  }
}

/// Of a file that has modules: their names, classes and settings.
void print_modules(const Json& modules) {
  Rows rows;
  for (const Json& module : modules.as_array()) {
    std::string settings;
    for (const auto& [name, value] : module.at("settings").as_object())
      settings += (settings.empty() ? "" : ", ") + name + "=" + value.dump();
    rows.push_back({module.at("name").as_string(), module.at("class").as_string(), shortened(Json(settings))});
  }
  print_table("modules:", rows, 2);
}

/// What stands at the beginning, and on standard error, is not said a third time.
bool is_failure_alone(const Inspection& inspection, const Json& notes) {
  return inspection.failure && notes == Json(Json::Array{Json(inspection.failure->what())});
}

void print_inspection(const Inspection& inspection) {
  print_line("format: " + inspection.format);
  std::optional<std::int64_t> held_by_modules;
  if (inspection.architecture) {
    if (!inspection.architecture->name.empty()) print_line("model: " + inspection.architecture->name);
    try {
      held_by_modules = print_architecture(inspection);
    } catch (const Error& error) {  // its shapes do not fit, or Keras has no word for it
      print_line(std::string("note: ") + error.what());
    }
  }
  print_tensors(inspection.tensors, inspection.framework, held_by_modules);
  print_training(inspection.training);
  if (const Json* modules = inspection.metadata.find("modules")) print_modules(*modules);
  if (const Json* reference = inspection.metadata.find("reference"))
    print_wrapped("reference: by " + shortened(reference->at("by").as_string()) + " of inputs " +
                  shortened(reference->at("inputs")) + ", as PyTorch lays them out; verify replays it");
  Rows metadata;
  for (const auto& [name, value] : inspection.metadata)
    if (name != "modules" && name != "reference" && !(name == "notes" && is_failure_alone(inspection, value)))
      metadata.push_back({name, shortened(value)});
  print_table("metadata:", metadata, 1);
}

ExitStatus inspect_model(const InspectCommand& options) {
  Inspection inspection = inspect(options.sources.sources, options.sources.load);
  const std::optional<Error> failure = inspection.failure;
  if (options.common.json) {
    Json json = to_json(std::move(inspection));
    if (failure) json.as_object().set("error", failure->what());
    print_json(std::move(json));
  } else {
    if (failure) print_line(std::string("cannot be converted: ") + failure->what());
    print_inspection(inspection);
  }
  if (!failure) return ExitStatus::Done;
  finish_output();
  throw *failure;
}

}  // namespace

void add_inspect(CLI::App& program, Action& action) {
  auto [command, options] =
      add_command<InspectCommand>(program, "inspect", "show what is in a model's files", action, inspect_model);
  add_sources(command, options.sources);
  add_names(command, options.sources.load);
}

}  // namespace h5bridge::cli
